package law_test

import (
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

// TestRules checks L1 under random decisions that hide records, documents and elements, on the reference
// store and the embedded engine (CON-1202, CON-1207, CON-1501).
func TestRules(t *testing.T) {
	began := time.Now()
	n := cases(t, 24_000)
	var c tally
	seeds(t, 4_050_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readWorld(t, seed, 100, mode{rules: true}, &c, storetest.NewReference(nil), p) })
	})
	c.logAndCheck(t, "reference store and embedded engine, by rules", began)
}

// TestRulesOnMongoDB checks L1 under random decisions on MongoDB.
func TestRulesOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 1_000)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 5_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		readWorld(t, seed, 60, mode{rules: true}, &c, openMongo(t, server))
	})
	c.logAndCheck(t, server.Describe()+", by rules", began)
}

// TestTracesByRules checks L2 under random decisions, with the same decision on both sides.
func TestTracesByRules(t *testing.T) {
	began := time.Now()
	n := cases(t, 5_000)
	var c tally
	seeds(t, 6_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { traceWorld(t, seed, mode{rules: true}, &c, storetest.NewReference(nil), p) })
	})
	c.logTraces(t, "reference store and embedded engine, by rules", began)
}
