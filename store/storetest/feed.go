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
			k.feeds(store.Position{})
			k.feeds(k.end())
		}},
		{"commits come in their order, each whole and once, tombstones too", func(k *kit) {
			want := news(k)
			k.feeds(store.Position{}, want...)
			if end, last := k.end(), want[len(want)-1].At; end != last {
				k.Errorf("the feed ends at %v, want %v, the last commit", end, last)
			}
		}},
		{"what makes no version is not in it", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			first := k.changeOf(a)
			moved := a
			moved.RowID, moved.Keys = at(2, 2), []store.Key{"l"}
			k.commit(store.Batch{Writes: []store.Write{{Doc: moved, Expect: 1, Rekey: true}}})
			k.commit(store.Batch{Log: [][]byte{[]byte("record")}, State: []store.StateWrite{{Key: "s", Value: []byte("v")}}})
			k.feeds(store.Position{}, first)
			k.feeds(k.end())
			a.KeyRevision = 1
			both := writes(next(a, store.Updated))
			b := observation("b", 3, "k")
			b = k.put(b)[0]
			moved = b
			moved.Keys = []store.Key{"m"}
			both.Writes = append(both.Writes, store.Write{Doc: moved, Expect: 1, Rekey: true})
			second := k.changeOf(b)
			third := k.changeOf(with(next(a, store.Updated), k.commit(both)))
			k.feeds(store.Position{}, first, second, third)
		}},
		{"a commit that failed is not in it", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			want := []store.Change{k.changeOf(a)}
			k.refuses(writes(observation("a", 2)), store.ErrConflict)
			k.refuses(writes(observation("b", 2), observation("a", 3)), store.ErrConflict)
			b := writes(observation("c", 3))
			b.Checks = []store.Check{{Ref: a.Ref, Version: 7}}
			k.refuses(b, store.ErrConflict)
			b = writes(observation("c", 3))
			b.Absent = []store.Absent{{Type: "Observation", Where: store.Eq{Key: "k"}, Claims: []store.Key{"k"}}}
			k.refuses(b, store.ErrConflict)
			k.feeds(store.Position{}, want...)
			want = append(want, k.changeOf(k.put(observation("d", 4))[0]))
			k.feeds(store.Position{}, want...)
		}},
		{"it goes on at every position, however long a page is", func(k *kit) {
			want := news(k)
			for max := 1; max <= len(want)+1; max++ {
				for i, c := range want {
					if d := diff(k.follow(c.At, max), want[i+1:]); d != "" {
						k.Errorf("after %v in pages of %d (-got +want):\n%s", c.At, max, d)
					}
				}
			}
		}},
		{"a position of the future or of another feed is none of it", func(k *kit) {
			far, none := store.Position{Feed: k.end().Feed, Seq: 1 << 40}, store.Position{Seq: 1}
			k.refusesPosition(far)
			k.refusesPosition(none)
			news(k)
			k.refusesPosition(far)
			k.refusesPosition(none)
			k.refusesPosition(store.Position{Feed: k.end().Feed + "x", Seq: 1})
		}},
		{"a page holds a commit of many documents whole", func(k *kit) {
			var docs []store.Doc
			for i := range 1200 {
				docs = append(docs, observation(fmt.Sprint("d", i), uint64(i), "k"))
			}
			docs = k.put(docs...)
			one := k.put(observation("one", 5000, "k"))[0]
			k.feeds(store.Position{}, k.changeOf(docs...), k.changeOf(one))
		}},
		{"Await returns at the next commit and not earlier", awaits},
		{"a consumer during concurrent writes gets each commit once, in order, and no gap is filled later", follows},
		{"it goes on after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine keeps nothing")
			}
			want := news(k)
			reopen := func() { k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now) }
			reopen()
			k.feeds(store.Position{}, want...)
			for i, c := range want {
				k.feeds(c.At, want[i+1:]...)
			}
			want = append(want, k.changeOf(k.put(observation("new", 99))[0]))
			k.feeds(store.Position{}, want...)
			reopen()
			reopen()
			want = append(want, k.changeOf(k.put(observation("newer", 1000))[0]))
			k.feeds(want[2].At, want[3:]...)
		}},
	}
}

