package consent

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
	failed error // the store did not answer in the middle of a predicate
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
	return v.show(d)
}

// show projects a document, or hides it.
func (v *View) show(d store.Doc) (store.Doc, error) {
	d, err := v.project(d)
	if err != nil {
		return store.Doc{}, err
	}
	if !store.Match(v.grant.Where(d.Ref.Type), d.Keys) {
		return store.Doc{}, store.ErrNotFound
	}
	return d, v.failed
}

// Version returns one version, judged by its own keys and by those of the
// newest (VIS-005), or store.ErrNotFound.
func (v *View) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if _, err := v.Get(ctx, ref); err != nil {
		return store.Doc{}, err
	}
	d, err := v.snap.Version(ctx, ref, version)
	if err != nil {
		return store.Doc{}, err
	}
	return v.show(d)
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
// keys and by those of the newest version, and projected.
func (v *View) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	guard := v.grant.Where(q.Type)
	q.Where = guard
	return func(yield func(store.Doc, error) bool) {
		shown := map[store.Ref]bool{}
		for d, err := range v.snap.History(ctx, q) {
			if err == nil {
				err = v.failed
			}
			if err == nil {
				var ok bool
				if ok, err = v.newestShown(ctx, d.Ref, guard, shown); err == nil && !ok {
					continue
				}
			}
			if err == nil {
				d, err = v.project(d)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

func (v *View) newestShown(ctx context.Context, ref store.Ref, guard store.Pred, shown map[store.Ref]bool) (bool, error) {
	if ok, known := shown[ref]; known {
		return ok, nil
	}
	d, err := v.snap.Get(ctx, ref)
	if err != nil {
		return false, fmt.Errorf("newest version of %s: %w", ref, err)
	}
	shown[ref] = store.Match(guard, d.Keys)
	return shown[ref], nil
}
