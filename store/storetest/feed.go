package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/store"
)

func feedSentences() []sentence {
	return []sentence{
		{"a feed without commits ends where it begins", func(k *kit) {
			k.wantChanges(store.Position{})
			k.wantChanges(k.feedEnd())
		}},
		{"the feed lists each commit once, in order, with all its versions and tombstones", func(k *kit) {
			want := commitAllKinds(k)
			k.wantChanges(store.Position{}, want...)
			if end, last := k.feedEnd(), want[len(want)-1].At; end != last {
				k.Errorf("the feed ends at %v, want %v, the last commit", end, last)
			}
		}},
		{"rekeys, records and values are not in the feed", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			first := k.changeOf(a)
			moved := a
			moved.RowID, moved.Keys = rowIDOf(2, 2), []store.Key{"l"}
			k.commit(store.Batch{Writes: []store.Write{{Doc: moved, Expect: 1, Rekey: true}}})
			k.commit(store.Batch{Log: [][]byte{[]byte("record")}, State: []store.StateWrite{{Key: "s", Value: []byte("v")}}})
			k.wantChanges(store.Position{}, first)
			k.wantChanges(k.feedEnd())
			a.KeyRevision = 1
			both := batchOf(nextVersion(a, store.Updated))
			b := observation("b", 3, "k")
			b = k.put(b)[0]
			moved = b
			moved.Keys = []store.Key{"m"}
			both.Writes = append(both.Writes, store.Write{Doc: moved, Expect: 1, Rekey: true})
			second := k.changeOf(b)
			third := k.changeOf(withSeq(nextVersion(a, store.Updated), k.commit(both)))
			k.wantChanges(store.Position{}, first, second, third)
		}},
		{"a failed commit is not in the feed", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			want := []store.Change{k.changeOf(a)}
			k.wantCommitError(batchOf(observation("a", 2)), store.ErrConflict)
			k.wantCommitError(batchOf(observation("b", 2), observation("a", 3)), store.ErrConflict)
			b := batchOf(observation("c", 3))
			b.Checks = []store.Check{{Ref: a.Ref, Version: 7}}
			k.wantCommitError(b, store.ErrConflict)
			b = batchOf(observation("c", 3))
			b.Absent = []store.Absent{{Type: "Observation", Where: store.Eq{Key: "k"}, Claims: []store.Key{"k"}}}
			k.wantCommitError(b, store.ErrConflict)
			k.wantChanges(store.Position{}, want...)
			want = append(want, k.changeOf(k.put(observation("d", 4))[0]))
			k.wantChanges(store.Position{}, want...)
		}},
		{"the feed continues at every position, with pages of any length", func(k *kit) {
			want := commitAllKinds(k)
			for max := 1; max <= len(want)+1; max++ {
				for i, c := range want {
					if d := diff(k.readFeed(c.At, max), want[i+1:]); d != "" {
						k.Errorf("after %v in pages of %d (-got +want):\n%s", c.At, max, d)
					}
				}
			}
		}},
		{"a position of the future or of another feed is refused", func(k *kit) {
			far, none := store.Position{FeedID: k.feedEnd().FeedID, Seq: 1 << 40}, store.Position{Seq: 1}
			k.wantUnknownPosition(far)
			k.wantUnknownPosition(none)
			commitAllKinds(k)
			k.wantUnknownPosition(far)
			k.wantUnknownPosition(none)
			k.wantUnknownPosition(store.Position{FeedID: k.feedEnd().FeedID + "x", Seq: 1})
		}},
		{"a commit of many documents is in one page", func(k *kit) {
			var docs []store.Doc
			for i := range 1200 {
				docs = append(docs, observation(fmt.Sprint("d", i), uint64(i), "k"))
			}
			docs = k.put(docs...)
			one := k.put(observation("one", 5000, "k"))[0]
			k.wantChanges(store.Position{}, k.changeOf(docs...), k.changeOf(one))
		}},
		{"Await returns at the next commit and not earlier", awaitReturnsAtNextCommit},
		{"a consumer during concurrent writes gets each commit once, in order, and no gap is filled later", consumersDuringWrites},
		{"the feed continues after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine has no durable storage")
			}
			want := commitAllKinds(k)
			reopen := func() { k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now) }
			reopen()
			k.wantChanges(store.Position{}, want...)
			for i, c := range want {
				k.wantChanges(c.At, want[i+1:]...)
			}
			want = append(want, k.changeOf(k.put(observation("new", 99))[0]))
			k.wantChanges(store.Position{}, want...)
			reopen()
			reopen()
			want = append(want, k.changeOf(k.put(observation("newer", 1000))[0]))
			k.wantChanges(want[2].At, want[3:]...)
		}},
	}
}

