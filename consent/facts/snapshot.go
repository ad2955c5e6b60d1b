package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// PatientsOfPerson implements Reader.
func (s Snapshot) PatientsOfPerson(ctx context.Context, person, source string) ([]store.Doc, error) {
	var out []store.Doc
	for d, err := range s.snap.Scan(ctx, store.Query{Type: "Patient", Where: PatientsOf(person, source)}) {
		if err != nil {
			return nil, fmt.Errorf("look up the Patients of a person: %w", err)
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b store.Doc) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	return out, nil
}

// PatientsOf matches the Patients of a source with a person key.
func PatientsOf(person, source string) store.Pred {
	return store.And{store.Eq{Key: index.OwnerKey(person)}, store.Eq{Key: index.SourceKey(source)}}
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
			out = append(append(out, PatientNames(v.Body)...), s.keyer.tieNames(v.Body, v.Source)...)
		}
	}
	return out, nil
}
