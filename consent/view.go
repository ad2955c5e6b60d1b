package consent

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"carerecord/fhir/index"
	"carerecord/store"
)

// View is the store as one Principal sees it, in one snapshot: the read methods
// of store.Snap over projected documents. What is hidden is not there, and what
// is cut is gone from body and keys. It is for one goroutine and ends with the
// function it was given to.
type View struct {
	guard  *Guard
	snap   store.Snap
	grant  *Grant
	failed error     // the store did not answer in the middle of a predicate
	until  time.Time // where histories of more than one resource end; zero for no bound
}

// Grant returns the decision that the View stands on.
func (v *View) Grant() *Grant { return v.grant }

// Index returns the indexer of the keys.
func (v *View) Index() *index.Indexer { return v.guard.index }

// Signals returns the patient whom the request names, and whether the requester
// must be told that something of that record is withheld (S2, CON-1103). The
// other signal, S1, is a Refusal.
func (v *View) Signals() (patient string, withheld bool) {
	return v.grant.patient, v.grant.withheld
}

// Get returns the newest version of a document, a tombstone included, or
// store.ErrNotFound for what never was and for what is hidden.
func (v *View) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	d, err := v.snap.Get(ctx, ref)
	if err != nil {
		return store.Doc{}, err
	}
	return v.show(ctx, d, d)
}

// show projects a version, or hides it.
func (v *View) show(ctx context.Context, d, newest store.Doc) (store.Doc, error) {
	d, err := v.asOfNow(ctx, d, newest)
	if err == nil {
		d, err = v.project(d)
	}
	if err != nil {
		return store.Doc{}, err
	}
	if !store.Match(v.grant.Where(d.Ref.Type), d.Keys) {
		return store.Doc{}, store.ErrNotFound
	}
	return d, v.failed
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

// Scan yields the live documents that match and are visible, in the order of
// the store.
func (v *View) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	if v.projects() {
		return v.scanProjected(ctx, q)
	}
	q.Where = store.And{q.Where, v.grant.Where(q.Type)}
	return func(yield func(store.Doc, error) bool) {
		for d, err := range v.snap.Scan(ctx, q) {
			if err == nil {
				err = v.failed
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// scanProjected proposes from stored keys what the projection may match, then
// projects, keys and matches each candidate (CON-1207). A cut takes values away
// and adds none, so a positive part of the question that stored keys do not
// answer cannot be answered by the projection either.
func (v *View) scanProjected(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	where := store.And{q.Where, v.grant.Where(q.Type)}
	q.Where = store.And{positive(q.Where), v.grant.Where(q.Type)}
	keysOnly := q.KeysOnly
	q.KeysOnly = false
	return func(yield func(store.Doc, error) bool) {
		for d, err := range v.snap.Scan(ctx, q) {
			if err == nil {
				d, err = v.project(d)
			}
			if err == nil && !store.Match(where, d.Keys) {
				continue
			}
			if keysOnly {
				d.Body = nil
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// positive is what a predicate demands that a cut cannot bring about: its
// negations become "always".
func positive(p store.Pred) store.Pred {
	switch p := p.(type) {
	case store.And:
		out := make(store.And, 0, len(p))
		for _, q := range p {
			out = append(out, positive(q))
		}
		return out
	case store.Or:
		out := make(store.Or, 0, len(p))
		for _, q := range p {
			out = append(out, positive(q))
		}
		return out
	case store.Not:
		return everything
	}
	return p
}

// Count returns how many documents Scan would yield, at most max when max > 0.
func (v *View) Count(ctx context.Context, q store.Query, max int) (int, error) {
	if v.projects() {
		n := 0
		for _, err := range v.scanProjected(ctx, q) {
			if err != nil {
				return 0, err
			}
			if n++; max > 0 && n == max {
				break
			}
		}
		return n, nil
	}
	q.Where = store.And{q.Where, v.grant.Where(q.Type)}
	n, err := v.snap.Count(ctx, q, max)
	return n, errors.Join(err, v.failed)
}

// History yields visible versions, newest first. A version is judged by its own
// body and by the newest version, and projected. A history of a type ends at the
// lowest instant of a commit under way (REST-208).
func (v *View) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		newest := map[store.Ref]*store.Doc{} // nil for hidden
		for d, err := range v.snap.History(ctx, q) {
			if err == nil && q.ID == "" && !v.until.IsZero() && d.Updated.After(v.until) {
				continue
			}
			if err == nil {
				d, err = v.past(ctx, d, newest)
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

// past shows one version of a history.
func (v *View) past(ctx context.Context, d store.Doc, known map[store.Ref]*store.Doc) (store.Doc, error) {
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
	if newest == nil {
		return store.Doc{}, store.ErrNotFound
	}
	return v.show(ctx, d, *newest)
}
