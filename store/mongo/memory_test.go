package mongo

import (
	"strings"
	"testing"
	"time"

	"carerecord/store"
)

// CheckMemory finds each difference from the database.
func TestCheckMemoryFindsWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(db *DB)
		want string
	}{
		{"a log with another end", func(db *DB) { db.logWriter.head.Hash[0] ^= 1 }, "the log ends at"},
		{"a record more", func(db *DB) { db.logWriter.head.Pos++ }, "the log ends at"},
		{"a feed of another name", func(db *DB) { db.feed.name = "other" }, "the feed is"},
		{"numbers that were not taken", func(db *DB) { db.seq.end += sequenceBlock }, "the last number of a commit"},
		{"a number that a commit has", func(db *DB) { db.seq.last, db.seq.givenBefore = 0, 0 }, "has a greater one"},
		{"a commit that is over", func(db *DB) { db.seq.inFlight[1] = time.Time{} }, "commit 1 is in flight"},
		{"a name that is locked", func(db *DB) { db.locks.locks["x"] = &nameLock{} }, "1 names are locked"},
		{"a snapshot that is over", func(db *DB) { db.idleSnaps.add(&snap{}) }, "1 snapshots open"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openWatched(t, freshConfig(t, nil))
			b := write(document("1", 1))
			b.Log = [][]byte{[]byte("record")}
			if _, err := db.Commit(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Changes(t.Context(), store.Position{}, 1); err != nil {
				t.Fatal(err)
			}
			if err := db.CheckMemory(t.Context()); err != nil {
				t.Fatalf("of a sound record: %v", err)
			}
			c.do(db)
			if err := db.CheckMemory(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("check memory: got %v, want %q", err, c.want)
			}
		})
	}
}
