package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/store"
)

// Copies tests an engine against the contract of store.Copier: an export during writes is one
// consistent state, and an import restores it to the last version.
func Copies(t *testing.T, subject Subject) {
	t.Run("a copy has the same documents and records", func(t *testing.T) { runSentence(t, subject, copyIsEqual) })
	t.Run("a copy made during writes is one state", func(t *testing.T) { runSentence(t, subject, copyDuringWrites) })
	t.Run("a copy has another feed with the same commits", func(t *testing.T) { runSentence(t, subject, copyHasOwnFeed) })
	t.Run("an import into a store with data is refused", func(t *testing.T) { importNeedsEmptyStore(newKit(t, subject)) })
}

// runSentence runs a test with a new engine and then checks the memory of the engine.
func runSentence(t *testing.T, subject Subject, test func(*kit)) {
	k := newKit(t, subject)
	test(k)
	k.checkMemory()
}

func (k *kit) copier() store.Copier {
	k.Helper()
	c, ok := k.Engine.(store.Copier)
	if !ok {
		k.Fatalf("%T does not implement store.Copier", k.Engine)
	}
	return c
}

// exportItems collects an export.
func (k *kit) exportItems() []store.CopyItem {
	k.Helper()
	var out []store.CopyItem
	for p, err := range k.copier().Export(k.Context()) {
		if err != nil {
			k.Fatalf("export: %v", err)
		}
		out = append(out, p)
	}
	return out
}

func itemSeq(parts []store.CopyItem) iter.Seq2[store.CopyItem, error] {
	return func(yield func(store.CopyItem, error) bool) {
		for _, p := range parts {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// copyStore returns a new engine filled with the export of k.
func (k *kit) copyStore() (*kit, []store.CopyItem) {
	k.Helper()
	parts := k.exportItems()
	to := newKit(k.T, k.subject)
	if err := to.copier().Import(k.Context(), itemSeq(parts)); err != nil {
		k.Fatalf("import: %v", err)
	}
	return to, parts
}

// historyAndLog returns the history of all Observations and the log.
func (k *kit) historyAndLog() (docs []store.Doc, records []store.Record) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		docs = k.collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation"}))
	})
	for r, err := range k.Records(k.Context(), 1) {
		if err != nil {
			k.Fatal(err)
		}
		records = append(records, r)
	}
	return docs, records
}

