package consent

import (
	"context"
	"errors"
	"iter"

	"carerecord/store"
)

// cachedSnap caches the last document and the last version that were read, also that there is none: a request reads its patient for
// the decision and again for the answer, and the rows of a bundle name the same patient one after the other. It counts the reads
// of the store. It is for one goroutine.
type cachedSnap struct {
	store.Snapshot
	newest, version cachedDoc
	reads           reads
}

// reads counts calls of a snapshot.
type reads struct{ gets, versions, scans int }

// cachedDoc is the answer of one read.
type cachedDoc struct {
	ref     store.Ref
	version uint64 // that was asked for
	doc     store.Doc
	absent  bool
	filled  bool
}

// answer returns the answer, if it is that of a document or of one version of it.
func (c *cachedDoc) answer(ctx context.Context, ref store.Ref, version uint64) (d store.Doc, err error, known bool) {
	switch {
	case !c.filled || c.ref != ref || c.version != version:
		return store.Doc{}, nil, false
	case ctx.Err() == nil && c.absent:
		return store.Doc{}, store.ErrNotFound, true
	}
	return c.doc, ctx.Err(), true
}

// keep keeps an answer unless the read failed.
func (c *cachedDoc) keep(ref store.Ref, version uint64, d store.Doc, err error) {
	if absent := errors.Is(err, store.ErrNotFound); err == nil || absent {
		*c = cachedDoc{ref, version, d, absent, true}
	}
}

// Get implements store.Snapshot.
func (r *cachedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if d, err, known := r.newest.answer(ctx, ref, 0); known {
		return d, err
	}
	r.reads.gets++
	d, err := r.Snapshot.Get(ctx, ref)
	r.newest.keep(ref, 0, d, err)
	return d, err
}

// Version implements store.Snapshot.
func (r *cachedSnap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if d, err, known := r.version.answer(ctx, ref, version); known {
		return d, err
	}
	r.reads.versions++
	d, err := r.Snapshot.Version(ctx, ref, version)
	r.version.keep(ref, version, d, err)
	return d, err
}

// Scan implements store.Snapshot.
func (r *cachedSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	r.reads.scans++
	return r.Snapshot.Scan(ctx, q)
}
