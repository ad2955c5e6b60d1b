package pebble

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"carerecord/store"
)

// TestReadsShareASnapshot: reads between two commits share one, a read after a commit has
// another, and none stays open.
func TestReadsShareASnapshot(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	put := func(n int) {
		t.Helper()
		if _, err := db.Commit(t.Context(), batchOf(benchDoc(n))); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int) func(store.Snapshot) error {
		return func(s store.Snapshot) error {
			if n, err := s.Count(t.Context(), store.Query{Type: "Observation", Where: store.And{}}, 0); err != nil || n != want {
				t.Errorf("got %d documents and %v, want %d", n, err, want)
			}
			return nil
		}
	}
	read := func(f func(store.Snapshot) error) {
		t.Helper()
		if err := db.Read(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	put(1)
	var first, again *sharedSnapshot
	read(func(s store.Snapshot) error {
		first = db.snapshots.newest
		read(func(store.Snapshot) error { again = db.snapshots.newest; return nil })
		if again != first || first.refs != 1 {
			t.Errorf("a second read did not share the snapshot of the first, or kept it: %d users", first.refs)
		}
		put(2)
		read(count(2))
		if db.snapshots.newest == first {
			t.Error("a read after a commit shares the snapshot of before")
		}
		return count(1)(s) // the first continues in its own
	})
	if first.refs != 0 || db.snapshots.newest.refs != 0 {
		t.Errorf("got %d and %d users of snapshots that nobody reads", first.refs, db.snapshots.newest.refs)
	}
	if _, err := db.Append(t.Context(), []byte("a record")); err != nil {
		t.Fatal(err)
	}
	kept := db.snapshots.newest
	read(count(2))
	if db.snapshots.newest != kept {
		t.Error("a record of the log ended the snapshot, which holds documents")
	}
	if err := db.Close(); err != nil {
		t.Errorf("a snapshot was left open: %v", err)
	}
}

// TestReadHoldsWhatWasAcknowledged reads during writes: each writer reads its own last write.
func TestReadHoldsWhatWasAcknowledged(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := range 50 {
				d := benchDoc(w*1000 + n)
				_, err := db.Commit(context.Background(), batchOf(d))
				if err == nil {
					err = db.Read(context.Background(), func(s store.Snapshot) error {
						got, err := s.Get(context.Background(), d.Ref)
						if err == nil && got.Version != 1 {
							err = fmt.Errorf("version %d", got.Version)
						}
						return err
					})
				}
				if err != nil {
					t.Errorf("after an acknowledged write: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
