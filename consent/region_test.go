package consent_test

import (
	"context"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// restart opens another Guard over the same store.
func (r *region) restart() {
	r.Helper()
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		r.Fatal(err)
	}
	state, _ := r.db.(store.State)
	r.guard, err = consent.Open(context.Background(), consent.Config{Store: r.db, State: state, Index: x, PublicURL: site, Decider: r.decider,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: policy.RelationshipAssumed}}})
	if err != nil {
		r.Fatal(err)
	}
}

// reindex keys every document anew.
func (r *region) reindex() {
	r.Helper()
	_, err := r.guard.Reindex(context.Background(), r.db.(store.State), func(ctx context.Context, _ consent.Reindexing) error { return ctx.Err() })
	if err != nil {
		r.Fatal(err)
	}
}
