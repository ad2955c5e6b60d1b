package consent_test

import (
	"context"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/fhir/index"
	"carerecord/store"
)

// restart opens another Guard over the same store.
func (r *region) restart() {
	r.Helper()
	r.reopen(r.db)
}

// reopen opens another Guard with another store of the same content.
func (r *region) reopen(s store.Store) {
	r.Helper()
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		r.Fatal(err)
	}
	r.guard, err = consent.Open(context.Background(), consent.Config{Store: s, State: r.db, Index: x, PublicURL: site, Decider: r.decider,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: policy.RelationshipAssumed}, Identity: policy.DefaultIdentity("A", "G")}})
	if err != nil {
		r.Fatal(err)
	}
}

// reindex rekeys every document.
func (r *region) reindex() {
	r.Helper()
	r.reindexing(func(reindex.Walk) {})
}

// reindexing calls before with the position of the next page.
func (r *region) reindexing(before func(next reindex.Walk)) {
	r.Helper()
	_, err := reindex.New(r.guard, r.db, time.Now).All(context.Background(), func(ctx context.Context, next reindex.Walk) error {
		before(next)
		return ctx.Err()
	})
	if err != nil {
		r.Fatal(err)
	}
}
