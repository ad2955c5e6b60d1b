package index

import (
	"bytes"

	"carerecord/store"
)

// HomePatient returns the patient whose partition the document belongs to, as far as a reference
// names one, or "".
func (o Ownership) HomePatient() string {
	if len(o.Patients) == 0 {
		return ""
	}
	return o.Patients[0]
}

// otherPartitionKeys adds a key for each reference parameter that refers to a Patient other than
// home. A document without that key is in the partition of every Patient to whom the parameter
// refers, so a chain between them can follow the order of the store.
func (b *builder) otherPartitionKeys(home string) {
	start, last := 0, uint16(0)
	for _, end := range b.ends[:len(b.ends):len(b.ends)] {
		key := b.buf[start:end]
		start = end
		if key[2] != classRef || key[0] >= verifies>>8 {
			continue
		}
		number := uint16(key[0])<<8 | uint16(key[1])
		if id, ok := bytes.CutPrefix(key[3:], []byte("Patient/")); ok && string(id) != home && number != last {
			last = number
			b.add(number, classOtherPartition)
		}
	}
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

// PatientRowID returns the RowID of a Patient.
func PatientRowID(id string) store.RowID {
	return store.RowID{Partition: PartitionOf(id), SortKey: SortKeyOf(noDate(), "Patient", id)}
}
