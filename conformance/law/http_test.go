package law_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
)

// TestReadingOverHTTP checks L1 over HTTP, in every second world under random decisions, on the embedded engine
// (CON-1501, CON-1506).
func TestReadingOverHTTP(t *testing.T) {
	began := time.Now()
	n := cases(t, 10_000)
	var c tally
	seeds(t, 8_000_008, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readWorld(t, seed, 100, mode{http: true, rules: seed%2 == 0}, &c, p) })
	})
	c.logAndCheck(t, "embedded engine, over HTTP", began)
	c.checkMinima(t, readingCases, readings)
	c.checkLinks(t)
}

// TestReadingOverHTTPOnMongoDB checks the same on MongoDB.
func TestReadingOverHTTPOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 1_000)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 9_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		readWorld(t, seed, 60, mode{http: true, rules: seed%2 == 0}, &c, openMongo(t, server))
	})
	c.logAndCheck(t, server.Describe()+", over HTTP", began)
}

// TestTracesOverHTTP checks L2 over HTTP, in every second world under random decisions (CON-1502).
func TestTracesOverHTTP(t *testing.T) {
	began := time.Now()
	n := cases(t, 3_000)
	var c tally
	seeds(t, 10_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) {
			traceWorld(t, seed, mode{http: true, rules: seed%2 == 0}, &c, p)
		})
	})
	c.logTraces(t, "embedded engine, over HTTP", began)
	c.checkMinima(t, traceCases, writings)
}

// TestTracesOverHTTPOnMongoDB checks the same on MongoDB.
func TestTracesOverHTTPOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 250)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 11_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		traceWorld(t, seed, mode{http: true, rules: seed%2 == 0}, &c, openMongo(t, server))
	})
	c.logTraces(t, server.Describe()+", over HTTP", began)
}

// checkLinks fails unless the relations of links in answers are those of pageLinks.
func (c *tally) checkLinks(t *testing.T) {
	t.Helper()
	if got, want := slices.Sorted(maps.Keys(c.links)), slices.Sorted(maps.Keys(pageLinks)); !slices.Equal(got, want) {
		t.Errorf("CON-1504, channel 06: answers have links %v, the table has %v", got, want)
	}
}
