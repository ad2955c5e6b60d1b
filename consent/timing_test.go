package consent_test

import (
	"context"
	"iter"

	"carerecord/store"
)

// countingStore is a store that counts its queries and calls hooks.
type countingStore struct {
	store.Store
	gets, counts, docs, writes int
	onCount                    func() // called once, at the next Count
}

// work returns the count since the last call.
func (l *countingStore) work() int {
	n := l.gets + l.counts + l.docs + l.writes
	l.gets, l.counts, l.docs, l.writes = 0, 0, 0, 0
	return n
}

// Read implements store.Store.
func (l *countingStore) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return l.Store.Read(ctx, func(s store.Snapshot) error { return f(countingSnap{s, l}) })
}

// Commit implements store.Store.
func (l *countingStore) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	l.writes += len(b.Writes) + len(b.Checks) + len(b.Absent)
	return l.Store.Commit(ctx, b)
}

type countingSnap struct {
	store.Snapshot
	of *countingStore
}

// Get implements store.Snapshot.
func (s countingSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	s.of.gets++
	return s.Snapshot.Get(ctx, ref)
}

// Version implements store.Snapshot.
func (s countingSnap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	s.of.gets++
	return s.Snapshot.Version(ctx, ref, version)
}

// Count implements store.Snapshot.
func (s countingSnap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	s.of.counts++
	if hook := s.of.onCount; hook != nil {
		s.of.onCount = nil
		hook()
	}
	return s.Snapshot.Count(ctx, q, max)
}

// All implements store.Snapshot.
func (s countingSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.counted(s.Snapshot.All(ctx, refs))
}

// Scan implements store.Snapshot.
func (s countingSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.counted(s.Snapshot.Scan(ctx, q))
}

// History implements store.Snapshot.
func (s countingSnap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return s.counted(s.Snapshot.History(ctx, q))
}

func (s countingSnap) counted(seq iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	s.of.counts++
	return func(yield func(store.Doc, error) bool) {
		for d, err := range seq {
			s.of.docs++
			if !yield(d, err) {
				return
			}
		}
	}
}
