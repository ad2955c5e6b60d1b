package consent

import (
	"context"
	"fmt"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// standing is what is there in a snapshot.
type standing struct {
	snap  store.Snap
	index *index.Indexer
}

func (s standing) newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.snap.Get(ctx, ref)
}

func (s standing) byNHS(ctx context.Context, number string) ([]string, error) {
	where, err := s.bearers(number)
	if err != nil {
		return nil, err
	}
	var ids []string
	for d, err := range s.snap.Scan(ctx, store.Query{Type: "Patient", Where: where, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look up an NHS number: %w", err)
		}
		ids = append(ids, d.Ref.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// bearers is the predicate of the Patients with an NHS number.
func (s standing) bearers(number string) (store.Pred, error) {
	where, err := s.index.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{nhsNumber + "|" + number}})
	if err != nil {
		return nil, fmt.Errorf("look up an NHS number: %w", err)
	}
	return where, nil
}

// asOfNow keys a version anew where it is not the newest live one: whom it is
// about is decided by what is there now, not by what was when it was stored
// (CON-406). The newest live versions are kept so by every commit. A tombstone
// is judged by the version before it.
func (v *View) asOfNow(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	if kind := v.grant.principal.Kind; kind == System || kind == Feed {
		return d, nil // asks for nothing that changes
	}
	if !d.Dead() && d.Version == newest.Version {
		return d, nil
	}
	body := d
	if d.Dead() {
		var err error
		if body, err = v.snap.Version(ctx, d.Ref, d.Version-1); err != nil {
			return store.Doc{}, fmt.Errorf("read what a tombstone of %s ended: %w", d.Ref, err)
		}
	}
	row, err := v.guard.row(body)
	if err != nil {
		return store.Doc{}, err
	}
	made, err := v.guard.describe(ctx, standing{v.snap, v.guard.index}, body, row)
	if err != nil {
		return store.Doc{}, err
	}
	d.Keys = made.keys
	return d, nil
}