// withSeq returns d with a Seq.
func withSeq(d store.Doc, seq uint64) store.Doc {
	d.Seq = seq
	return d
}

// feedEnd returns the position after the last listed commit.
func (k *kit) feedEnd() store.Position {
	k.Helper()
	end, err := k.End(k.Context())
	if err != nil {
		k.Fatalf("end of the feed: %v", err)
	}
	return end
}

// changeOf returns the Change of the commit that wrote documents.
func (k *kit) changeOf(docs ...store.Doc) store.Change {
	k.Helper()
	c := store.Change{At: store.Position{FeedID: k.feedEnd().FeedID, Seq: docs[0].Seq}}
	for _, d := range docs {
		c.Versions = append(c.Versions, store.VersionID{Ref: d.Ref, Version: d.Version})
	}
	slices.SortFunc(c.Versions, store.CompareVersions)
	return c
}

// readFeed reads the feed from a position to its end.
func (k *kit) readFeed(after store.Position, max int) []store.Change {
	k.Helper()
	var all []store.Change
	for {
		page, err := k.Changes(k.Context(), after, max)
		if err != nil || len(page) > max {
			k.Fatalf("changes after %v, at most %d: got %d, %v", after, max, len(page), err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1].At
	}
}

// wantChanges fails the test unless the feed lists these commits after a position.
func (k *kit) wantChanges(after store.Position, want ...store.Change) {
	k.Helper()
	if d := diff(k.readFeed(after, 3), want); d != "" {
		k.Errorf("feed after %v (-got +want):\n%s", after, d)
	}
}

// wantUnknownPosition fails the test unless Changes and Await refuse a position.
func (k *kit) wantUnknownPosition(p store.Position) {
	k.Helper()
	page, err := k.Changes(k.Context(), p, 1)
	if len(page) > 0 || !errors.Is(err, store.ErrUnknownPosition) {
		k.Errorf("changes after %v: got %v, %v, want ErrUnknownPosition", p, page, err)
	}
	if err := k.Await(k.Context(), p); !errors.Is(err, store.ErrUnknownPosition) {
		k.Errorf("await after %v: got %v, want ErrUnknownPosition", p, err)
	}
}

// commitAllKinds makes commits of every kind and returns the expected feed.
func commitAllKinds(k *kit) (want []store.Change) {
	k.Helper()
	put := func(docs ...store.Doc) []store.Doc {
		docs = k.put(docs...)
		want = append(want, k.changeOf(docs...))
		return docs
	}
	docs := put(observation("b", 2, "k"), observation("a", 1, "k"))
	b, a := docs[0], docs[1]
	other := observation("a", 100, "k")
	other.Ref.Type = "Condition"
	put(other, nextVersion(a, store.Updated, "l"))
	b = put(nextVersion(b, store.Deleted))[0]
	back := nextVersion(b, store.Upserted, "k")
	back.RowID, back.Body = rowIDOf(4, 4), []byte("back")
	back.Updated = instantAt(-100) // the clock was set back
	put(back, observation("a.1", 5), observation("a-1", 6), observation("ab", 7))
	put(observation("c", 3, "l"))
	return want
}

func awaitReturnsAtNextCommit(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	if err := k.Await(ctx, store.Position{}); !errors.Is(err, context.Canceled) {
		k.Errorf("await with an ended context: got %v, want the error of the context", err)
	}
	after := k.feedEnd()
	for i := range 20 {
		ready := make(chan error, 3)
		for range cap(ready) {
			go func() { // ends with the commit below, at the latest with the test
				err := k.Await(k.Context(), after)
				if page, pageErr := k.Changes(k.Context(), after, 9); err == nil && (pageErr != nil || len(page) != 1) {
					err = fmt.Errorf("await returned, and the feed lists %d commits: %w", len(page), errors.Join(pageErr, errNotOneCommit))
				}
				ready <- err
			}()
		}
		k.commit(store.Batch{State: []store.StateWrite{{Key: "s", Value: []byte("v")}}})
		if _, err := k.Append(k.Context(), []byte("record")); err != nil {
			k.Fatal(err)
		}
		k.put(observation(fmt.Sprint("d", i), uint64(i)))
		for range cap(ready) {
			if err := <-ready; err != nil {
				k.Errorf("await: %v", err)
			}
		}
		if err := k.Await(k.Context(), after); err != nil { // at once
			k.Errorf("await after a listed commit: %v", err)
		}
		after = k.feedEnd()
	}
}

var errNotOneCommit = errors.New("want one")
