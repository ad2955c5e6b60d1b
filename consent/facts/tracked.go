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
	where, err := r.sameInheritance(d)
	if err != nil {
		return err
	}
	r.checks[d.Ref] = store.Check{Ref: d.Ref, Where: where}
	d.Body = nil
	r.Sources[d.Ref] = d
	return nil
}

// sameInheritance matches the keys from which dependents inherit the same as from a live document
// (SameInheritance), and, for a Patient, with the same NHS numbers.
func (r *TrackedReader) sameInheritance(d store.Doc) (store.Pred, error) {
	out := store.And{}
	for _, prefix := range []store.Key{index.OwnerPrefix(), index.AboutPrefix(), index.MentionPrefix(), index.BearsPrefix()} {
		of := NameSet{}
		for _, name := range index.Names(d.Keys, prefix) {
			of[name] = true
			out = append(out, store.Eq{Key: prefix + store.Key(name)})
		}
		out = append(out, store.Not{Pred: store.In{Prefix: prefix, Set: SetFunc(func(name string) bool { return !of[name] })}})
	}
	for _, name := range append([]string{index.FactBarred}, inheritedFacts...) {
		if Has(d.Keys, name) {
			out = append(out, store.Eq{Key: index.FactKey(name)})
		} else {
			out = append(out, store.Not{Pred: store.Eq{Key: index.FactKey(name)}})
		}
	}
	if d.Ref.Type != "Patient" {
		return out, nil
	}
	for _, name := range index.Names(d.Keys, index.BearsPrefix()) { // current and former
		number, is := strings.CutPrefix(name, "nhs:")
		if !is {
			continue
		}
		hasNumber, err := r.keyer.HasNumber(number)
		if err != nil {
			return nil, err
		}
		if !store.Match(hasNumber, d.Keys) {
			hasNumber = store.Not{Pred: hasNumber}
		}
		out = append(out, hasNumber)
	}
	return out, nil
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

// PatientsByNumber implements Reader.
func (r *TrackedReader) PatientsByNumber(ctx context.Context, number string) ([]string, error) {
	return r.PatientsByNumberExcept(ctx, number, func(string) bool { return false })
}

// PatientsByNumberExcept requires that the Patients that it found stay, and, where it found less than
// two, that no other Patient gets the number.
func (r *TrackedReader) PatientsByNumberExcept(ctx context.Context, number string, leftOut func(id string) bool) ([]string, error) {
	ids, err := r.Snapshot.patientsByNumberExcept(ctx, number, leftOut)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, err := r.Newest(ctx, store.Ref{Type: "Patient", ID: id}); err != nil {
			return nil, err
		}
	}
	if len(ids) == 2 {
		return ids, nil
	}
	where, err := r.keyer.HasNumber(number)
	if err != nil {
		return nil, err
	}
	known, err := r.keyer.Index.IDIn("Patient", leftOutOr(leftOut, ids))
	if err != nil {
		return nil, err
	}
	r.absences["bearers "+number] = store.Absent{Type: "Patient", Where: store.And{where, store.Not{Pred: known}}, Claims: []store.Key{index.CrossTypeDependsOnKey("nhs:" + number)}}
	return ids, nil
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

func leftOutOr(leftOut func(string) bool, known []string) store.Set {
	return SetFunc(func(id string) bool { return leftOut(id) || slices.Contains(known, id) })
}
