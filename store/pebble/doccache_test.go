package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"carerecord/store"
)

// pair are documents that are written together: a reader that sees different versions has seen a
// state that never existed.
func pair(n int, version uint64) store.Batch {
	a, b := benchDoc(2*n), benchDoc(2*n+1)
	for _, d := range []*store.Doc{&a, &b} {
		d.Version = version
		d.Body = fmt.Appendf(nil, "%s of version %d", d.Ref, version)
		if version > 1 {
			d.Origin = store.Updated
		}
	}
	return batchOf(a, b)
}

// TestRecentReadsOneState reads pairs while they are written: in one snapshot both have one
// version, the same in every read, and not older than one acknowledged before the snapshot was
// taken.
func TestRecentReadsOneState(t *testing.T) {
	const pairs, versions, readers = 4, 150, 6
	db := open(t, t.TempDir(), nil)
	ctx := context.Background()
	var mu sync.Mutex
	acknowledged := make([]uint64, pairs)
	stood := func(n int) uint64 {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged[n]
	}
	look := func(n int, least uint64) func(store.Snapshot) error {
		return func(s store.Snapshot) error {
			var first uint64
			for look := range 6 {
				d, err := s.Get(ctx, benchDoc(2*n+look%2).Ref)
				if errors.Is(err, store.ErrNotFound) {
					d.Version, err = 0, nil
				}
				if look == 0 {
					first = d.Version
				}
				switch {
				case err != nil:
					return err
				case d.Version != first || d.Version < least:
					return fmt.Errorf("look %d: version %d, and %d a moment before; %d was acknowledged", look, d.Version, first, least)
				case d.Version > 0 && string(d.Body) != fmt.Sprintf("%s of version %d", d.Ref, d.Version):
					return fmt.Errorf("version %d has the body %q", d.Version, d.Body)
				}
			}
			return nil
		}
	}
	done := make(chan struct{})
	var writing, reading sync.WaitGroup
	for n := range pairs {
		writing.Go(func() {
			for v := uint64(1); v <= versions; v++ {
				if _, err := db.Commit(ctx, pair(n, v)); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acknowledged[n] = v
				mu.Unlock()
			}
		})
	}
	looks := make([]int, readers)
	for r := range readers {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				n := rand.IntN(pairs)
				if err := db.Read(ctx, look(n, stood(n))); err != nil {
					t.Errorf("pair %d: %v", n, err)
					return
				}
				looks[r]++
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	t.Logf("%v snapshots looked into", looks)
}

// TestRecentIsForItsSnapshots tests the rules one by one.
func TestRecentIsForItsSnapshots(t *testing.T) {
	r, err := newDocCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	d := benchDoc(1)
	has := func(at uint64, want bool) {
		t.Helper()
		if got, ok := r.get(d.Ref, at); ok != want || ok && got.Ref != d.Ref {
			t.Errorf("for a snapshot at %d: got %v, want %v", at, ok, want)
		}
	}
	has(9, false)
	r.put(d, 7)
	has(6, false) // it may be from a commit that the snapshot does not have
	has(7, true)
	has(9, true)
	r.invalidate(d.Ref, 10)
	has(12, false)
	r.put(d, 9) // read before commit 10, or while it was applied
	has(12, false)
	r.put(d, 10)
	has(10, true)
	large := benchDoc(2)
	large.Body = make([]byte, 1<<20)
	r.put(large, 20)
	if _, ok := r.get(large.Ref, 20); ok {
		t.Error("a document is kept that is larger than its shelf")
	}
}

// TestRecentIsBounded adds many times the capacity.
func TestRecentIsBounded(t *testing.T) {
	r, err := newDocCache(512 << 10)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for n := range 3000 {
		d := benchDoc(n)
		r.put(d, 1)
		r.put(d, 2) // it is cached already
	}
	for i := range r.shards {
		s := &r.shards[i]
		if s.size > s.capacity || s.size < 0 {
			t.Errorf("shelf %d takes %d bytes of %d", i, s.size, s.capacity)
		}
		held += s.docs.Len()
		for _, ref := range s.docs.Keys() {
			r.invalidate(ref, 3)
		}
		if s.size != 0 {
			t.Errorf("shelf %d is empty and takes %d bytes", i, s.size)
		}
	}
	if held == 0 {
		t.Error("nothing is kept")
	}
	none, err := newDocCache(0)
	if err != nil {
		t.Fatal(err)
	}
	none.put(benchDoc(1), 1)
	if _, ok := none.get(benchDoc(1).Ref, 1); ok {
		t.Error("without room something is kept")
	}
}
