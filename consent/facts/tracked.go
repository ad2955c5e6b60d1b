package facts

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// TrackedReader is a Reader that makes its answers conditions of a batch: every document that it read,
// and every absence, is a check or an absence of the batch.
type TrackedReader struct {
	Snapshot
	checks   map[store.Ref]store.Check
	absences map[string]store.Absent // by query
	Sources  map[store.Ref]store.Doc // live documents that keys were inherited from, without bodies
	attached map[store.Ref]NameSet   // by document, the keys of the Binaries that it must continue to attach
}

// TrackedReader makes one for a snapshot.
func (k *Keyer) TrackedReader(snap store.Snapshot) *TrackedReader {
	return &TrackedReader{k.Snapshot(snap), map[store.Ref]store.Check{}, map[string]store.Absent{}, map[store.Ref]store.Doc{}, map[store.Ref]NameSet{}}
}

// RequireVersion requires that a version stays the newest, with its keys.
func (r *TrackedReader) RequireVersion(d store.Doc) {
	r.checks[d.Ref] = store.Check{Ref: d.Ref, Version: d.Version, KeyRevision: d.KeyRevision}
}

// RequireSame requires that dependents continue to inherit the same from a document. New versions of it
// are permitted: frequent updates of a document do not block writes that depend on it (LIM-002).
func (r *TrackedReader) RequireSame(d store.Doc) error {
	if d.Deleted() {
		r.RequireVersion(d)
		return nil
	}
	r.checks[d.Ref] = store.Check{Ref: d.Ref, Where: r.sameInheritance(d)}
	d.Body = nil
	r.Sources[d.Ref] = d
	return nil
}

// sameInheritance matches the keys from which dependents inherit the same as from a live document
// (SameInheritance), and, for a Patient, with the same identifiers.
func (r *TrackedReader) sameInheritance(d store.Doc) store.Pred {
	out := store.And{}
	for _, prefix := range append(inheritedPrefixes(), index.BearsPrefix(), index.NumberPrefix(), index.HomePrefix()) {
		of := NameSet{}
		for _, name := range index.Names(d.Keys, prefix) {
			of[name] = true
			out = append(out, store.Eq{Key: prefix + store.Key(name)})
		}
		out = append(out, store.Not{Pred: store.In{Prefix: prefix, Set: SetFunc(func(name string) bool { return !of[name] })}})
	}
	for _, name := range append(addedFacts(), inheritedFacts...) {
		if Has(d.Keys, name) {
			out = append(out, store.Eq{Key: index.FactKey(name)})
		} else {
			out = append(out, store.Not{Pred: store.Eq{Key: index.FactKey(name)}})
		}
	}
	return out
}

// RequireAbsent requires that nothing matches. name identifies the requirement.
func (r *TrackedReader) RequireAbsent(name string, absent store.Absent) { r.absences[name] = absent }

// Newest implements Reader.
func (r *TrackedReader) Newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	d, err := r.Snapshot.Newest(ctx, ref)
	switch {
	case err == nil:
		err = r.RequireSame(d)
	case errors.Is(err, store.ErrNotFound):
		r.checks[ref] = store.Check{Ref: ref}
	}
	return d, err
}

// PatientsOfPerson implements Reader.
func (r *TrackedReader) PatientsOfPerson(ctx context.Context, person, source string) ([]store.Doc, error) {
	return r.PatientsOfPersonExcept(ctx, person, source, func(string) bool { return false })
}

// PatientsOfPersonExcept requires that the Patients that it found stay as they are, and that the source has no
// other Patient of the person; it leaves out those of which leftOut is true.
func (r *TrackedReader) PatientsOfPersonExcept(ctx context.Context, person, source string, leftOut func(id string) bool) ([]store.Doc, error) {
	docs, err := r.Snapshot.PatientsOfPerson(ctx, person, source)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d store.Doc) bool { return leftOut(d.Ref.ID) })
	known := NameSet{}
	for _, d := range docs {
		known[d.Ref.ID] = true
		r.RequireVersion(d) // its birth date is in no key
	}
	others, err := r.keyer.Index.IDIn("Patient", SetFunc(func(id string) bool { return leftOut(id) || known[id] }))
	if err != nil {
		return nil, err
	}
	r.absences["patients "+source+" "+person] = store.Absent{Type: "Patient", Where: store.And{PatientsOf(person, source), store.Not{Pred: others}}, Claims: []store.Key{index.OwnerKey(person)}}
	return docs, nil
}

// AttachedBy implements Reader.
func (r *TrackedReader) AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error) {
	docs, err := r.Snapshot.AttachedBy(ctx, binary, source)
	key := index.AttachesKey(binary, source)
	for _, d := range docs {
		if err := r.RequireSame(d); err != nil {
			return nil, err
		}
		if r.attached[d.Ref] == nil {
			r.attached[d.Ref] = NameSet{}
		}
		r.attached[d.Ref][string(key)] = true
	}
	if err == nil && len(docs) == 0 { // and none may be added before the commit
		r.absences["holders "+binary] = store.Absent{Where: store.Eq{Key: key}, Claims: []store.Key{key}}
	}
	return docs, err
}

// AddConditions adds the conditions to a batch, without those on documents that it writes.
func (r *TrackedReader) AddConditions(b *store.Batch) {
	written := map[store.Ref]bool{}
	for _, w := range b.Writes {
		written[w.Doc.Ref] = true
	}
	for ref, check := range r.checks {
		if written[ref] {
			continue
		}
		if check.Where != nil {
			for _, key := range slices.Sorted(maps.Keys(r.attached[ref])) {
				check.Where = store.And{check.Where, store.Eq{Key: store.Key(key)}}
			}
		}
		b.Checks = append(b.Checks, check)
	}
	slices.SortFunc(b.Checks, func(a, b store.Check) int {
		return cmp.Or(strings.Compare(a.Ref.Type, b.Ref.Type), strings.Compare(a.Ref.ID, b.Ref.ID))
	})
	for _, name := range slices.Sorted(maps.Keys(r.absences)) {
		b.Absent = append(b.Absent, r.absences[name])
	}
}
