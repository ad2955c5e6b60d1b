package law_test

import (
	"context"
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/storetest"
)

// overtakenStore lets one request overtake another: after the next snapshot is taken and before it is read, it
// sends the other request. A write that reads in that snapshot commits after the other has committed.
type overtakenStore struct {
	store.Store
	other func() // nil for no request
}

// Read implements store.Store.
func (o *overtakenStore) Read(ctx context.Context, f func(store.Snapshot) error) error {
	by := o.other
	o.other = nil
	if by == nil {
		return o.Store.Read(ctx, f)
	}
	return o.Store.Read(ctx, func(snap store.Snapshot) error {
		by()
		return f(snap)
	})
}

// write sends the write i of a world. If overtakes is true, the next write is sent while this one runs. It
// returns the answers in the order of the writes.
func (s *side) write(i int, writes []write, overtakes bool) []string {
	s.startRequest(i)
	if !overtakes {
		return []string{comparedText(s.do(sourceSystem(writes[i].by), writes[i].question))}
	}
	var second string
	s.store.(*overtakenStore).other = func() {
		s.startRequest(i + 1)
		second = comparedText(s.do(sourceSystem(writes[i+1].by), writes[i+1].question))
	}
	first := comparedText(s.do(sourceSystem(writes[i].by), writes[i].question))
	return []string{first, second}
}

// TestOvertaking checks L1 in worlds whose writes overtake one another: the owners of a document depend on the
// data at its commit, not on the data that its writer read (CON-1501, CON-1603).
func TestOvertaking(t *testing.T) {
	began := time.Now()
	n := cases(t, 4_000)
	var c tally
	seeds(t, 10_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) {
			readWorld(t, seed, 40, mode{overtakes: true}, &c, &overtakenStore{Store: storetest.NewReference(nil)}, &overtakenStore{Store: p})
		})
	})
	c.logTraces(t, "reference store and embedded engine, whose writes overtake one another", began)
}
