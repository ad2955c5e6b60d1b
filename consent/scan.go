package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"carerecord/store"
)

// Scan yields the visible live documents that match, in the order of the store. Documents that may
// be cut match by the keys of their projection.
func (v *View) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	if v.cutsElements() || v.needsParent(q.Type) {
		return v.scanCut(ctx, q)
	}
	q = v.storeQuery(q)
	criteria, candidates := q.Where, store.Pred(nothing)
	if v.cutsBodies() {
		candidates = v.grant.cutCandidates()
	}
	if v.cutsBodies() && !v.index.Monotone(q.Type, criteria) {
		q.Where = anyOf(criteria, allOf(candidates, v.index.BeforeCut(q.Type, criteria)))
	}
	//law:view-scan
	q.Where = store.And{q.Where, v.where(q.Type)}
	return func(yield func(store.Doc, error) bool) {
		for d, err := range v.snap.Scan(ctx, q) {
			if err == nil {
				err = v.checkUsable(ctx)
			}
			if err == nil && store.Match(candidates, d.Keys) {
				if d, err = v.match(ctx, d, criteria, candidates, q.KeysOnly); errors.Is(err, store.ErrNotFound) {
					continue
				}
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// match returns the projection of a candidate if it is visible and matches the criteria, or
// store.ErrNotFound.
func (v *View) match(ctx context.Context, d store.Doc, criteria, candidates store.Pred, keysOnly bool) (store.Doc, error) {
	d, err := v.candidate(ctx, d, candidates, keysOnly)
	if err == nil && !store.Match(criteria, d.Keys) {
		err = store.ErrNotFound
	}
	if keysOnly {
		d.Body = nil
	}
	return d, err
}

// scanCut reads, by stored keys, every row whose projection may match, then projects, keys and
// matches each one that may be cut (CON-1207). Other rows are decided by their stored keys. It is one
// scan in the order of the store.
func (v *View) scanCut(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	q = v.storeQuery(q)
	criteria, keysOnly := q.Where, q.KeysOnly
	proposes := v.index.BeforeCut(q.Type, criteria)
	q.Where = store.And{proposes, v.where(q.Type)}
	candidates := v.grant.cutCandidates()
	if v.needsParent(q.Type) {
		candidates = nil
	}
	if candidates != nil {
		q.Where = store.And{q.Where, anyOf(criteria, candidates)}
	} else {
		q.KeysOnly = false
	}
	return func(yield func(store.Doc, error) bool) {
		for d, err := range v.snap.Scan(ctx, q) {
			if err == nil {
				err = v.checkUsable(ctx)
			}
			if err == nil {
				d, err = v.match(ctx, d, criteria, candidates, q.KeysOnly)
			}
			if errors.Is(err, store.ErrNotFound) {
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

// candidate projects a row if it may be cut. bare: the row came without its body, which is read
// where a cut needs it.
func (v *View) candidate(ctx context.Context, d store.Doc, candidates store.Pred, bare bool) (store.Doc, error) {
	if candidates != nil && !store.Match(candidates, d.Keys) {
		return d, *v.failed
	}
	if bare {
		whole, err := v.snap.Get(ctx, d.Ref)
		if err != nil {
			return store.Doc{}, fmt.Errorf("read a candidate: %w: %w", store.ErrUnavailable, err)
		}
		d = whole
	}
	if visible, err := v.binaryVisible(ctx, d); err != nil || !visible {
		return store.Doc{}, cmp.Or(err, store.ErrNotFound)
	}
	d, err := v.project(ctx, d, d.Keys)
	return d, errors.Join(err, *v.failed)
}

// Count returns how many documents Scan would yield, at most max where max > 0.
func (v *View) Count(ctx context.Context, q store.Query, max int) (int, error) {
	if err := v.checkUsable(ctx); err != nil {
		return 0, err
	}
	//law:scope-count
	if v.cutsElements() || v.needsParent(q.Type) {
		n := 0
		q.KeysOnly = true
		for _, err := range v.scanCut(ctx, q) {
			if err != nil {
				return 0, err
			}
			if n++; max > 0 && n == max {
				break
			}
		}
		return n, nil
	}
	if n, ok, err := v.countByComplement(ctx, q, max); ok || err != nil {
		return n, err
	}
	q = v.storeQuery(q)
	criteria := q.Where
	if v.cutsBodies() {
		q.Where = store.And{criteria, not(v.grant.cutCandidates())}
	}
	//law:view-count
	q.Where = store.And{q.Where, v.where(q.Type)}
	n, err := v.snap.Count(ctx, q, max)
	if err != nil || !v.cutsBodies() || max > 0 && n >= max {
		return n, errors.Join(err, *v.failed)
	}
	q.Where = criteria
	err = v.eachCutCandidate(ctx, q, func(_, matches bool) bool {
		if matches {
			n++
		}
		return max <= 0 || n < max
	})
	return n, errors.Join(err, *v.failed)
}

// eachCutCandidate calls f for visible documents that may be cut, with whether the stored document
// and whether its projection matches q, until f returns false. It may omit documents of which
// neither does.
func (v *View) eachCutCandidate(ctx context.Context, q store.Query, f func(whole, cut bool) bool) error {
	criteria, candidates := q.Where, v.grant.cutCandidates()
	q.Where, q.KeysOnly = store.And{candidates, v.index.BeforeCut(q.Type, criteria), v.where(q.Type)}, true
	for d, err := range v.snap.Scan(ctx, q) {
		if err == nil {
			err = v.checkUsable(ctx)
		}
		if err != nil {
			return err
		}
		_, err := v.match(ctx, d, criteria, candidates, true)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !f(store.Match(criteria, d.Keys), err == nil) {
			break
		}
	}
	return nil
}
