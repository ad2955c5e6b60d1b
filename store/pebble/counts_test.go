package pebble

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/conformance/wait"
	"carerecord/store"
	"carerecord/store/storetest"
)

// keepAll makes an engine store every count that is queried, up to capacity, until it was
// written idle times without a use.
func keepAll(db *DB, capacity int, idle int64) {
	db.counts.minPostings, db.counts.capacity, db.counts.minWrites = 1, capacity, idle
}

// settle waits until all requested counts are stored.
func settle(db *DB) {
	wait.Until(func() bool {
		db.countQueue.mu.Lock()
		defer db.countQueue.mu.Unlock()
		return !db.countQueue.working
	})
}

// settled is an engine whose Read returns when the counts that it requested are stored.
type settled struct{ *DB }

// Read implements store.Store.
func (s settled) Read(ctx context.Context, f func(store.Snapshot) error) error {
	defer settle(s.DB)
	return s.DB.Read(ctx, f)
}

// keeping is the engine on a disk with all counts stored. With wait each read waits for the
// worker; without it commits and the worker run at the same time.
func keeping(room int, idle int64, wait bool) storetest.Subject {
	inner := subject()
	bare := func(e storetest.Engine) storetest.Engine {
		if s, ok := e.(settled); ok {
			return s.DB
		}
		return e
	}
	wrap := func(e storetest.Engine) storetest.Engine {
		keepAll(e.(*DB), room, idle)
		if wait {
			return settled{e.(*DB)}
		}
		return e
	}
	return storetest.Subject{
		Open: func(t testing.TB, clock func() time.Time) storetest.Engine { return wrap(inner.Open(t, clock)) },
		Reopen: func(t testing.TB, e storetest.Engine, clock func() time.Time) storetest.Engine {
			return wrap(inner.Reopen(t, bare(e), clock))
		},
	}
}

func TestContractWithEveryCountKept(t *testing.T) { storetest.Run(t, keeping(100, 100, true)) }

func TestRandomWithEveryCountKept(t *testing.T) {
	for seed := range uint64(5) {
		storetest.Random(t, 200+seed, 400, keeping(100, 100, true))
		storetest.Random(t, 300+seed, 400, keeping(3, 2, true)) // drops and stores counts often
		storetest.Random(t, 400+seed, 400, keeping(100, 100, false))
	}
}

// put writes a document with keys, or deletes it if there are none.
func put(t testing.TB, db *DB, id string, version uint64, keys ...store.Key) {
	t.Helper()
	d := store.Doc{Ref: store.Ref{Type: "T", ID: id}, Version: version, Origin: store.Upserted, Keys: store.Sorted(keys), Body: []byte(id), RowID: testID(1, id)}
	if keys == nil {
		d.Origin, d.Body = store.Deleted, nil
	}
	if _, err := db.Commit(t.Context(), store.Batch{Writes: []store.Write{{Doc: d, Expect: version - 1}}}); err != nil {
		t.Fatal(err)
	}
}

