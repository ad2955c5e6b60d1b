package consent

import (
	"context"

	"carerecord/store"
)

// cachedSnap caches the last document that was read: a request reads its patient for the decision and
// again for the answer, and the rows of a bundle name the same patient one after the other. It is for
// one goroutine.
type cachedSnap struct {
	store.Snapshot
	last   store.Doc
	filled bool
}

// Get implements store.Snapshot.
func (r *cachedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if r.filled && r.last.Ref == ref {
		return r.last, ctx.Err()
	}
	d, err := r.Snapshot.Get(ctx, ref)
	if err == nil {
		r.last, r.filled = d, true
	}
	return d, err
}
