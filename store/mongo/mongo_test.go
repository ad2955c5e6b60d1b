package mongo

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

// The contract of package store.
func TestContract(t *testing.T) {
	t.Log(mongotest.Start(t).Describe())
	storetest.Run(t, subject())
}

// Random operations have the results of the reference store.
func TestRandom(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { storetest.Random(t, seed, 400, subject()) })
	}
}

// The same with all limits small: rows come one by one, merges change to collecting and
// collecting to walking.
func TestRandomAtTheLimits(t *testing.T) {
	small := limits{merge: 2, collect: 2, postings: 1, fetch: 1, bodies: 1, keys: 1, chunk: 1, wholeDocs: 1, count: 2, rare: 0, large: 1}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { storetest.Random(t, 1000+seed, 300, subjectWithin(small)) })
	}
}

// The same with the indexes chosen by the server.
func TestRandomWithoutHints(t *testing.T) {
	s := subject()
	s.Open = func(t testing.TB, clock func() time.Time) storetest.Engine {
		c := freshConfig(t, clock)
		c.NoHints, c.Monitor = true, &event.CommandMonitor{}
		return openWatched(t, c)
	}
	s.Reopen = nil
	storetest.Random(t, 2000, 300, s)
}

func subject() storetest.Subject { return subjectWithin(defaultLimits()) }

// subjectWithin returns the engine with some limits as a subject of the contract. Every command
// is checked.
func subjectWithin(limits limits) storetest.Subject {
	var mu sync.Mutex
	homes := map[storetest.Engine]Config{}
	open := func(t testing.TB, c Config) storetest.Engine {
		db := openWatched(t, c)
		db.limits = limits
		mu.Lock()
		defer mu.Unlock()
		homes[db] = c
		return db
	}
	return storetest.Subject{
		Racers: 100,
		Open: func(t testing.TB, clock func() time.Time) storetest.Engine {
			return open(t, freshConfig(t, clock))
		},
		Reopen: func(t testing.TB, e storetest.Engine, clock func() time.Time) storetest.Engine {
			mu.Lock()
			c := homes[e]
			mu.Unlock()
			c.Clock = clock
			if err := e.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			return open(t, c)
		},
	}
}

// freshConfig has a fresh database of the server of this test binary.
func freshConfig(t testing.TB, clock func() time.Time) Config {
	t.Helper()
	uri, name := mongotest.Start(t).Database(t)
	return Config{URI: uri, Database: name, Clock: clock, Timeout: 20 * time.Second}
}

// openWatched opens a record and checks that each of its commands names an existing index.
func openWatched(t testing.TB, c Config) *DB {
	t.Helper()
	w := &watch{}
	if c.Monitor == nil {
		c.Monitor = w.monitor()
	}
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		_ = db.Close() // some tests have closed it
		for _, fault := range w.all() {
			t.Error(fault)
		}
	})
	return db
}

// watch checks commands when they are sent.
type watch struct {
	mu     sync.Mutex
	faults []string
	counts map[string]int
}

func (w *watch) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		fault := faultOf(e)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.counts == nil {
			w.counts = map[string]int{}
		}
		w.counts[e.CommandName]++
		if fault != "" && len(w.faults) < 10 {
			w.faults = append(w.faults, fault)
		}
	}}
}

func (w *watch) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// faultOf returns the fault of a command; empty for most.
func faultOf(e *event.CommandStartedEvent) string {
	known := map[string][]string{
		"res":   {byID, byPosting, byPartition, byUpdated, byRowID, byCommit},
		"old":   {byID, byPartition, byUpdated, byCommit},
		"state": {byID, byExpiry},
		"marks": {byID, byExpiry},
	}
	collection, _ := e.Command.Lookup(e.CommandName).StringValueOK()
	check := func(statement bson.Raw) string {
		hint, _ := statement.Lookup("hint").StringValueOK()
		indexes := known[collection]
		if indexes == nil {
			indexes = []string{byID}
		}
		for _, name := range indexes {
			if hint == name {
				return ""
			}
		}
		return fmt.Sprintf("%s of %s: hint %q names no index: %s", e.CommandName, collection, hint, statement)
	}
	switch e.CommandName {
	case "find", "aggregate", "findAndModify":
		return check(e.Command)
	case "update", "delete":
		field := e.CommandName + "s"
		if statements, ok := e.Command.Lookup(field).ArrayOK(); ok {
			values, _ := statements.Values()
			for _, v := range values {
				if fault := check(v.Document()); fault != "" {
					return fault
				}
			}
		}
	case "count", "distinct", "mapReduce":
		return e.CommandName + " cannot be part of a transaction"
	}
	return ""
}

func TestCopies(t *testing.T) { storetest.Copies(t, subject()) }

// The same with reads of one document each, and the documents of a copy agree with each other.
func TestCopiesInSmallPieces(t *testing.T) {
	small := defaultLimits()
	small.fetch, small.chunk = 1, 2
	storetest.Copies(t, subjectWithin(small))
	from, to := openWatched(t, freshConfig(t, nil)), openWatched(t, freshConfig(t, nil))
	for n := uint64(1); n <= 3; n++ {
		if _, err := from.Commit(t.Context(), write(document("1", n), document("2", n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Import(t.Context(), from.Export(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := to.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
