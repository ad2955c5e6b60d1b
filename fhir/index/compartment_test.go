package index_test

import (
	"testing"

	"carerecord/fhir/r4"
)

// TestWithinServesEveryCompartment: every parameter of the five definitions is
// served for every member type (SRCH-153, 154).
func TestWithinServesEveryCompartment(t *testing.T) {
	x := newIndexer(t)
	for _, compartment := range []string{"Patient", "Encounter", "Practitioner", "RelatedPerson", "Device"} {
		members := r4.Compartment(compartment)
		if len(members) == 0 {
			t.Errorf("%s has no members", compartment)
		}
		for typ, params := range members {
			if _, err := x.InCompartment(compartment, "1", typ, params); err != nil {
				t.Errorf("SRCH-153: %v", err)
			}
		}
	}
}
