package consent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"carerecord/consent/policy"
	"carerecord/store"
)

// slowStore is a store that commits some batches without their preconditions: it checks them, waits, and then
// commits. An engine may do so with a batch that is committed at the same time as another.
type slowStore struct {
	store.Store
	pick  func(store.Batch) bool
	until func() // the batch waits here
}

// Commit implements store.Store.
func (s *slowStore) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if s.pick == nil || !s.pick(b) {
		return s.Store.Commit(ctx, b)
	}
	tested := store.Batch{Checks: b.Checks, Absent: b.Absent}
	if _, err := s.Store.Commit(ctx, tested); err != nil {
		return 0, err
	}
	s.until()
	b.Checks, b.Absent = nil, nil
	return s.Store.Commit(ctx, b)
}

// TestChangeWaitsForDependents: a row names a number, and a Patient with the number is written at the same
// time. The engine commits both. The row is keyed by the Patient (CON-1509, CON-1603).
func TestChangeWaitsForDependents(t *testing.T) {
	for _, others := range []bool{false, true} {
		r := newRegion(t, policy.RelationshipAssumed)
		db := &slowStore{Store: r.db}
		r.reopen(db)
		r.mustPut(r.source("G"), directive("G.c", "denial", to("Patient/G.1")))
		if others { // something depends on the number already
			r.mustPut(r.source("G"), byNumber("G.n", number))
		}
		under, ended, failed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		db.pick = func(b store.Batch) bool { return len(b.Writes) > 0 && b.Writes[0].Doc.Ref.ID == "A.n" }
		db.until = func() {
			close(under)
			select { // the Patient waits for this row, or does not wait at all
			case <-ended:
			case <-time.After(100 * time.Millisecond):
			}
		}
		go func() { failed <- r.put(r.source("A"), byNumber("A.n", number)) }()
		<-under
		db.pick = nil
		err := r.put(r.source("G"), patientWith("G.1", number))
		if errors.Is(err, store.ErrConflict) { // the row came first: package rest begins again
			err = r.put(r.source("G"), patientWith("G.1", number))
		}
		if err != nil {
			t.Fatal(err)
		}
		close(ended)
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		r.caughtUp()
		if r.sees(r.staff("A"), "Observation", "A.n") {
			t.Errorf("others: %t: the row by the number of a Patient who denies is seen", others)
		}
		r.checked()
		r.verified()
	}
}
