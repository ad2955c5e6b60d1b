package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// versionReader is the Reader for the keys of one version: identifiers of older versions do not count.
type versionReader struct{ facts.Snapshot }

func (versionReader) FormerIdentifiers(context.Context, store.Doc) ([]string, error) { return nil, nil }

// withCurrentKeys rekeys a version that is not the newest live one: its owners follow from the documents
// that exist now, not from those at the time of its commit (CON-406). The keys of newest live versions are
// up to date. A tombstone has the keys of the version before it.
func (v *View) withCurrentKeys(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	if kind := v.grant.principal.Kind; kind == System || kind == SourceSystem {
		return d, nil // their predicates use nothing that changes
	}
	//law:version-keys
	if !d.Deleted() && d.Version == newest.Version {
		return d, nil
	}
	body := d
	if d.Deleted() {
		var err error
		if body, err = v.guard.keyer.Snapshot(v.snap).BeforeDeletion(ctx, d); err != nil {
			return store.Doc{}, err
		}
	}
	row, err := v.guard.keyer.Extract(body)
	if err != nil {
		return store.Doc{}, err
	}
	made, err := v.guard.keyer.Describe(ctx, versionReader{v.guard.keyer.Snapshot(v.snap)}, body, row)
	if err != nil {
		return store.Doc{}, err
	}
	d.Keys = facts.MarkKeys(made.Keys, made.RowID.Partition, true) // the projection looks up references
	if d.Ref.Type == "Patient" && newest.Deleted() {               // the register does not contain deleted Patients
		for _, name := range facts.NamesBorne(newest) {
			d.Keys = append(d.Keys, index.AboutKey(name))
		}
		d.Keys = store.Sorted(d.Keys)
	}
	return d, nil
}

// Superseded returns the instant of the next visible version after one that the View shows, or the zero
// time if there is none.
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
