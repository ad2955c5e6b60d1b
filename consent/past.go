package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Snapshot is what is there in a snapshot.
type Snapshot struct {
	snap  store.Snap
	index *index.Indexer
	types *typeCatalog
}

func (g *Guard) snapshot(snap store.Snap) Snapshot { return Snapshot{snap, g.index, g.catalog} }

func (s Snapshot) Newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.snap.Get(ctx, ref)
}

func (s Snapshot) BeforeDeletion(ctx context.Context, d store.Doc) (store.Doc, error) {
	before, err := s.snap.Version(ctx, d.Ref, d.Version-1)
	if err != nil {
		err = fmt.Errorf("read what a tombstone of %s ended: %w", d.Ref, err)
	}
	return before, err
}

func (s Snapshot) PatientsByNumber(ctx context.Context, number string) ([]string, error) {
	return s.bearersExcept(ctx, number, func(string) bool { return false })
}

// bearersExcept are the bearers of an NHS number beside those who are left out.
func (s Snapshot) bearersExcept(ctx context.Context, number string, leftOut func(id string) bool) ([]string, error) {
	where, err := s.HasNumber(number)
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

// FormerIdentifiers implements world: from the older versions.
func (s Snapshot) FormerIdentifiers(ctx context.Context, d store.Doc) ([]string, error) {
	if d.Version <= 1 {
		return nil, nil
	}
	var out []string
	for v, err := range s.snap.History(ctx, store.HistoryQuery{Type: d.Ref.Type, ID: d.Ref.ID}) {
		if err != nil {
			return nil, fmt.Errorf("read what %s bore: %w", d.Ref, err)
		}
		if v.Version < d.Version && !v.Deleted() {
			out = append(out, PatientNames(v.Body)...)
		}
	}
	return out, nil
}

// HasNumber is the predicate of the Patients with an NHS number.
func (s Snapshot) HasNumber(number string) (store.Pred, error) {
	where, err := s.index.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{nhsNumber + "|" + number}})
	if err != nil {
		return nil, fmt.Errorf("look up an NHS number: %w", err)
	}
	return where, nil
}

// versionReader is a world for the keys of one older version: what a Patient bore before it
// decides nothing about the version.
type versionReader struct{ Snapshot }

func (versionReader) FormerIdentifiers(context.Context, store.Doc) ([]string, error) { return nil, nil }

// withCurrentKeys keys a version anew where it is not the newest live one: whom it is
// about is decided by what is there now, not by what was when it was stored
// (CON-406). The newest live versions are kept so by every commit. A tombstone
// is judged by the version before it.
func (v *View) withCurrentKeys(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	if kind := v.grant.principal.Kind; kind == System || kind == SourceSystem {
		return d, nil // asks for nothing that changes
	}
	//law:version-keys
	if !d.Deleted() && d.Version == newest.Version {
		return d, nil
	}
	body := d
	if d.Deleted() {
		var err error
		if body, err = v.guard.snapshot(v.snap).BeforeDeletion(ctx, d); err != nil {
			return store.Doc{}, err
		}
	}
	row, err := v.guard.Extract(body)
	if err != nil {
		return store.Doc{}, err
	}
	made, err := v.guard.Describe(ctx, versionReader{v.guard.snapshot(v.snap)}, body, row)
	if err != nil {
		return store.Doc{}, err
	}
	d.Keys = MarkKeys(made.Keys, made.RowID.Partition, true) // the projection finds out
	if d.Ref.Type == "Patient" && newest.Deleted() {         // the register does not know who was deleted
		for _, name := range names(newest.Keys, index.BearsPrefix()) {
			d.Keys = append(d.Keys, index.AboutKey(name))
		}
		d.Keys = store.Sorted(d.Keys)
	}
	return d, nil
}

// Superseded returns when the next visible version took the place of one that
// the View shows, or the zero time if none did.
func (v *View) Superseded(ctx context.Context, d store.Doc) (time.Time, error) {
	newest, err := v.snap.Get(ctx, d.Ref)
	if err != nil {
		return time.Time{}, fmt.Errorf("newest version of %s: %w", d.Ref, err)
	}
	for n := d.Version + 1; n <= newest.Version; n++ {
		if err := v.checkUsable(ctx); err != nil {
			return time.Time{}, err
		}
		next, err := v.snap.Version(ctx, d.Ref, n)
		if err == nil {
			next, err = v.show(ctx, next, newest)
		}
		if err == nil {
			return next.Updated, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return time.Time{}, err
		}
	}
	return time.Time{}, nil
}
