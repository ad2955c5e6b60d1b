package mongo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
)

// Acknowledged commits survive kill -9 of the server in the middle of a load, and no commit is
// applied in part.
func TestCrash(t *testing.T) {
	const writers, rounds = 4, 2
	server := mongotest.StartOwn(t)
	uri, name := server.Database(t)
	c := Config{URI: uri, Database: name, Timeout: 5 * time.Second}
	acknowledged := map[string]uint64{} // newest version of a document
	maybe := map[string]uint64{}        // one whose commit failed with ErrUnknown
	var feed followed
	for round := range rounds {
		db := openWatched(t, c)
		db.seq.unknownFor = time.Millisecond // nothing outlives the server
		reader := make(chan struct{})
		ctx, leave := context.WithCancel(t.Context())
		go func() { // ends with the server, or with its context
			defer close(reader)
			at := store.Position{}
			if len(feed.seen) > 0 {
				at = feed.seen[len(feed.seen)-1].At
			}
			feed.follow(ctx, db, at)
		}()
		load(t, db, server, writers, round, acknowledged, maybe)
		leave()
		<-reader
		server.Restart(t)
		again := openWatched(t, c)
		again.seq.unknownFor = time.Second
		verify(t, again, acknowledged, maybe)
		verifyFeed(t, again, feed.seen, acknowledged)
		if round == 0 && len(feed.seen) == 0 {
			t.Error("nothing was seen of the feed")
		}
		if t.Failed() {
			return
		}
	}
}

// load writes until the server is killed.
func load(t *testing.T, db *DB, server *mongotest.Server, writers, round int, acknowledged, maybe map[string]uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	enough := make(chan struct{})
	n := 0
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				// A pair of documents, the first of which gets a second version.
				a, b := fmt.Sprint(round, "-", w, "-", i, "a"), fmt.Sprint(round, "-", w, "-", i, "b")
				for v, batch := range []store.Batch{write(document(a, 1), document(b, 1)), write(document(a, 2))} {
					batch.Log = [][]byte{[]byte(a)}
					_, err := db.Commit(ctx, batch)
					mu.Lock()
					switch {
					case err == nil:
						acknowledged[a] = uint64(v + 1)
						if n++; n == 60 {
							close(enough)
						}
					case errors.Is(err, store.ErrUnknown):
						maybe[a] = uint64(v + 1)
					case !errors.Is(err, store.ErrUnavailable):
						t.Errorf("commit while the server dies: got %v, want %v", err, store.ErrUnavailable)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			}
		})
	}
	select {
	case <-enough:
	case <-ctx.Done():
		t.Error("the load did not get far enough")
	}
	server.Kill(t)
	cancel() // do not wait for a dead server
	wg.Wait()
}

// verify compares the stored documents with the acknowledged ones.
func verify(t *testing.T, db *DB, acknowledged, maybe map[string]uint64) {
	ctx := t.Context()
	found := map[string]uint64{}
	pairs := map[string]int{}
	versions := 0
	err := db.Read(ctx, func(s store.Snapshot) error {
		for d, err := range s.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: "a"}}) {
			if err != nil {
				return err
			}
			id := d.Ref.ID
			pairs[id[:len(id)-1]]++
			if id[len(id)-1] == 'a' {
				found[id] = d.Version
			}
			versions += int(d.Version)
		}
		for range s.History(ctx, store.HistoryQuery{Type: "Patient"}) {
			versions--
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for id, v := range acknowledged {
		if found[id] < v {
			t.Errorf("%s: version %d was acknowledged, %d stands", id, v, found[id])
		}
	}
	for id, v := range found {
		if v != acknowledged[id] && v != maybe[id] {
			t.Errorf("%s: version %d stands, but only %d was acknowledged and none is in doubt", id, v, acknowledged[id])
		}
	}
	for id, n := range pairs {
		if n != 2 {
			t.Errorf("%s: %d document of a pair that was one commit", id, n)
		}
	}
	if versions != 0 {
		t.Errorf("the history has %d versions too few for the documents", versions)
	}
	var last store.Record
	for r, err := range db.Records(ctx, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Pos != last.Pos+1 || r.Hash != store.ChainHash(last.Hash, r.Pos, r.Payload) {
			t.Fatalf("log record %d after %d does not continue the chain", r.Pos, last.Pos)
		}
		last = r
	}
	t.Logf("%d acknowledged, %d in doubt, %d log records", len(acknowledged), len(maybe), last.Pos)
}
