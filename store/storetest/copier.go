package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/store"
)

// Export implements store.Copier.
func (r *Reference) Export(ctx context.Context) iter.Seq2[store.CopyItem, error] {
	r.mu.Lock()
	var parts []store.CopyItem
	for _, versions := range r.state.versions {
		for _, d := range slices.Backward(versions) {
			parts = append(parts, store.CopyItem{Doc: &d})
		}
	}
	for _, rec := range r.log {
		parts = append(parts, store.CopyItem{Record: &rec})
	}
	r.mu.Unlock()
	return func(yield func(store.CopyItem, error) bool) {
		for _, p := range parts {
			if err := ctx.Err(); err != nil {
				yield(store.CopyItem{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Import implements store.Copier.
func (r *Reference) Import(ctx context.Context, parts iter.Seq2[store.CopyItem, error]) error {
	r.mu.Lock()
	full := len(r.state.versions) > 0 || len(r.log) > 0
	r.mu.Unlock()
	if full {
		return fmt.Errorf("import: %w", store.ErrExists)
	}
	var docs []store.Doc
	for p, err := range parts {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case p.Doc != nil:
			d := *p.Doc
			d.KeyRevision = 0
			docs = append(docs, d)
		default:
			r.mu.Lock()
			r.log = append(r.log, *p.Record)
			r.mu.Unlock()
		}
	}
	r.Seed(docs)
	return r.RenewFeed(ctx)
}
