package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"carerecord/store"
)

// consumersDuringWrites runs two consumers of the feed during concurrent writes, some of which conflict.
func consumersDuringWrites(k *kit) {
	var mu sync.Mutex
	acknowledged := map[uint64]store.Change{}
	feed := k.feedEnd().FeedID
	ctx, stop := context.WithCancel(k.Context())
	defer stop()
	var consumers, writers sync.WaitGroup
	seen := make([][]store.Change, 2)
	for i := range seen {
		consumers.Go(func() { seen[i] = k.consumeFeed(ctx, rand.New(rand.NewPCG(uint64(i), 5))) })
	}
	for w := range 8 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 4))
			for n := range max(k.subject.racers()/10, 10) {
				docs := k.randomWrites(rng, fmt.Sprint(w, "-", n))
				seq, err := k.Commit(k.Context(), batchOf(docs...))
				if errors.Is(err, store.ErrConflict) {
					continue
				}
				if err != nil {
					k.Errorf("commit: %v", err)
					return
				}
				c := store.Change{At: store.Position{FeedID: feed, Seq: seq}}
				for _, d := range docs {
					c.Versions = append(c.Versions, store.VersionID{Ref: d.Ref, Version: d.Version})
				}
				slices.SortFunc(c.Versions, store.CompareVersions)
				mu.Lock()
				acknowledged[seq] = c
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	stop()
	consumers.Wait()
	var want []store.Change
	for _, c := range acknowledged {
		want = append(want, c)
	}
	slices.SortFunc(want, func(a, b store.Change) int { return int(a.At.Seq) - int(b.At.Seq) })
	for i, all := range seen {
		var from store.Position
		if len(all) > 0 {
			from = all[len(all)-1].At
		}
		if d := diff(append(all, k.readFeed(from, 100)...), want); d != "" {
			k.Errorf("consumer %d (-got +want):\n%s", i, d)
		}
	}
	k.wantChanges(store.Position{}, want...)
}

// randomWrites returns a new document, often with the next version of a document that other writers
// write too.
func (k *kit) randomWrites(rng *rand.Rand, id string) []store.Doc {
	docs := []store.Doc{observation("new"+id, rng.Uint64()>>1)}
	if rng.IntN(3) == 0 {
		return docs
	}
	shared := fmt.Sprint("shared", rng.IntN(4))
	d, err := k.get(shared)
	switch {
	case errors.Is(err, store.ErrNotFound):
		d = observation(shared, 1<<63|rng.Uint64(), "k")
	case err != nil:
		k.Errorf("get: %v", err)
	case !d.Deleted() && rng.IntN(4) == 0:
		d = nextVersion(d, store.Deleted)
	case d.Deleted():
		d = nextVersion(d, store.Upserted)
		d.Body = []byte("back")
	default:
		d = nextVersion(d, store.Updated)
	}
	return append(docs, d)
}

// consumeFeed reads the feed until ctx ends and returns the changes. Sometimes it reads a part again
// and compares it.
func (k *kit) consumeFeed(ctx context.Context, rng *rand.Rand) (seen []store.Change) {
	var at store.Position
	for {
		if err := k.Await(ctx, at); err != nil {
			if ctx.Err() == nil {
				k.Errorf("await: %v", err)
			}
			return seen
		}
		page, err := k.Changes(k.Context(), at, 1+rng.IntN(5))
		if err != nil || len(page) == 0 {
			k.Errorf("changes after %v: got %d, %v, although await returned", at, len(page), err)
			return seen
		}
		for _, c := range page {
			if c.At.Seq <= at.Seq {
				k.Errorf("commit %d follows %d", c.At.Seq, at.Seq)
			}
			at = c.At
		}
		seen = append(seen, page...)
		k.wantReadable(page[len(page)-1])
		if rng.IntN(4) > 0 {
			continue
		}
		from := rng.IntN(len(seen))
		again, err := k.Changes(k.Context(), seen[from].At, 10)
		n := min(len(again), len(seen)-from-1)
		if d := diff(again[:n], seen[from+1:from+1+n]); err != nil || d != "" {
			k.Errorf("after %v, read again: %v (-got +want):\n%s", seen[from].At, err, d)
		}
	}
}

// wantReadable fails the test unless all listed versions can be read.
func (k *kit) wantReadable(c store.Change) {
	err := k.Read(k.Context(), func(s store.Snapshot) error {
		for _, v := range c.Versions {
			if d, err := s.Version(k.Context(), v.Ref, v.Version); err != nil || d.Seq != c.At.Seq {
				return fmt.Errorf("version %d of %s, of commit %d: got one of commit %d, %w", v.Version, v.Ref, c.At.Seq, d.Seq, err)
			}
		}
		return nil
	})
	if err != nil {
		k.Errorf("the feed lists a version that cannot be read: %v", err)
	}
}
