package consent_test

import (
	"fmt"
	"testing"

	"carerecord/consent/policy"
)

// TestBacklogEnds: what depends on an NHS number is keyed anew where a Patient refers to
// its own number, whatever the order of the store (LIM-002, CON-406).
func TestBacklogEnds(t *testing.T) {
	for i := range 16 {
		r := newRegion(t, policy.RelationshipAssumed)
		id := fmt.Sprintf("G.%d", i)
		r.mustPut(r.feed("G"), byNumber("G.n", number))
		r.mustPut(r.feed("G"), fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":%q}],`+
			`"link":[{"other":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":%q}},"type":"seealso"}]}`, id, number, number))
		if names, _ := r.guard.Backlog(); names > 0 {
			t.Errorf("%s: documents of %d names are still to be keyed", id, names)
		}
		if !r.sees(r.clinician("A"), "Observation", "G.n") {
			t.Errorf("%s: the row by its number is hidden", id)
		}
	}
}
