package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// View is the store as one Principal sees it, in one snapshot: the read methods
// of store.Snap over projected documents. What is hidden is not there, and what
// is cut is gone from body and keys. It is for one goroutine and ends with the
// function it was given to.
type View struct {
	guard       *Guard
	index       *index.Indexer
	snap        store.Snap
	grant       *Grant
	failed      *error              // the store did not answer in the middle of a predicate
	committed   bool                // a commit was made
	permissions string              // of which one is needed on what is shown; empty for none
	historyEnd  time.Time           // where histories of more than one resource end (flights.historyEnd)
	epoch       uint64              // the epoch of the backlog before the snapshot was taken
	labelled    *facts.LabelledRows // rows of the snapshot that labels hide from somebody
}

// WithPermission returns the View for a node of a question that needs one of the letters on
// the types that it asks: "s" for what is searched, joined or refers to a row,
// "rs" for what a row refers to (SMART-270 to 283, 295). What the scopes or the
// rules give none of them on is not there. A View begins with the letter of its
// request, one for writing with none.
func (v *View) WithPermission(letters string) *View {
	out := *v
	out.permissions = letters
	return &out
}

// where is the predicate of what the View shows of a type.
func (v *View) where(typ string) store.Pred {
	//law:type-permission
	switch {
	case v.permissions != "" && !v.grant.May(typ, v.permissions):
		return nothing
	case !v.grant.rules.permit(typ, permissionOrder): // nor for who writes
		return nothing
	}
	return v.grant.Where(typ)
}

// Grant returns the decision that the View stands on.
func (v *View) Grant() *Grant { return v.grant }

// Index returns the indexer of the keys.
func (v *View) Index() *index.Indexer { return v.index }

// WithIndexer returns the View for a question that was planned by an Indexer of this
// record (index.Pinned), whose search parameters it is to be answered by.
func (v *View) WithIndexer(x *index.Indexer) *View {
	out := *v
	out.index = x
	return &out
}

// StoredTypes returns the types of which the store holds documents, or once did,
// sorted: of no other need anybody ask. It says nothing of what is visible, and
// is not to be changed.
func (v *View) StoredTypes() []string { return v.guard.catalog.storedTypes() }

// WithheldNotice returns the patient whom the request names, and whether the requester
// must be told that something of that record is withheld (S2, CON-1103). The
// other signal, S1, is a Refusal.
func (v *View) WithheldNotice() (patient string, withheld bool) {
	return v.grant.patient, v.grant.withheld
}

// checkUsable returns the error that ends all reading: the deadline has passed, the client
// has hung up, or the store failed in the middle of a predicate. Every loop over
// documents tests it for each, whatever the engine does.
func (v *View) checkUsable(ctx context.Context) error { return cmp.Or(ctx.Err(), *v.failed) }

// Get returns the newest version of a document, a tombstone included, or
// store.ErrNotFound for what never was and for what is hidden.
func (v *View) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if err := v.checkUsable(ctx); err != nil {
		return store.Doc{}, err
	}
	d, err := v.snap.Get(ctx, ref)
	if err != nil {
		return store.Doc{}, err
	}
	return v.show(ctx, d, d)
}

// All yields those of some documents that are there and alive, each once, in no order
// that would say anything.
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

// show projects a version, or hides it. What a rule says of the newest version
// holds for the older ones too (VIS-005).
func (v *View) show(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	d, err := v.withCurrentKeys(ctx, d, newest)
	if err != nil {
		return store.Doc{}, err
	}
	if !store.Match(v.where(d.Ref.Type), d.Keys) {
		return store.Doc{}, store.ErrNotFound
	}
	if led, err := v.binaryVisible(ctx, d); err != nil || !led {
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
	return d, v.checkUsable(ctx)
}

// Version returns one version, judged by its own body and by the newest version
// (VIS-005), or store.ErrNotFound.
func (v *View) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	newest, err := v.snap.Get(ctx, ref)
	if err == nil {
		_, err = v.show(ctx, newest, newest)
	}
	if err != nil {
		return store.Doc{}, err
	}
	d, err := v.snap.Version(ctx, ref, version)
	if err != nil {
		return store.Doc{}, err
	}
	return v.show(ctx, d, newest)
}

// History yields visible versions, newest first. A version is judged by its own
// body and by the newest version, and projected. A history of a type ends at the
// lowest instant of a commit under way (REST-208).
func (v *View) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		newest := map[store.Ref]*store.Doc{} // nil for hidden
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

// showVersion shows one version of a history.
func (v *View) showVersion(ctx context.Context, d store.Doc, known map[store.Ref]*store.Doc) (store.Doc, error) {
	newest, met := known[d.Ref]
	if !met {
		n, err := v.snap.Get(ctx, d.Ref)
		if errors.Is(err, store.ErrNotFound) { // a version without a newest one: nobody may take that for absence
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
