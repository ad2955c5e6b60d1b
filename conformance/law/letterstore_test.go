package law_test

import (
	"context"
	"iter"

	"carerecord/store"
)

// byLetterStore is a visible part whose rows depend on how they are read: Store has the rows of searches, named those of which
// others know the address, and addressed those that a request may address.
type byLetterStore struct {
	store.Store
	named, addressed store.Store
}

// Read calls f with a snapshot of the three stores.
func (s byLetterStore) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return s.Store.Read(ctx, func(searched store.Snapshot) error {
		return s.named.Read(ctx, func(named store.Snapshot) error {
			return s.addressed.Read(ctx, func(addressed store.Snapshot) error {
				return f(byLetterSnapshot{searched, named, addressed})
			})
		})
	})
}

// byLetterSnapshot is a snapshot of a byLetterStore.
type byLetterSnapshot struct {
	store.Snapshot
	named, addressed store.Snapshot
}

func (s byLetterSnapshot) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.addressed.Get(ctx, ref)
}

func (s byLetterSnapshot) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	return s.addressed.Version(ctx, ref, version)
}

func (s byLetterSnapshot) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.named.All(ctx, refs)
}
