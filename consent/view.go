package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"carerecord/consent/facts"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// View is the store as one Principal sees it, in one snapshot: the read methods of store.Snapshot over
// projected documents. Hidden documents are omitted, and cut elements are missing in bodies and
// keys. It is for one goroutine and ends with the function that it was passed to.
type View struct {
	guard       *Guard
	index       *index.Indexer
	snap        *cachedSnap
	grant       *Grant
	failed      *error              // the first error of a predicate's reads
	committed   bool                // a commit was made
	permissions string              // one of these is needed on every type; empty for none
	historyEnd  time.Time           // histories of more than one resource end here (inFlightCommits.historyEnd)
	epoch       uint64              // of the backlog, before the snapshot was taken
	labelled    *facts.LabelledRows // of the snapshot
	persons     personCache         // of the snapshot and the decision
	groups      map[string][]string // answers of GroupOf
}

// WithPermission returns the View for a part of a query that needs one of some permissions on the
// types that it reads: "s" for rows that are searched, joined or refer to a row, "rs" for rows that
// a row refers to (SMART-270 to 283, 295). Types without them are as if they had no documents. A
// View begins with the permission of its request; one for writing begins with none.
func (v *View) WithPermission(permissions string) *View {
	out := *v
	out.permissions = permissions
	return &out
}

// where matches the documents of a type that the View shows.
func (v *View) where(typ string) store.Pred {
	//law:type-permission
	switch {
	case v.permissions != "" && !v.grant.May(typ, v.permissions) && !(v.grant.readsFHIRUser && typ == v.grant.principal.FHIRUser.Type):
		return nothing
	case !v.grant.rules.permit(typ, permissionOrder): // also for writes
		return nothing
	}
	return v.grant.whereDecided(typ)
}

// Grant returns the decision of the View.
func (v *View) Grant() *Grant { return v.grant }

// Index returns the indexer of the keys.
func (v *View) Index() *index.Indexer { return v.index }

// WithIndexer returns the View for a query that was planned by another Indexer of this record
// (index.Pinned), with the search parameters of that Indexer.
func (v *View) WithIndexer(x *index.Indexer) *View {
	out := *v
	out.index = x
	return &out
}

// StoredTypes returns the types of which the store has, or once had, documents, sorted. No other
// type needs to be queried. It does not depend on the Grant. Callers must not change it.
func (v *View) StoredTypes() []string { return v.guard.catalog.storedTypes() }

// OwnRefused reports whether a refusal keeps the record of the patient who asks from others now: the regional opt-out, or any other
// directive of step 8. It is false for everybody but a patient.
func (v *View) OwnRefused() bool {
	p := v.grant.principal
	if p.Kind != Patient {
		return false
	}
	names := slices.Clone(v.grant.own.group)
	if digits, ok := fhir.CleanNHSNumber(p.Number); ok {
		names = append(names, facts.IdentifierName(fhir.NHSNumberSystem, digits))
	}
	return slices.ContainsFunc(names, func(name string) bool { return v.grant.sets.OptedOut.Has(name) || v.grant.sets.Denied.Has(name) })
}

// WithheldNotice returns the patient whom the request names, and whether the requester must be told
// that rows of that record are withheld (signal S2, CON-1103). Signal S1 is a Refusal.
func (v *View) WithheldNotice() (patient string, withheld bool) {
	return v.grant.patient, v.grant.withheld
}

// checkUsable returns the error that ends all reads: the deadline has passed, the client has
// disconnected, or a read of a predicate failed. Every loop over documents checks it for each.
func (v *View) checkUsable(ctx context.Context) error { return cmp.Or(ctx.Err(), *v.failed) }

// Get returns the newest version of a document, tombstones included, or store.ErrNotFound for an
// absent and for a hidden one.
func (v *View) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if err := v.checkUsable(ctx); err != nil {
		return store.Doc{}, err
	}
	before := v.snap.reads
	d, err := v.snap.Get(ctx, ref)
	if err == nil {
		d, err = v.show(ctx, d, d)
	}
	if err != nil {
		return store.Doc{}, v.sameReads(ctx, ref.Type, before, err)
	}
	return d, nil
}

