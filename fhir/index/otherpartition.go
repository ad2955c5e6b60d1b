package index

import (
	"slices"
	"strings"

	"carerecord/store"
)

// OtherPartitionKeys returns a key for each reference parameter by which a document refers to a Patient other than
// home, or to somebody by a national number, from its keys. Empty home is for a document that is in the partition of no
// Patient. national reports whether an identifier is such a number. A document without such a
// key is in the partition of every Patient to whom the parameter refers, so a chain between them can follow the order
// of the store.
func OtherPartitionKeys(keys []store.Key, home string, national func(system, number string) bool) []store.Key {
	var out []store.Key
	for _, key := range keys {
		if len(key) < 3 || key[0] >= verifies>>8 || IsFact(key) {
			continue
		}
		other := false
		switch key[2] {
		case classRef:
			id, isPatient := strings.CutPrefix(string(key[3:]), "Patient/")
			other = isPatient && id != home
		case classLogical:
			system, number, _ := strings.Cut(string(key[3:]), "\x00")
			other = national(system, number)
		}
		if stray := key[:2] + store.Key(rune(classOtherPartition)); other && !slices.Contains(out, stray) {
			out = append(out, stray)
		}
	}
	return out
}

// CrossPartitionRefs returns the predicate of documents that refer, by a reference parameter, to
// a Patient of another partition. Errors are *Error.
func (x *Indexer) CrossPartitionRefs(typ, name string) (store.Pred, error) {
	p, err := x.served(typ, name)
	if err != nil {
		return nil, err
	}
	return eq(p.number, classOtherPartition), nil
}

// PersonRowID returns the position of a person among the Patients of a partition: it depends on the person key alone.
func PersonRowID(in store.Partition, person string) store.RowID {
	return store.RowID{Partition: in, SortKey: SortKeyOf(noDate(), "Person", person)}
}

// PatientRowID returns the RowID of a Patient in a partition.
func PatientRowID(in store.Partition, id string) store.RowID {
	return store.RowID{Partition: in, SortKey: SortKeyOf(noDate(), "Patient", id)}
}
