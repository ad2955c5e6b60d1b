package storetest

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/store"
)

// snap is a snapshot of the documents during Read.
type snap struct {
	*documents
	ended bool
}

func (s *snap) check(ctx context.Context) error {
	if s.ended {
		panic("storetest: snapshot used after Read has ended")
	}
	return ctx.Err()
}

// Tracker implements store.Snapshot. It returns nil: no snapshot has to be confirmed.
func (s *snap) Tracker() *store.CommitTracker { return nil }

// Get implements store.Snapshot.
func (s *snap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.Version(ctx, ref, uint64(len(s.versions[ref])))
}

// All implements store.Snapshot.
func (s *snap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return store.GetEach(ctx, refs, s.Get)
}

// Version implements store.Snapshot.
func (s *snap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if err := s.check(ctx); err != nil {
		return store.Doc{}, err
	}
	all := s.versions[ref]
	if version == 0 || version > uint64(len(all)) || all[version-1].Version == 0 {
		return store.Doc{}, fmt.Errorf("version %d of %s: %w", version, ref, store.ErrNotFound)
	}
	return all[version-1], nil
}

// Scan implements store.Snapshot.
func (s *snap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := s.check(ctx); err != nil {
			yield(store.Doc{}, err)
			return
		}
		if _, ok := store.CrossTypeKey(q.Where); q.Type == "" && !ok {
			yield(store.Doc{}, store.ErrNeedsCrossTypeKey)
			return
		}
		docs := slices.DeleteFunc(s.liveOf(q.Type), func(d store.Doc) bool {
			return q.After != nil && d.RowID.Compare(*q.After) <= 0 || q.Partitions != nil && !slices.Contains(q.Partitions, d.RowID.Partition) || !store.Match(q.Where, d.Keys)
		})
		slices.SortFunc(docs, func(a, b store.Doc) int { return a.RowID.Compare(b.RowID) })
		s.yieldDocs(ctx, docs, q.KeysOnly, yield)
	}
}

// Count implements store.Snapshot.
func (s *snap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	n := 0
	for _, err := range s.Scan(ctx, q) {
		if err != nil {
			return 0, err
		}
		n++
		if n == max {
			break
		}
	}
	return n, nil
}

// History implements store.Snapshot.
func (s *snap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if err := s.check(ctx); err != nil {
			yield(store.Doc{}, err)
			return
		}
		var docs []store.Doc
		for ref, all := range s.versions {
			if ref.Type != q.Type || q.ID != "" && ref.ID != q.ID {
				continue
			}
			for _, d := range all {
				if d.Version == 0 || d.Updated.Before(q.Since) ||
					q.Before != nil && store.CompareMarks(d.HistoryMark(), *q.Before) <= 0 ||
					q.Where != nil && !store.Match(q.Where, d.Keys) {
					continue
				}
				docs = append(docs, d)
			}
		}
		slices.SortFunc(docs, func(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) })
		s.yieldDocs(ctx, docs, false, yield)
	}
}

func (s *snap) yieldDocs(ctx context.Context, docs []store.Doc, keysOnly bool, yield func(store.Doc, error) bool) {
	for _, d := range docs {
		if err := s.check(ctx); err != nil {
			yield(store.Doc{}, err)
			return
		}
		if keysOnly {
			d.Body = nil
		}
		if !yield(d, nil) {
			return
		}
	}
}
