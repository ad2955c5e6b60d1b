package facts

import (
	"context"
	"fmt"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Snapshot is the Reader of a snapshot.
type Snapshot struct {
	snap  store.Snapshot
	keyer *Keyer
}

// Snapshot makes the Reader of a snapshot.
func (k *Keyer) Snapshot(snap store.Snapshot) Snapshot { return Snapshot{snap, k} }

// Newest implements Reader.
func (s Snapshot) Newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.snap.Get(ctx, ref)
}

// BeforeDeletion implements Reader.
func (s Snapshot) BeforeDeletion(ctx context.Context, d store.Doc) (store.Doc, error) {
	before, err := s.snap.Version(ctx, d.Ref, d.Version-1)
	if err != nil {
		err = fmt.Errorf("read the version before a tombstone of %s: %w", d.Ref, err)
	}
	return before, err
}

// PatientsByNumber implements Reader.
func (s Snapshot) PatientsByNumber(ctx context.Context, number string) ([]string, error) {
	return s.patientsByNumberExcept(ctx, number, func(string) bool { return false })
}

// patientsByNumberExcept returns the Patients with an NHS number without those that are left out.
func (s Snapshot) patientsByNumberExcept(ctx context.Context, number string, leftOut func(id string) bool) ([]string, error) {
	where, err := s.keyer.HasNumber(number)
	if err != nil {
		return nil, err
	}
	var ids []string
	for d, err := range s.snap.Scan(ctx, store.Query{Type: "Patient", Where: where, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look up an NHS number: %w", err)
		}
		if leftOut(d.Ref.ID) {
			continue
		}
		if ids = append(ids, d.Ref.ID); len(ids) == 2 {
			break
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// FormerIdentifiers implements Reader: it reads the older versions.
func (s Snapshot) FormerIdentifiers(ctx context.Context, d store.Doc) ([]string, error) {
	if d.Version <= 1 {
		return nil, nil
	}
	var out []string
	for v, err := range s.snap.History(ctx, store.HistoryQuery{Type: d.Ref.Type, ID: d.Ref.ID}) {
		if err != nil {
			return nil, fmt.Errorf("read the former identifiers of %s: %w", d.Ref, err)
		}
		if v.Version < d.Version && !v.Deleted() {
			out = append(out, PatientNames(v.Body)...)
		}
	}
	return out, nil
}

// HasNumber matches the Patients with an NHS number.
func (k *Keyer) HasNumber(number string) (store.Pred, error) {
	where, err := k.Index.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{nhsNumber + "|" + number}})
	if err != nil {
		return nil, fmt.Errorf("look up an NHS number: %w", err)
	}
	return where, nil
}