// with returns a document of the commit seq.
func with(d store.Doc, seq uint64) store.Doc {
	d.Seq = seq
	return d
}

// end returns the position after the last listed commit.
func (k *kit) end() store.Position {
	k.Helper()
	end, err := k.End(k.ctx)
	if err != nil {
		k.Fatalf("end of the feed: %v", err)
	}
	return end
}

// changeOf returns the Change of the commit that wrote documents.
func (k *kit) changeOf(docs ...store.Doc) store.Change {
	k.Helper()
	c := store.Change{At: store.Position{Feed: k.end().Feed, Seq: docs[0].Seq}}
	for _, d := range docs {
		c.Versions = append(c.Versions, store.VersionID{Ref: d.Ref, Version: d.Version})
	}
	slices.SortFunc(c.Versions, store.CompareVersions)
	return c
}

// follow reads the feed from a position to its end.
func (k *kit) follow(after store.Position, max int) []store.Change {
	k.Helper()
	var all []store.Change
	for {
		page, err := k.Changes(k.ctx, after, max)
		if err != nil || len(page) > max {
			k.Fatalf("changes after %v, at most %d: got %d, %v", after, max, len(page), err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1].At
	}
}

// feeds fails the test unless the feed lists these commits after a position.
func (k *kit) feeds(after store.Position, want ...store.Change) {
	k.Helper()
	if d := diff(k.follow(after, 3), want); d != "" {
		k.Errorf("feed after %v (-got +want):\n%s", after, d)
	}
}

// refusesPosition fails the test unless the feed refuses a position.
func (k *kit) refusesPosition(p store.Position) {
	k.Helper()
	page, err := k.Changes(k.ctx, p, 1)
	if len(page) > 0 || !errors.Is(err, store.ErrUnknownPosition) {
		k.Errorf("changes after %v: got %v, %v, want ErrUnknownPosition", p, page, err)
	}
	if err := k.Await(k.ctx, p); !errors.Is(err, store.ErrUnknownPosition) {
		k.Errorf("await after %v: got %v, want ErrUnknownPosition", p, err)
	}
}

// news makes commits of every kind and returns the expected feed.
func news(k *kit) (want []store.Change) {
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
	put(other, next(a, store.Updated, "l"))
	b = put(next(b, store.Deleted))[0]
	back := next(b, store.Upserted, "k")
	back.RowID, back.Body = at(4, 4), []byte("back")
	back.Updated = epoch(-100) // the clock went back
	put(back, observation("a.1", 5), observation("a-1", 6), observation("ab", 7))
	put(observation("c", 3, "l"))
	return want
}

func awaits(k *kit) {
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	if err := k.Await(ctx, store.Position{}); !errors.Is(err, context.Canceled) {
		k.Errorf("await whose caller has gone: got %v, want its context's error", err)
	}
	after := k.end()
	for i := range 20 {
		ready := make(chan error, 3)
		for range cap(ready) {
			go func() { // ends with the commit below, at the latest with the test
				err := k.Await(k.ctx, after)
				if page, pageErr := k.Changes(k.ctx, after, 9); err == nil && (pageErr != nil || len(page) != 1) {
					err = fmt.Errorf("await returned and %d commits are there: %w", len(page), errors.Join(pageErr, errEarly))
				}
				ready <- err
			}()
		}
		k.commit(store.Batch{State: []store.StateWrite{{Key: "s", Value: []byte("v")}}})
		if _, err := k.Append(k.ctx, []byte("record")); err != nil {
			k.Fatal(err)
		}
		k.put(observation(fmt.Sprint("d", i), uint64(i)))
		for range cap(ready) {
			if err := <-ready; err != nil {
				k.Errorf("await: %v", err)
			}
		}
		if err := k.Await(k.ctx, after); err != nil { // at once
			k.Errorf("await of what is there: %v", err)
		}
		after = k.end()
	}
}

var errEarly = errors.New("want one")
