package consent

import (
	"context"

	"carerecord/store"
)

// cachedSnap remembers the document that was read last: a request asks for the
// patient whom it names when it is decided, and again when it is answered; the
// rows of a bundle ask for one patient, row after row. A snapshot does not
// change, so what is remembered is what it holds. It is for one goroutine.
type cachedSnap struct {
	store.Snap
	last   store.Doc
	filled bool
}

// Get implements store.Snap.
func (r *cachedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if r.filled && r.last.Ref == ref {
		return r.last, ctx.Err()
	}
	d, err := r.Snap.Get(ctx, ref)
	if err == nil {
		r.last, r.filled = d, true
	}
	return d, err
}