func copyIsEqual(k *kit) {
	var all []store.Doc
	for i := range 30 {
		all = append(all, observation(fmt.Sprint("d", i), uint64(i), "a", store.Key(fmt.Sprint("n", i%3)), "\x80verifies"))
	}
	k.put(all...)
	k.put(nextVersion(all[1], store.Updated, "a", "b"), nextVersion(all[2], store.Deleted), nextVersion(all[3], store.Deleted))
	k.put(nextVersion(nextVersion(all[1], store.Updated), store.Updated, "c"), nextVersion(nextVersion(all[3], store.Deleted), store.Upserted, "a"))
	moved, tombstone := all[4], nextVersion(all[2], store.Deleted)
	b := rekey(moved, rowIDOf(2, 77), moved.Source, "r")
	b.Log = [][]byte{[]byte("one"), {}}
	k.commit(b)
	k.commit(rekey(tombstone, tombstone.RowID, tombstone.Source, "r"))
	k.commit(rekey(all[5], all[5].RowID, all[5].Source, "a"))
	all[5].KeyRevision = 1
	k.put(nextVersion(all[5], store.Updated))
	if _, err := k.Append(k.Context(), []byte("three")); err != nil {
		k.Fatal(err)
	}
	to, parts := k.copyStore()
	docs, records := k.historyAndLog()
	for i := range docs {
		docs[i].KeyRevision = 0 // not copied
	}
	gotDocs, gotRecords := to.historyAndLog()
	if diff := cmp.Diff(gotDocs, docs); diff != "" {
		k.Errorf("history of the copy (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(gotRecords, records); diff != "" {
		k.Errorf("log of the copy (-got +want):\n%s", diff)
	}
	if len(parts) != len(docs)+len(records) {
		k.Errorf("%d parts were exported for %d versions and %d records", len(parts), len(docs), len(records))
	}
	for _, p := range []store.Pred{store.Eq{Key: "a"}, store.Eq{Key: "n1"}, store.Eq{Key: "r"}, store.Eq{Key: "c"}, store.And{}} {
		k.read(func(s store.Snapshot) {
			want := idsOf(k.collect(s.Scan(k.Context(), store.Query{Type: "Observation", Where: p})))
			to.wantMatches(p, want...)
		})
	}
	moved.RowID = rowIDOf(2, 77)
	to.commit(rekey(moved, moved.RowID, moved.Source, "r"))
	to.commit(rekey(tombstone, tombstone.RowID, tombstone.Source, "r"))
	// The copy continues where the original stopped.
	last := slices.MaxFunc(docs, func(a, b store.Doc) int { return int(a.Seq) - int(b.Seq) })
	if d := to.put(observation("new", 999, "a")); d[0].Seq <= last.Seq {
		k.Errorf("a commit of the copy has number %d, the last one of the original %d", d[0].Seq, last.Seq)
	}
	to.checkMemory()
	if first, err := to.Append(k.Context(), []byte("four")); err != nil || first != 4 {
		k.Errorf("append to the copied log: got %d, %v, want 4", first, err)
	}
}

// copyDuringWrites exports while each writer commits the same version of two documents together.
func copyDuringWrites(k *kit) {
	const writers = 4
	pair := func(w int, half string) store.Doc {
		return observation(fmt.Sprint("w", w, half), uint64(10*w+len(half)), "a")
	}
	ctx, stop := context.WithCancel(k.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	var mu sync.Mutex
	changed := sync.NewCond(&mu) // acknowledged, commits or failed
	acknowledged := map[string]uint64{}
	commits, failed := 0, false
	permits := make(chan struct{}, 100*writers)
	for w := range writers {
		group.Go(func() {
			a, b := pair(w, "x"), pair(w, "yy")
			for {
				select {
				case <-ctx.Done():
					return
				case <-permits:
				}
				_, err := k.Commit(k.Context(), batchOf(a, b))
				mu.Lock()
				if failed = failed || err != nil; err == nil {
					acknowledged[a.Ref.ID] = a.Version
					commits++
				}
				changed.Broadcast()
				mu.Unlock()
				if err != nil {
					k.Errorf("commit: %v", err)
					return
				}
				a, b = nextVersion(a, store.Updated), nextVersion(b, store.Updated)
				a.Body, b.Body = []byte("{}"), []byte("{}")
			}
		})
	}
	// letWritersCommit permits two commits for each writer and waits for half of them, so that the
	// others are in flight.
	letWritersCommit := func() {
		mu.Lock()
		until := commits + writers
		mu.Unlock()
		for range 2 * writers {
			permits <- struct{}{}
		}
		mu.Lock()
		defer mu.Unlock()
		for commits < until && !failed {
			changed.Wait()
		}
	}
	for range 3 {
		letWritersCommit()
		exporting := ""
		mu.Lock()
		before := map[string]uint64{}
		for id, v := range acknowledged {
			before[id] = v
		}
		mu.Unlock()
		newest := map[string]uint64{}
		for p, err := range k.copier().Export(k.Context()) {
			if err != nil {
				k.Fatalf("export: %v", err)
			}
			if p.Doc == nil {
				continue
			}
			if p.Doc.Ref.ID != exporting { // between two documents
				exporting = p.Doc.Ref.ID
				letWritersCommit()
			}
			previous, seen := newest[p.Doc.Ref.ID+"/last"]
			if seen && p.Doc.Version != previous-1 {
				k.Errorf("version %d of %s follows %d", p.Doc.Version, p.Doc.Ref, previous)
			}
			newest[p.Doc.Ref.ID+"/last"] = p.Doc.Version
			newest[p.Doc.Ref.ID] = max(newest[p.Doc.Ref.ID], p.Doc.Version)
		}
		for w := range writers {
			x, y := pair(w, "x").Ref.ID, pair(w, "yy").Ref.ID
			if newest[x] != newest[y] || newest[x] < before[x] {
				k.Errorf("copy: writer %d is at %d and %d; %d was acknowledged before", w, newest[x], newest[y], before[x])
			}
			if newest[x] > 0 && newest[x+"/last"] != 1 {
				k.Errorf("copy: the versions of %s end at %d", x, newest[x+"/last"])
			}
		}
	}
}

// copyHasOwnFeed tests that a consumer of the copied store's feed gets an error, because the next
// commits of the copy differ from those of the original.
func copyHasOwnFeed(k *kit) {
	k.wantRenewedFeed(commitAllKinds(k))
	want := k.readFeed(store.Position{}, 9)
	to, _ := k.copyStore()
	before := to.feedEnd()
	if before.FeedID == k.feedEnd().FeedID {
		k.Error("the copy has the feed of the store that was copied")
	}
	for i := range want {
		to.wantUnknownPosition(want[i].At)
		want[i].At.FeedID = before.FeedID
	}
	to.wantChanges(store.Position{}, want...)
	to.wantRenewedFeed(want)
	to.wantChanges(to.feedEnd())
	want = to.readFeed(store.Position{}, 9)
	want = append(want, to.changeOf(to.put(observation("new", 99))[0]))
	if k.subject.Reopen != nil {
		to.Engine = k.subject.Reopen(k, to.Engine, to.clock.Now)
	}
	to.wantChanges(store.Position{}, want...)
}

// wantRenewedFeed renews the feed, and fails the test unless the new feed lists want.
func (k *kit) wantRenewedFeed(want []store.Change) {
	k.Helper()
	old := k.feedEnd()
	waits := make(chan error, 1)
	go func() { waits <- k.Await(k.Context(), old) }() // ends with the feed, at the latest with the test
	if err := k.copier().RenewFeed(k.Context()); err != nil {
		k.Fatalf("renew: %v", err)
	}
	if err := <-waits; !errors.Is(err, store.ErrUnknownPosition) {
		k.Errorf("await of a feed that was renewed: got %v, want ErrUnknownPosition", err)
	}
	k.wantUnknownPosition(old)
	want = slices.Clone(want)
	for i := range want {
		k.wantUnknownPosition(want[i].At)
		want[i].At.FeedID = k.feedEnd().FeedID
	}
	k.wantChanges(store.Position{}, want...)
}

func importNeedsEmptyStore(k *kit) {
	k.put(observation("a", 1, "a"))
	parts := k.exportItems()
	if err := k.copier().Import(k.Context(), itemSeq(parts)); !errors.Is(err, store.ErrExists) {
		k.Errorf("import into itself: got %v, want ErrExists", err)
	}
	logged := newKit(k.T, k.subject)
	if _, err := logged.Append(k.Context(), []byte("a")); err != nil {
		k.Fatal(err)
	}
	if err := logged.copier().Import(k.Context(), itemSeq(parts)); !errors.Is(err, store.ErrExists) {
		k.Errorf("import into a store with a log: got %v, want ErrExists", err)
	}
}
