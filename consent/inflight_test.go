package consent_test

import (
	"context"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// entering is a store that calls a hook once, before it takes the next snapshot.
type entering struct {
	store.Store
	hook func()
}

// Read implements store.Store.
func (e *entering) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if hook := e.hook; hook != nil {
		e.hook = nil
		hook()
	}
	return e.Store.Read(ctx, f)
}

// TestHistoryEndsBeforeInFlightCommits: two commits begin after a poll of a history began and before its
// snapshot is taken. The later one ends first. The poll shows neither, or the next poll shows both (REST-208).
func TestHistoryEndsBeforeInFlightCommits(t *testing.T) {
	for _, before := range []bool{false, true} { // whether anything was written before
		r := newRegion(t, policy.RelationshipAssumed)
		now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
		clock := func() time.Time { now = now.Add(time.Second); return now }
		x, err := index.New(index.Config{Base: site + "/fhir"})
		if err != nil {
			t.Fatal(err)
		}
		db := &entering{Store: r.db}
		r.guard, err = consent.Open(t.Context(), consent.Config{Store: db, State: r.db, Index: x, PublicURL: site, Decider: r.decider, Clock: clock,
			Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: policy.RelationshipAssumed}, Identity: policy.DefaultIdentity("A", "G")}})
		if err != nil {
			t.Fatal(err)
		}
		if before {
			r.mustPut(r.source("G"), body("Patient", "G.0", ""))
		}
		under, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		db.hook = func() {
			go func() {
				defer close(ended)
				r.db.set(func(store.Batch) error { close(under); <-end; return nil }, nil)
				r.mustPut(r.source("G"), body("Patient", "G.early", ""))
			}()
			<-under
			r.db.set(nil, nil)
			r.mustPut(r.source("G"), body("Patient", "G.late", ""))
		}
		met := map[string]bool{}
		since := r.poll(time.Time{}, met)
		close(end)
		<-ended
		r.poll(since, met)
		if !met["G.early"] || !met["G.late"] {
			t.Errorf("REST-208: written before: %t: who polls meets %v, want both that were written", before, met)
		}
	}
}

// poll reads the history of Patient since an instant, adds its ids to seen, and returns the instant of the
// newest version.
func (r *region) poll(since time.Time, seen map[string]bool) time.Time {
	r.Helper()
	req := consent.Request{Interaction: consent.HistoryOfType, Type: "Patient", Permission: consent.PermitRead}
	err := r.guard.Read(context.Background(), r.source("G"), req, func(v *consent.View) error {
		for d, err := range v.History(context.Background(), store.HistoryQuery{Type: "Patient", Since: since}) {
			if err != nil {
				return err
			}
			if seen[d.Ref.ID] = true; d.Updated.After(since) {
				since = d.Updated
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return since
}