func count(t testing.TB, db *DB, key store.Key) (n int) {
	t.Helper()
	err := db.Read(t.Context(), func(s store.Snapshot) (err error) {
		n, err = s.Count(t.Context(), store.Query{Type: "T", Where: store.Eq{Key: key}}, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// row returns the value of the c row of a key; -1 if there is none.
func row(t testing.TB, db *DB, key store.Key) int {
	t.Helper()
	value, err := get(db.rows, countRow(1, key))
	if err != nil {
		t.Fatal(err)
	}
	if value == nil {
		return -1
	}
	n, err := parseCount(value)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// lie changes a c row, to find out who reads it.
func lie(t testing.TB, db *DB, key store.Key, n byte) {
	t.Helper()
	if err := db.rows.Set(countRow(1, key), []byte{n}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	db.snapshots.drop()
}

func TestACountIsKept(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	keepAll(db, 100, 100)
	db.counts.minPostings = 3
	put(t, db, "a", 1, "k", "l")
	put(t, db, "b", 1, "k", "l")
	if n := count(t, db, "k"); n != 2 {
		t.Fatalf("count: got %d, want 2", n)
	}
	settle(db)
	if got := row(t, db, "k"); got != -1 {
		t.Fatalf("the count of a key with too few postings is kept: %d", got)
	}
	put(t, db, "c", 1, "k")
	if n := count(t, db, "k"); n != 3 {
		t.Fatalf("count: got %d, want 3", n)
	}
	settle(db)
	if err := db.Read(t.Context(), func(s store.Snapshot) error {
		if value, err := get(s.(*snap).rows, countRow(1, "k")); len(value) == 0 || err != nil {
			t.Errorf("the next read does not see what is kept: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"nothing", func() {}, 3},
		{"a create", func() { put(t, db, "d", 1, "k", "m") }, 4},
		{"an update that loses the key", func() { put(t, db, "a", 2, "l") }, 3},
		{"an update that gains it", func() { put(t, db, "a", 3, "k") }, 4},
		{"an update that keeps it", func() { put(t, db, "a", 4, "k", "m") }, 4},
		{"a delete", func() { put(t, db, "b", 2) }, 3},
		{"a create of another key", func() { put(t, db, "e", 1, "m") }, 3},
		{"opening it again", func() {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open(t, dir, nil)
		}, 3},
		{"a create after that", func() { put(t, db, "f", 1, "k") }, 4},
	} {
		step.do()
		if got := row(t, db, "k"); got != step.want {
			t.Fatalf("after %s: %d counts are stored, want %d", step.name, got, step.want)
		}
		if err := db.Verify(t.Context()); err != nil {
			t.Fatalf("after %s: %v", step.name, err)
		}
	}
	lie(t, db, "k", 77)
	if n := count(t, db, "k"); n != 77 {
		t.Errorf("count: got %d, want what is kept", n)
	}
	if err := db.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), `the stored count of T with key "k" is 77, and 4 documents have it`) {
		t.Errorf("verify of a wrong count: got %v", err)
	}
	if err := db.Recount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "k"); n != 4 {
		t.Errorf("count after Recount: got %d, want 4", n)
	}
}

func TestCommitsWhileACountBeginsAreInIt(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	keepAll(db, 100, 0)
	put(t, db, "a", 1, "k")
	put(t, db, "b", 1, "k")
	k, rows, err := db.beginCount(countRequest{code: 1, key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "c", 1, "k")
	put(t, db, "d", 1, "k")
	put(t, db, "a", 2)
	n, err := db.snap(rows).walkPostings(1, "k", 0, db.outOfService)
	if n != 2 || err != nil {
		t.Errorf("the snapshot of the beginning: got %d, %v, want 2", n, err)
	}
	if got := row(t, db, "k"); got != -1 {
		t.Errorf("the row stands before it is counted: %d", got)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.finishCount(k, n); err != nil {
		t.Fatal(err)
	}
	if got := row(t, db, "k"); got != 3 {
		t.Errorf("kept: got %d, want 3", got)
	}
}

func TestACountThatNobodyAsksForIsLetGo(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	keepAll(db, 2, 3)
	put(t, db, "a", 1, "k", "l", "m")
	count(t, db, "k")
	settle(db)
	for i := range 3 {
		put(t, db, fmt.Sprint("b", i), 1, "k")
	}
	count(t, db, "k") // begins again
	for i := range 3 {
		put(t, db, fmt.Sprint("c", i), 1, "k")
	}
	if got := row(t, db, "k"); got != 7 {
		t.Fatalf("the count is not kept: %d", got)
	}
	put(t, db, "d", 1, "k")
	if got := row(t, db, "k"); got != -1 {
		t.Fatalf("the count is kept unasked: %d", got)
	}
	for _, key := range []store.Key{"k", "l", "m"} {
		count(t, db, key)
		settle(db)
		put(t, db, "e"+string(key), 1, "z") // makes this use later
	}
	for key, want := range map[store.Key]int{"k": -1, "l": 1, "m": 1} {
		if got := row(t, db, key); got != want {
			t.Errorf("key %q: %d is kept, want %d where there is room for two", key, got, want)
		}
	}
}

// TestCountsOfAProgramThatKeepsNoneAreNotTrusted: an older program opens the folder, writes, and
// leaves the c rows unchanged.
func TestCountsOfAProgramThatKeepsNoneAreNotTrusted(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	keepAll(db, 100, 100)
	put(t, db, "a", 1, "k")
	count(t, db, "k")
	settle(db)
	db.counts.keys.Store(&countsByKey{})
	put(t, db, "b", 1, "k")
	if got := row(t, db, "k"); got != 1 {
		t.Fatalf("the row is %d, want it left at 1", got)
	}
	if err := db.Verify(t.Context()); err == nil {
		t.Error("verify finds nothing")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, nil)
	if got := row(t, db, "k"); got != -1 {
		t.Errorf("the row says %d after opening, want it gone", got)
	}
	if n := count(t, db, "k"); n != 2 {
		t.Errorf("count: got %d, want 2", n)
	}
}

// TestCrashLeavesCountsRight writes and counts concurrently while the disk crashes; the folder
// is then opened and verified.
func TestCrashLeavesCountsRight(t *testing.T) {
	for round := range 5 {
		disk := vfs.NewCrashableMem()
		db, err := Open(Config{Dir: "db", FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		keepAll(db, 8, 50)
		var sides sync.WaitGroup
		var commits atomic.Int64
		for w := range 3 {
			sides.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), uint64(round)))
				for v := range uint64(200) {
					put(t, db, fmt.Sprint("w", w), v+1, "k", store.Key(fmt.Sprint("v", rng.IntN(10))))
					commits.Add(1)
					count(t, db, store.Key(fmt.Sprint("v", rng.IntN(10))))
				}
			})
		}
		wait.Until(func() bool { return commits.Load() >= int64(round+1)*100 || t.Failed() })
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(round)))})
		sides.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		after, err := Open(Config{Dir: "db", FS: left})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, of := range *after.counts.keys.Load() {
			n += len(of)
		}
		t.Logf("round %d: %d commits and %d counts are left", round, after.seq, n)
		if err := after.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		if err := after.Close(); err != nil {
			t.Error(err)
		}
	}
}
