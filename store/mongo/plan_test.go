package mongo

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

// A document over 15 MiB is rejected before anything is written.
func TestTooLarge(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	ctx := t.Context()
	d := document("1", 1)
	d.Body = make([]byte, documentMax)
	b := write(document("2", 1), d)
	b.Log = [][]byte{[]byte("x")}
	if _, err := db.Commit(ctx, b); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("commit of a document of 15 MiB: got %v, want %v", err, store.ErrTooLarge)
	}
	if head, err := db.Head(ctx); err != nil || head.Pos != 0 {
		t.Errorf("head of the log: got %d, %v, want an empty log", head.Pos, err)
	}
	if _, err := get(ctx, db, "2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of the other document: got %v, want %v", err, store.ErrNotFound)
	}
	d.Body = make([]byte, documentMax-1024)
	if _, err := db.Commit(ctx, write(d)); err != nil {
		t.Errorf("commit of a document just below: %v", err)
	}
}

// Thousands of documents are one commit, written and superseded in chunks.
func TestLargeBatch(t *testing.T) {
	const n = 2500
	db := openWatched(t, freshConfig(t, nil))
	ctx := t.Context()
	for v := uint64(1); v <= 2; v++ {
		var docs []store.Doc
		for i := range n {
			docs = append(docs, document(fmt.Sprint(i), v))
		}
		if _, err := db.Commit(ctx, write(docs...)); err != nil {
			t.Fatalf("commit of %d documents, version %d: %v", n, v, err)
		}
	}
	err := db.Read(ctx, func(s store.Snapshot) error {
		count, err := s.Count(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: "a"}}, 0)
		if err != nil || count != n {
			t.Errorf("count: got %d, %v, want %d", count, err, n)
		}
		rows := 0
		for d, err := range s.History(ctx, store.HistoryQuery{Type: "Patient"}) {
			if err != nil {
				return err
			}
			if want := uint64(2 - rows/n); d.Version != want {
				t.Fatalf("row %d of the history: got version %d, want %d", rows, d.Version, want)
			}
			rows++
		}
		if rows != 2*n {
			t.Errorf("history: got %d versions, want %d", rows, 2*n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A rare condition drives a conjunction, whatever its position.
func TestRareLeafDrives(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	ctx := t.Context()
	var docs []store.Doc
	for i := range 300 {
		docs = append(docs, document(fmt.Sprint(i), 1))
	}
	if _, err := db.Commit(ctx, write(docs...)); err != nil {
		t.Fatal(err)
	}
	rare, common := store.Eq{Key: "id7"}, store.Eq{Key: "a"}
	err := db.Read(ctx, func(s store.Snapshot) error {
		for _, p := range []store.And{{rare, common}, {common, rare}, {store.Or{rare}, common}, {store.WithPrefix("a"), rare}} {
			l, err := s.(*snap).chooseDriving(ctx, store.Query{Type: "Patient", Where: p})
			if err != nil {
				return err
			}
			if len(l.keys) != 1 || len(l.ranges) != 0 || l.keys[0].key != rare.Key {
				t.Errorf("%v is driven by %+v, want %q", p, l, rare.Key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// On MongoDB itself K returns one posting in row order, without a scan of the collection and
// without a sort. On the stand-in the test only checks that explain answers.
func TestPlans(t *testing.T) {
	server := mongotest.Start(t)
	db := openWatched(t, freshConfig(t, nil))
	ctx := t.Context()
	if _, err := db.Commit(ctx, write(document("1", 1), document("2", 1))); err != nil {
		t.Fatal(err)
	}
	row := func(partition store.Partition) *store.RowID { return &store.RowID{Partition: partition} }
	base, also := bson.D{{Key: "k", Value: posting("Patient", "a")}}, bson.E{Key: "f", Value: bson.D{{Key: "$all", Value: binaries([]store.Key{"id1"})}}}
	for _, c := range []struct {
		name string
		base bson.D
		q    store.Query
	}{
		{"one posting", base, store.Query{}},
		{"the type's own", bson.D{{Key: "k", Value: posting("Patient", "")}}, store.Query{}},
		{"behind a row", base, store.Query{After: row(0)}},
		{"in one partition", base, store.Query{Partitions: []store.Partition{7}}},
		{"in some partitions", base, store.Query{Partitions: []store.Partition{0, 7, 9}}},
		{"in some partitions behind a row", base, store.Query{Partitions: []store.Partition{0, 7, 9}, After: row(7)}},
		{"with another key", append(slices.Clone(base), also), store.Query{}},
		{"with another key behind a row", append(slices.Clone(base), also), store.Query{After: row(0)}},
	} {
		for _, r := range (&snap{db: db}).postingRanges(c.base, c.q) {
			var plan bson.Raw
			err := db.res.Database().RunCommand(ctx, bson.D{{Key: "explain", Value: bson.D{
				{Key: "find", Value: "res"}, {Key: "filter", Value: r.filter}, {Key: "sort", Value: r.order}, {Key: "hint", Value: byPosting},
			}}}).Decode(&plan)
			if err != nil {
				t.Errorf("explain of %s: %v", c.name, err)
				continue
			}
			text := strings.ReplaceAll(plan.String(), " ", "") // drivers differ in spaces
			if server.Real() && (strings.Contains(text, "COLLSCAN") || strings.Contains(text, `"SORT"`) || !strings.Contains(text, `"indexName":"K"`)) {
				t.Errorf("plan of %s: %s", c.name, text)
			}
		}
	}
}

// The lease has one holder until it is released or expires.
func TestLease(t *testing.T) {
	clock := storetest.NewClock()
	db := openWatched(t, freshConfig(t, clock.Now))
	ctx := t.Context()
	first, err := db.AcquireLease(ctx, "first", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.AcquireLease(ctx, "second", time.Minute); !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), "first") {
		t.Errorf("second lease: got %v, want %v with the holder's name", err, store.ErrExists)
	}
	clock.Advance(50 * time.Second)
	if err := first.Renew(ctx); err != nil {
		t.Errorf("renew: %v", err)
	}
	clock.Advance(50 * time.Second)
	if _, err := db.AcquireLease(ctx, "second", time.Minute); !errors.Is(err, store.ErrExists) {
		t.Errorf("lease while the renewed one lives: got %v, want %v", err, store.ErrExists)
	}
	clock.Advance(10 * time.Second)
	second, err := db.AcquireLease(ctx, "second", time.Minute)
	if err != nil {
		t.Errorf("lease after the first ran out: %v", err)
	}
	if err := first.Renew(ctx); !errors.Is(err, store.ErrConflict) {
		t.Errorf("renew of a lease that is lost: got %v, want %v", err, store.ErrConflict)
	}
	if err := second.Release(ctx); err != nil {
		t.Errorf("release: %v", err)
	}
	if _, err := db.AcquireLease(ctx, "third", time.Minute); err != nil {
		t.Errorf("lease after a release: %v", err)
	}
}

// A waiting process gets the lease when its holder stops renewing it, as a killed one does.
func TestAwaitLease(t *testing.T) {
	db := openWatched(t, freshConfig(t, nil))
	ctx := t.Context()
	const life = 2 * time.Second
	killed, err := db.AcquireLease(ctx, "killed", life)
	if err != nil {
		t.Fatal(err)
	}
	alive, err := db.AwaitLease(ctx, "alive", life)
	if err != nil {
		t.Fatalf("lease that nobody renews: %v", err)
	}
	if err := killed.Renew(ctx); !errors.Is(err, store.ErrConflict) {
		t.Errorf("renew of a lease that was waited for: got %v, want %v", err, store.ErrConflict)
	}
	over, renewed := make(chan struct{}), make(chan error, 1)
	go func() { // ends when the third fails
		tick := time.NewTicker(life / 20)
		defer tick.Stop()
		for {
			select {
			case <-over:
				renewed <- nil
				return
			case <-tick.C:
			}
			if err := alive.Renew(ctx); err != nil {
				renewed <- err
				return
			}
		}
	}()
	if _, err := db.AwaitLease(ctx, "third", life); !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), "alive") {
		t.Errorf("lease that its holder renews: got %v, want %v with the holder's name", err, store.ErrExists)
	}
	close(over)
	if err := <-renewed; err != nil {
		t.Errorf("renew: %v", err)
	}
}
