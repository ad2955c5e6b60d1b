package mongo

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"carerecord/store"
)

// An export waits for the commits that were in flight when it began: they have smaller numbers
// than its last one.
func TestCutWaitsForCommitsUnderWay(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	number, err := db.nextSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cut := make(chan uint64, 1)
	go func() { // ends when the commit has ended
		n, err := db.quiesce(t.Context())
		if err != nil {
			t.Error(err)
		}
		cut <- n
	}()
	select {
	case n := <-cut:
		t.Fatalf("cut at %d while commit %d is under way", n, number)
	case <-time.After(20 * quiescePause):
	}
	db.seq.finish(number, false)
	if n := <-cut; n < number {
		t.Errorf("cut at %d, and commit %d had been acknowledged", n, number)
	}
	db.seq.finish(number, true)
	if db.seq.finishedUpTo(number) {
		t.Error("a commit of unknown outcome counts as landed: it may yet appear")
	}
}

// Commits after the last number of an export are not exported, wherever its cursor is: a server
// may return them to a cursor that was opened before.
func TestExportShowsNoLaterCommit(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	db.limits.fetch = 1
	ctx := t.Context()
	commit := func(docs ...store.Doc) {
		t.Helper()
		if _, err := db.Commit(ctx, write(docs...)); err != nil {
			t.Fatal(err)
		}
	}
	commit(document("1", 1), document("2", 1))
	commit(document("2", 2))
	upTo, err := db.quiesce(ctx)
	if err != nil {
		t.Fatal(err)
	}
	commit(document("1", 2), document("2", 3), document("3", 1))
	commit(document("2", 4))
	var got []string
	e := &export{db: db, upTo: upTo, yield: func(p store.CopyItem, _ error) bool {
		got = append(got, fmt.Sprint(p.Doc.Ref.ID, " v", p.Doc.Version))
		return true
	}}
	if err := e.run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 v1", "2 v2", "2 v1"}; !slices.Equal(got, want) {
		t.Errorf("export: got %v, want %v", got, want)
	}
}