// All yields the visible live ones of some documents, each once, in the order of the store.
func (v *View) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range v.snap.All(ctx, refs) {
			if err == nil {
				err = v.checkUsable(ctx)
			}
			if err == nil {
				d, err = v.show(ctx, d, d)
			}
			if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// show projects a version, or returns store.ErrNotFound. A rule about the newest version applies to
// the older ones too (VIS-005).
func (v *View) show(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	d, err := v.withCurrentKeys(ctx, d, newest)
	if err != nil {
		return store.Doc{}, err
	}
	if !store.Match(v.where(d.Ref.Type), d.Keys) {
		return store.Doc{}, store.ErrNotFound
	}
	if visible, err := v.binaryVisible(ctx, d); err != nil || !visible {
		return store.Doc{}, cmp.Or(err, store.ErrNotFound)
	}
	if permitted, err := v.deletedInScope(ctx, d); err != nil || !permitted {
		return store.Doc{}, cmp.Or(err, store.ErrNotFound)
	}
	now := d
	if d.Version != newest.Version {
		if now, err = v.withCurrentKeys(ctx, newest, newest); err != nil {
			return store.Doc{}, err
		}
	}
	if d, err = v.project(ctx, d, now.Keys); err != nil {
		return store.Doc{}, err
	}
	//law:scope-shown
	if permitted, err := v.inScope(ctx, d, now); err != nil || !permitted {
		return store.Doc{}, cmp.Or(err, store.ErrNotFound)
	}
	return d, v.checkUsable(ctx)
}

// Version returns one version, decided by its own body and by the newest version (VIS-005), or
// store.ErrNotFound.
func (v *View) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	before := v.snap.reads
	newest, err := v.snap.Get(ctx, ref)
	if err == nil {
		_, err = v.show(ctx, newest, newest)
	}
	var d store.Doc
	if err == nil {
		d, err = v.snap.Version(ctx, ref, version)
	}
	if err == nil {
		d, err = v.show(ctx, d, newest)
	}
	if err != nil {
		return store.Doc{}, v.sameReads(ctx, ref.Type, before, err)
	}
	return d, nil
}

// History yields visible versions, newest first, projected. A version is decided by its own body and
// by the newest version. The history of a type ends at the earliest instant of an in-flight commit
// (REST-208).
func (v *View) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		newest := map[store.Ref]*store.Doc{} // nil for a hidden one
		for d, err := range v.snap.History(ctx, q) {
			if err == nil {
				err = v.checkUsable(ctx)
			}
			if err == nil && q.ID == "" && d.Updated.After(v.historyEnd) {
				continue
			}
			if err == nil {
				d, err = v.showVersion(ctx, d, newest)
			}
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// showVersion returns one version of a history. known caches the newest versions.
func (v *View) showVersion(ctx context.Context, d store.Doc, known map[store.Ref]*store.Doc) (store.Doc, error) {
	newest, cached := known[d.Ref]
	if !cached {
		n, err := v.snap.Get(ctx, d.Ref)
		if errors.Is(err, store.ErrNotFound) { // a version without a newest one is damage, not absence
			err = fmt.Errorf("%v: %w", err, store.ErrUnavailable)
		}
		if err != nil {
			return store.Doc{}, fmt.Errorf("newest version of %s: %w", d.Ref, err)
		}
		if _, err := v.show(ctx, n, n); err == nil {
			newest = &n
		} else if !errors.Is(err, store.ErrNotFound) {
			return store.Doc{}, err
		}
		known[d.Ref] = newest
	}
	//law:version-shown
	if newest == nil {
		return store.Doc{}, store.ErrNotFound
	}
	return v.show(ctx, d, *newest)
}
