package consent_test

import (
	"fmt"
	"testing"

	"carerecord/consent/policy"
	"carerecord/store"
)

// TestReindexDuringWrites: a walk ends although other commits conflict with each of its pages of more than one
// document.
func TestReindexDuringWrites(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	const n = 60
	r.named(n, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
	for i := range n {
		r.unkey("Observation", fmt.Sprintf("A.%d", i))
	}
	overtaken := 0
	r.db.set(func(b store.Batch) error {
		if len(b.Writes) > 1 {
			overtaken++
			r.rekey("Observation", b.Writes[len(b.Writes)-1].Doc.Ref.ID, func(keys []store.Key) []store.Key { return keys })
		}
		return nil
	}, nil)
	r.reindex()
	r.db.set(nil, nil)
	if overtaken < 21 {
		t.Errorf("%d pages were overtaken: the test tests nothing", overtaken)
	}
	r.checked()
}
