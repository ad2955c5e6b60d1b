package pebble

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
	"carerecord/store/storetest"
)

func open(t testing.TB, dir string, clock func() time.Time) *DB {
	t.Helper()
	db, err := Open(Config{Dir: dir, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// subject is the engine on a disk, verified whenever it is closed.
func subject() storetest.Subject {
	dirs := map[storetest.Engine]string{}
	return storetest.Subject{
		Open: func(t testing.TB, clock func() time.Time) storetest.Engine {
			dir := t.TempDir()
			db := open(t, dir, clock)
			dirs[db] = dir
			return db
		},
		Reopen: func(t testing.TB, e storetest.Engine, clock func() time.Time) storetest.Engine {
			if err := e.(*DB).Verify(t.Context()); err != nil {
				t.Fatalf("verify: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			db := open(t, dirs[e], clock)
			dirs[db] = dirs[e]
			return db
		},
	}
}

func TestContract(t *testing.T) { storetest.Run(t, subject()) }

func TestRandom(t *testing.T) {
	for seed := range uint64(5) {
		storetest.Random(t, seed, 400, subject())
	}
}

// TestRandomWithoutRoom makes every collection of candidates overflow.
func TestRandomWithoutRoom(t *testing.T) {
	s := subject()
	with := s.Open
	s.Open = func(t testing.TB, clock func() time.Time) storetest.Engine {
		e := with(t, clock)
		e.(*DB).limit = 1
		return e
	}
	s.Reopen = nil
	storetest.Random(t, 100, 400, s)
}

func TestAClosedEngineIsUnavailable(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, commit := db.Commit(ctx, store.Batch{})
	_, lookup := db.Lookup(ctx, "a")
	_, take := db.Take(ctx, "a")
	_, add := db.Append(ctx, nil)
	_, head := db.Head(ctx)
	for what, err := range map[string]error{
		"read":   db.Read(ctx, func(store.Snapshot) error { return nil }),
		"commit": commit, "lookup": lookup, "take": take, "append": add, "head": head,
		"insert": db.Insert(ctx, "a", nil, time.Time{}),
		"verify": db.Verify(ctx),
	} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s after close: got %v, want ErrUnavailable", what, err)
		}
	}
}

func TestASnapshotDoesNotOutliveRead(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	sample(t, db)
	var kept store.Snapshot
	if err := db.Read(t.Context(), func(s store.Snapshot) error { kept = s; return nil }); err != nil {
		t.Fatal(err)
	}
	_, get := kept.Get(t.Context(), store.Ref{Type: "T", ID: "a"})
	_, count := kept.Count(t.Context(), store.Query{Type: "T", Where: store.And{}}, 0)
	if !errors.Is(get, store.ErrUnavailable) || !errors.Is(count, store.ErrUnavailable) {
		t.Errorf("get and count after Read: got %v and %v, want ErrUnavailable", get, count)
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	d := store.Doc{Ref: store.Ref{Type: "T", ID: "a"}, Version: 1, Origin: store.Created, Body: make([]byte, maxDocument+1)}
	if _, err := db.Commit(t.Context(), store.Batch{Writes: []store.Write{{Doc: d}}}); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("commit: got %v, want ErrTooLarge", err)
	}
}

func TestExpiredValuesAreSweptAway(t *testing.T) {
	clock := storetest.NewClock()
	db := open(t, t.TempDir(), clock.Now)
	for i := range 100 {
		if err := db.Insert(t.Context(), fmt.Sprint("old", i), nil, clock.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(time.Minute)
	for i := range 20 {
		if err := db.Insert(t.Context(), fmt.Sprint("new", i), nil, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowState}, UpperBound: []byte{rowState + 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if n != 20 {
		t.Errorf("%d values are stored, want the 20 that live", n)
	}
}

func TestCopies(t *testing.T) { storetest.Copies(t, subject()) }

// TestCopyIsSound: the rows of a copy agree with each other.
func TestCopyIsSound(t *testing.T) {
	from, to := open(t, t.TempDir(), nil), open(t, t.TempDir(), nil)
	sample(t, from)
	if err := to.Import(t.Context(), from.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := to.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMuchBody: a commit with large bodies is assembled in another way and has the same rows.
func TestMuchBody(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	body := make([]byte, largeBodies/2+1)
	doc := func(id string, version uint64) store.Doc {
		return store.Doc{Ref: store.Ref{Type: "T", ID: id}, Version: version, Origin: store.Upserted, RowID: testID(1, id), Keys: []store.Key{"k"}, Body: append(body, id...)}
	}
	for _, b := range []store.Batch{
		{Writes: []store.Write{{Doc: doc("a", 1)}, {Doc: doc("b", 1)}}},
		{Writes: []store.Write{{Doc: doc("a", 2), Expect: 1}, {Doc: doc("c", 1)}}},
	} {
		if _, err := db.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	err := db.Read(t.Context(), func(s store.Snapshot) error {
		for id, version := range map[string]uint64{"a": 2, "b": 1, "c": 1} {
			d, err := s.Get(t.Context(), store.Ref{Type: "T", ID: id})
			if err != nil || d.Version != version || string(d.Body[len(body):]) != id {
				t.Errorf("%s: got version %d with %d bytes, %v", id, d.Version, len(d.Body), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
