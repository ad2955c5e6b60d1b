package pebble

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"carerecord/store"
)

// remembering is an engine with an entry in each part of its memory.
func remembering(t *testing.T) *DB {
	t.Helper()
	db := open(t, t.TempDir(), nil)
	keepAll(db, 100, 100)
	put(t, db, "a", 1, "k")
	put(t, db, "b", 1, "k", "l")
	if n := count(t, db, "k"); n != 2 {
		t.Fatalf("count: got %d, want 2", n)
	}
	settle(db)
	if _, err := db.Append(t.Context(), []byte("record")); err != nil {
		t.Fatal(err)
	}
	newest(t, db, "a")
	if d := newest(t, db, "a"); d.Version != 1 {
		t.Fatalf("got version %d, want 1", d.Version)
	}
	if err := db.CheckMemory(t.Context()); err != nil {
		t.Fatalf("of a sound engine: %v", err)
	}
	return db
}

// CheckMemory finds each difference from the rows.
func TestCheckMemoryFindsWhatDiffers(t *testing.T) {
	ref := store.Ref{Type: "T", ID: "a"}
	for _, c := range []struct {
		name string
		do   func(db *DB)
		want string
	}{
		{"a commit more", func(db *DB) { db.seq++ }, "the last commit"},
		{"a commit that readers do not use", func(db *DB) { db.applied.Store(1) }, "the last commit"},
		{"a type without a row", func(db *DB) { db.types.codes.Store(&map[string]typeCode{"T": 1, "U": 2}) }, "the codes of types"},
		{"a feed of another name", func(db *DB) { db.feedEnd.rename("other") }, "the end of the feed"},
		{"a feed that lags", func(db *DB) { db.feedEnd.reset(db.feedEnd.get().FeedID, 1) }, "the end of the feed"},
		{"a log with another end", func(db *DB) { db.head.Hash[0] ^= 1 }, "the end of the log"},
		{"a record that is not returned", func(db *DB) { db.durable.Store(0) }, "the end of the log"},
		{"a count too many", func(db *DB) { (*db.counts.keys.Load())[1]["k"].n++ }, `the count of type 1 with key "k"`},
		{"a dropped count with a row", func(db *DB) { db.counts.keys.Store(&countsByKey{}) }, "the number of stored counts"},
		{"a count without its row", func(db *DB) { deleteRow(t, db, countRow(1, "k")) }, `the count of type 1 with key "k"`},
		{"a document of other keys", func(db *DB) {
			rec := db.docCache.shard(ref)
			k, _ := rec.docs.Get(ref)
			k.doc.Keys = []store.Key{"z"}
			rec.docs.Add(ref, k)
		}, "the cached document T/a"},
		{"a document of another key revision", func(db *DB) {
			rec := db.docCache.shard(ref)
			k, _ := rec.docs.Get(ref)
			k.doc.KeyRevision = 1
			rec.docs.Add(ref, k)
		}, "the cached document T/a"},
		{"a document that does not exist", func(db *DB) { db.docCache.put(store.Doc{Ref: store.Ref{Type: "T", ID: "none"}}, db.seq) }, "a cached document"},
		{"a body that a reader changed", func(db *DB) {
			k, _ := db.docCache.shard(ref).docs.Get(ref)
			k.doc.Body[0]++
		}, "the cached document T/a"},
		{"a snapshot older than it says", func(db *DB) { db.snapshots.newest.at = 99 }, "the shared snapshot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := remembering(t)
			c.do(db)
			if err := db.CheckMemory(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("check memory: got %v, want %q", err, c.want)
			}
		})
	}
}

// deleteRow deletes a row.
func deleteRow(t *testing.T, db *DB, row []byte) {
	t.Helper()
	if err := db.rows.Delete(row, nil); err != nil {
		t.Fatal(err)
	}
}

// After an import no older count is left.
func TestImportForgetsWhatWasCounted(t *testing.T) {
	from := open(t, t.TempDir(), nil)
	sample(t, from)
	to := open(t, t.TempDir(), nil)
	keepAll(to, 100, 100)
	to.counts.minPostings = 0
	code, err := to.types.assign(to.rows, "T")
	if err != nil {
		t.Fatal(err)
	}
	if err := to.storeCount(countRequest{code: code, key: "k"}); err != nil {
		t.Fatal(err)
	}
	if err := to.Import(t.Context(), from.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	if n := count(t, to, "k"); n != 1 {
		t.Errorf("count after the import: got %d, want 1", n)
	}
	if err := errors.Join(to.CheckMemory(t.Context()), to.Verify(t.Context())); err != nil {
		t.Error(err)
	}
}

// After renewals concurrent with commits memory agrees with the rows, and no acknowledged commit
// is missing from the feed.
func TestRenewBesideCommits(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	var last uint64
	var both sync.WaitGroup
	both.Go(func() {
		for range 100 {
			if err := db.RenewFeed(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	both.Go(func() {
		for n := range 100 {
			seq, err := db.Commit(t.Context(), batchOf(benchDoc(n)))
			if err != nil {
				t.Error(err)
			}
			last = seq
		}
	})
	both.Wait()
	if end, err := db.End(t.Context()); err != nil || end.Seq != last {
		t.Errorf("the feed ends at %d, %v, and %d was acknowledged", end.Seq, err, last)
	}
	if err := db.CheckMemory(t.Context()); err != nil {
		t.Error(err)
	}
}
