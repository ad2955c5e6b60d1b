package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/store"
)

// allChanges reads the feed from a position to its end.
func allChanges(t *testing.T, db *DB, at store.Position) (all []store.Change) {
	t.Helper()
	for {
		page, err := db.Changes(t.Context(), at, 100)
		if err != nil {
			t.Fatalf("changes after %v: %v", at, err)
		}
		if len(page) == 0 {
			return all
		}
		all, at = append(all, page...), page[len(page)-1].At
	}
}

// put commits first versions of documents, each by itself.
func put(t *testing.T, db *DB, ids ...string) (last uint64) {
	t.Helper()
	for _, id := range ids {
		seq, err := db.Commit(t.Context(), write(document(id, 1)))
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	return last
}

// feedShows fails the test unless the feed has exactly the commits of these documents.
func feedShows(t *testing.T, db *DB, ids ...string) {
	t.Helper()
	var got []string
	for _, c := range allChanges(t, db, store.Position{}) {
		got = append(got, c.Versions[0].Ref.ID)
	}
	if d := cmp.Diff(got, ids, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("feed (-got +want):\n%s", d)
	}
}

// The feed has a commit when those of lower numbers have ended, and one of unknown outcome when
// it can no longer be applied.
func TestFeedWaitsForCommitsUnderWay(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	db.seq.unknownFor = 300 * time.Millisecond
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	put(t, db, "1", "2")
	for i, unknown := range []bool{false, true} {
		number, err := db.nextSeq(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		end, err := db.End(t.Context())
		if err != nil || end.Seq != number-1 {
			t.Fatalf("the feed ends at %v, %v, while commit %d is under way", end, err, number)
		}
		waits := make(chan error, 1)
		go func() { waits <- db.Await(patient, end) }() // ends with the commit
		last := put(t, db, fmt.Sprint(3+i))
		if page, err := db.Changes(t.Context(), end, 1); err != nil || len(page) > 0 {
			t.Errorf("behind commit %d, which is under way: %v, %v", number, page, err)
		}
		// Its number was taken, so it is a position, though the feed does not have it yet.
		if page, err := db.Changes(t.Context(), store.Position{FeedID: end.FeedID, Seq: last}, 1); err != nil || len(page) > 0 {
			t.Errorf("behind commit %d: %v, %v", last, page, err)
		}
		if _, err := db.Changes(t.Context(), store.Position{FeedID: end.FeedID, Seq: last + 1}, 1); !errors.Is(err, store.ErrUnknownPosition) {
			t.Errorf("behind a number that was not given out: got %v, want %v", err, store.ErrUnknownPosition)
		}
		if len(waits) > 0 {
			t.Error("await returned")
		}
		began, told := time.Now(), db.seq.changed()
		db.seq.finish(number, unknown)
		select {
		case <-told:
		default: // or they wait for a commit that may never come
			t.Errorf("unknown outcome %v: those who wait do not look again", unknown)
		}
		if err := <-waits; err != nil {
			t.Error(err)
		}
		if spent := time.Since(began); unknown && spent < db.seq.unknownFor {
			t.Errorf("a commit of unknown outcome was waited for %s, want %s", spent, db.seq.unknownFor)
		}
		if page, err := db.Changes(t.Context(), end, 9); err != nil || len(page) != 1 || page[0].At.Seq != last {
			t.Errorf("after the commit has landed: %v, %v", page, err)
		}
	}
	feedShows(t, db, "1", "2", "3", "4")
}

// The commits in flight of a killed process may still be applied, so the feed of the next
// process ends before them for a while.
func TestFeedAfterAKill(t *testing.T) {
	c := freshConfig(t, nil)
	killed := openWatched(t, c) // not closed
	put(t, killed, "1", "2")
	killed.seq.last = killed.seq.end // the next number is of another block
	number, err := killed.nextSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := put(t, killed, "3")
	killed.seq.finish(number, false)
	seen, err := killed.End(t.Context())
	if err != nil || seen.Seq != last {
		t.Fatalf("end: %v, %v, want %d", seen, err, last)
	}
	db := openWatched(t, c)
	db.seq.unknownFor = 8 * time.Second // longer than the rest of the test takes on a busy machine
	feedShows(t, db, "1", "2")
	began := time.Now()
	if page, err := db.Changes(t.Context(), seen, 9); err != nil || len(page) > 0 {
		t.Errorf("behind what was seen before the kill: %v, %v", page, err)
	}
	put(t, db, "4")
	end, err := db.End(t.Context())
	if err != nil || end.Seq >= number {
		t.Errorf("after a kill the feed ends at %v, %v, and commit %d may have been under way", end, err, number)
	}
	patient, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := db.Await(patient, end); err != nil {
		t.Error(err)
	}
	if spent := time.Since(began); spent < db.seq.unknownFor/2 {
		t.Errorf("what may have been under way was waited for %s", spent)
	}
	feedShows(t, db, "1", "2", "3", "4")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	feedShows(t, openWatched(t, c), "1", "2", "3", "4") // closed, so at once
}

// followed is the part of a feed that a consumer has read.
type followed struct {
	mu   sync.Mutex
	seen []store.Change
}

// follow follows the feed until ctx ends or the server is gone.
func (f *followed) follow(ctx context.Context, db *DB, at store.Position) {
	for {
		page, err := db.Changes(ctx, at, 7)
		if err == nil && len(page) == 0 {
			err = db.Await(ctx, at)
		}
		if err != nil {
			return
		}
		for _, c := range page {
			at = c.At
		}
		f.mu.Lock()
		f.seen = append(f.seen, page...)
		f.mu.Unlock()
	}
}

// verifyFeed compares the feed with the part that a consumer has read, the acknowledged versions
// and the stored ones.
func verifyFeed(t *testing.T, db *DB, seen []store.Change, acknowledged map[string]uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := db.Await(ctx, store.Position{}); err != nil {
		t.Fatal(err)
	}
	if _, _, by, err := db.sequenceBounds(ctx); err != nil || !by.IsZero() && wait(ctx, nil, by) != nil {
		t.Fatal(err)
	}
	all := allChanges(t, db, store.Position{})
	if d := cmp.Diff(all[:min(len(all), len(seen))], seen, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("the feed shows other commits than before the crash (-got +want):\n%.3000s", d)
	}
	newest := map[string]uint64{}
	versions := 0
	err := db.Read(ctx, func(s store.Snapshot) error {
		for _, c := range all {
			for _, v := range c.Versions {
				if d, err := s.Version(ctx, v.Ref, v.Version); err != nil || d.Seq != c.At.Seq {
					return fmt.Errorf("commit %d of the feed names version %d of %s, of commit %d: %w", c.At.Seq, v.Version, v.Ref, d.Seq, err)
				}
				newest[v.Ref.ID] = v.Version
				versions++
			}
		}
		for range s.History(ctx, store.HistoryQuery{Type: "Patient"}) {
			versions--
		}
		return nil
	})
	if err != nil || versions != 0 {
		t.Errorf("after a crash: %v; the feed names %d more versions than there are", err, versions)
	}
	for id, v := range acknowledged {
		if newest[id] < v {
			t.Errorf("%s: version %d was acknowledged, the feed shows %d", id, v, newest[id])
		}
	}
}
