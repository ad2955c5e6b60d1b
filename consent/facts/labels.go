package facts

import (
	"context"
	"fmt"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A row that a label hides must not be revealed by a reference to it in another row (CON-1201): the
// projection cuts these references. Only rows about the same person count. index.LabelledKey finds the
// labelled rows of a person; index.FactRefersToLabelled marks the rows with such a reference, so that
// other rows are shown without another query.
//
// The fact only says that a row must be projected. The cut follows from the snapshot, so a mark that is
// too much costs time and nothing else. A commit does not check the versions of the labelled rows;
// labelchanges.go of package consent keeps the marks up to date.

// LabelHides reports from which requesters the labels of a document with these keys hide it. The
// labels of a Patient hide the whole record, so rows that refer to the Patient do not count.
func LabelHides(typ string, keys []store.Key) (staff, patients bool) {
	ordinary, released := Has(keys, index.FactOrdinary), Has(keys, index.FactReleased)
	switch typ {
	case "Patient":
		return false, false
	case "Consent":
		byPatient := Has(keys, index.FactInPerson) && len(index.Names(keys, index.SourcePrefix())) == 0
		return false, !released && !byPatient
	}
	return !ordinary, !ordinary || !released
}

// labelledKeys returns the LabelledKeys of a document.
func labelledKeys(typ string, keys []store.Key) []store.Key {
	if staff, patients := LabelHides(typ, keys); !staff && !patients {
		return nil
	}
	var out []store.Key
	for _, name := range Persons(keys) {
		out = append(out, index.LabelledKey(name))
	}
	return out
}

// Persons returns the names of all persons whom a document is about, sorted and distinct.
func Persons(keys []store.Key) []string {
	return Distinct(index.Owners(keys), index.Names(keys, index.AboutPrefix()))
}

// Distinct returns the union of lists, sorted and distinct.
func Distinct(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// MarkKeys returns sorted keys with or without index.FactRefersToLabelled, and with the
// index.FactIrregular that follows.
func MarkKeys(keys []store.Key, at store.Partition, refersToLabelled bool) []store.Key {
	if has := Has(keys, index.FactRefersToLabelled); has == refersToLabelled && (has || Has(keys, index.FactIrregular) == irregular(keys, at)) {
		return keys
	}
	marks := []store.Key{index.FactKey(index.FactRefersToLabelled), index.FactKey(index.FactIrregular)}
	out := slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { return slices.Contains(marks, k) })
	switch {
	case refersToLabelled:
		out = append(out, marks...)
	case irregular(out, at):
		out = append(out, marks[1])
	}
	return store.Sorted(out)
}

// HiddenFrom says from which requesters the labels of a row hide it.
type HiddenFrom struct{ Staff, Patients bool }

// personRows are the labelled rows about a person. many: there are more than maxLabelledRows, and each
// reference is looked up instead.
type personRows struct {
	rows map[fhir.Ref]HiddenFrom
	many bool
}

// maxLabelledRows is how many labelled rows of a person are listed.
const maxLabelledRows = 100

// LabelledRows finds the labelled rows to which documents refer, in a snapshot with a batch on top. It
// is for one goroutine.
type LabelledRows struct {
	snap    store.Snapshot
	base    string
	batch   map[store.Ref]*store.Write // nil for none
	inBatch map[string][]*store.Write  // labelled documents of the batch, by the name of a person
	cache   map[string]personRows      // by the name of a person
}

// LabelledRows makes one. The keys of the batch must be final; nil is for no batch.
func (k *Keyer) LabelledRows(snap store.Snapshot, batch map[store.Ref]*store.Write) *LabelledRows {
	l := &LabelledRows{snap: snap, base: k.Index.Base(), batch: batch, inBatch: map[string][]*store.Write{}, cache: map[string]personRows{}}
	for _, w := range batch {
		if w.Doc.Deleted() {
			continue
		}
		for _, name := range index.Names(w.Doc.Keys, index.LabelledPrefix()) {
			l.inBatch[name] = append(l.inBatch[name], w)
		}
	}
	return l
}

// Referenced returns the labelled rows about some persons to which a body refers.
func (l *LabelledRows) Referenced(ctx context.Context, persons []string, body []byte) (map[fhir.Ref]HiddenFrom, error) {
	some, many := false, false
	for _, name := range persons {
		of, err := l.about(ctx, name)
		if err != nil {
			return nil, err
		}
		some, many = some || len(of.rows) > 0, many || of.many
	}
	if !some && !many {
		return nil, nil
	}
	refs := edit.References(body, l.base)
	if many {
		return l.lookUpEach(ctx, persons, refs)
	}
	out := map[fhir.Ref]HiddenFrom{}
	for _, name := range persons {
		for _, ref := range refs {
			if h, hides := l.cache[name].rows[ref]; hides {
				out[ref] = h
			}
		}
	}
	return out, nil
}

// about lists the labelled rows about a person.
func (l *LabelledRows) about(ctx context.Context, name string) (personRows, error) {
	if of, known := l.cache[name]; known {
		return of, nil
	}
	of := personRows{rows: map[fhir.Ref]HiddenFrom{}}
	q := store.Query{Where: store.Eq{Key: index.LabelledKey(name)}, KeysOnly: true}
	for d, err := range l.snap.Scan(ctx, q) {
		if err != nil {
			return of, fmt.Errorf("look up labelled rows: %w", err)
		}
		if _, pending := l.batch[d.Ref]; pending {
			continue
		}
		if of.many = len(of.rows) == maxLabelledRows; of.many {
			break
		}
		of.add(d)
	}
	for _, w := range l.inBatch[name] {
		of.add(w.Doc)
	}
	l.cache[name] = of
	return of, nil
}

func (of *personRows) add(d store.Doc) {
	staff, patients := LabelHides(d.Ref.Type, d.Keys)
	of.rows[fhir.Ref{Type: d.Ref.Type, ID: d.Ref.ID}] = HiddenFrom{staff, patients}
}

// lookUpEach looks up every reference.
func (l *LabelledRows) lookUpEach(ctx context.Context, persons []string, refs []fhir.Ref) (map[fhir.Ref]HiddenFrom, error) {
	out := personRows{rows: map[fhir.Ref]HiddenFrom{}}
	take := func(d store.Doc) {
		about := func(name string) bool { return store.Match(store.Eq{Key: index.LabelledKey(name)}, d.Keys) }
		if !d.Deleted() && slices.ContainsFunc(persons, about) {
			out.add(d)
		}
	}
	var stored []store.Ref
	for _, r := range refs {
		ref := store.Ref{Type: r.Type, ID: r.ID}
		if w, pending := l.batch[ref]; pending {
			take(w.Doc)
		} else {
			stored = append(stored, ref)
		}
	}
	for d, err := range l.snap.All(ctx, stored) {
		if err != nil {
			return nil, fmt.Errorf("look up references: %w", err)
		}
		take(d)
	}
	return out.rows, nil
}

// Mark returns the keys of a live document, with index.FactRefersToLabelled if it refers to a labelled
// row.
func (l *LabelledRows) Mark(ctx context.Context, keys []store.Key, at store.Partition, body []byte) ([]store.Key, error) {
	found, err := l.Referenced(ctx, Persons(keys), body)
	return MarkKeys(keys, at, len(found) > 0), err
}
