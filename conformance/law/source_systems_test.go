package law_test

import (
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/storetest"
)

// TestSourceSystems checks L1 for source systems in worlds whose rows refer to Patients of other sources, by id
// and by NHS numbers of several Patients. The answer depends only on the rows of the source system, not on the
// owners of these rows (CON-1501, OPER-014, OPER-040).
func TestSourceSystems(t *testing.T) {
	began := time.Now()
	n := cases(t, 6_000)
	var c tally
	seeds(t, 9_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) {
			readWorld(t, seed, 100, mode{onlySourceSystems: true}, &c, storetest.NewReference(nil), p)
		})
	})
	t.Logf("%d cases of source systems in %.0f s; the unguarded answer differs in %d, the guarded one has a row in %d, both in %d", c.cases, time.Since(began).Seconds(), c.differing, c.withRow, c.differingWithRow)
	if c.differingWithRow < c.cases/6 && !isPartialRun() { // one of three requesters is a source system
		t.Errorf("CON-1511: %d of %d cases differ and have a row, want a sixth", c.differingWithRow, c.cases)
	}
}
