package law_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

// cases returns the number of requests of a run: CARERECORD_LAW_CASES if it is set, else n, divided by twenty
// with the race detector and multiplied by CARERECORD_SOAK.
func cases(t testing.TB, n int) int {
	if text := os.Getenv("CARERECORD_LAW_CASES"); text != "" {
		most, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("CARERECORD_LAW_CASES: %v", err)
		}
		return most
	}
	if raceDetector {
		n /= 20
	}
	if text := os.Getenv("CARERECORD_SOAK"); text != "" {
		times, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("CARERECORD_SOAK: %v", err)
		}
		n *= times
	}
	return n
}

// seeds calls run with CARERECORD_LAW_SEED if it is set, else with the seeds from first on until enough returns
// true.
func seeds(t testing.TB, first uint64, enough func() bool, run func(seed uint64)) {
	if text := os.Getenv("CARERECORD_LAW_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("CARERECORD_LAW_SEED: %v", err)
		}
		run(seed)
		return
	}
	for seed := first; !enough(); seed++ {
		run(seed)
	}
}

// TestReading checks L1 on the reference store and the embedded engine, each case on both (CON-1501, CON-1503; VIS-001, VIS-002, VIS-003, VIS-004, VIS-005,
// VIS-010, SMART-251).
func TestReading(t *testing.T) {
	began := time.Now()
	n := cases(t, readingCases)
	var c tally
	seeds(t, 1, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readWorld(t, seed, 100, mode{}, &c, storetest.NewReference(nil), p) })
	})
	c.logAndCheck(t, "reference store and embedded engine", began)
	c.checkMinima(t, readingCases, readings)
}

// TestReadingOnMongoDB checks L1 on MongoDB.
func TestReadingOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 1_000)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 1_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		readWorld(t, seed, 60, mode{}, &c, openMongo(t, server))
	})
	c.logAndCheck(t, server.Describe(), began)
}

// TestTraces checks L2 on the reference store and the embedded engine, each request on both (CON-1502, CON-1304, CON-1305; VIS-006, VIS-007, VIS-008,
// VIS-009, VIS-012; SMART-287, SMART-289).
func TestTraces(t *testing.T) {
	began := time.Now()
	n := cases(t, traceCases)
	var c tally
	seeds(t, 2_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { traceWorld(t, seed, mode{}, &c, storetest.NewReference(nil), p) })
	})
	c.logTraces(t, "reference store and embedded engine", began)
	c.checkMinima(t, traceCases, writings)
}

// TestTracesOnMongoDB checks L2 on MongoDB.
func TestTracesOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 500)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 3_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		traceWorld(t, seed, mode{}, &c, openMongo(t, server))
	})
	c.logTraces(t, server.Describe(), began)
}

// onPebble calls f with an empty store of the embedded engine. It is in memory, since these tests are not about
// durability.
func onPebble(t *testing.T, f func(store.Store)) {
	p, err := pebble.Open(pebble.Config{Dir: "world", FS: vfs.NewMem(), Cache: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	f(p)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func openMongo(t testing.TB, server *mongotest.Server) store.Store {
	uri, name := server.Database(t)
	s, err := mongo.Open(context.Background(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
