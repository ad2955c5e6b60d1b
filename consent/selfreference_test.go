package consent_test

import (
	"fmt"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
)

// TestBacklogEnds: dependents of an NHS number are rekeyed where a Patient refers to its own number, in any order
// of the store (LIM-002, CON-406).
func TestBacklogEnds(t *testing.T) {
	for i := range 16 {
		r := newRegion(t, policy.RelationshipAssumed)
		id := fmt.Sprintf("G.%d", i)
		r.mustPut(r.source("G"), byNumber("G.n", number))
		r.mustPut(r.source("G"), fmt.Sprintf(`{"resourceType":"Patient","id":%q,"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":%q}],`+
			`"link":[{"other":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":%q}},"type":"seealso"}]}`, id, number, number))
		if names, _ := r.guard.Backlog(); names > 0 {
			t.Errorf("%s: documents of %d names are still to be keyed", id, names)
		}
		if !r.sees(r.staff("A"), "Observation", "G.n") {
			t.Errorf("%s: the row by its number is hidden", id)
		}
	}
}

// TestNumberOfAnOwner: a document with a copy of its patient names the number in addition to the id. If several
// Patients have the number, the owner sees it, and a denial of the owner, or of another Patient that has the
// number alone, hides it (CON-402, CON-407).
func TestNumberOfAnOwner(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	for _, id := range []string{"G.1", "G.2"} {
		r.mustPut(r.source("G"), patientWith(id, number))
	}
	r.mustPut(r.source("G"), body("Patient", "G.3", ""))
	copied := `"contained":[{"resourceType":"Patient","id":"p","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}]}],"performer":[{"reference":"#p"}],`
	r.mustPut(r.source("G"), observation("G.own", "G.1", copied))
	r.mustPut(r.source("G"), observation("G.other", "G.3", copied))
	sees := func(when string, p consent.Principal, own, other bool) {
		t.Helper()
		r.caughtUp()
		for id, want := range map[string]bool{"G.own": own, "G.other": other} {
			if got := r.sees(p, "Observation", id); got != want {
				t.Errorf("%s: %s is seen: %t, want %t", when, id, got, want)
			}
		}
		r.checked()
	}
	sees("two bear the number, the owner", r.patient("G.1"), true, false)
	sees("two bear the number, somebody else", r.patient("G.3"), false, false)
	sees("two bear the number, staff", r.staff("A"), true, true)
	r.mustPut(r.source("G"), directive("G.c", "denial", logic))
	sees("the number is denied", r.staff("A"), false, false)
	r.mustPut(r.source("G"), strings.Replace(directive("G.c", "denial", logic), `"active"`, `"inactive"`, 1))
	r.mustPut(r.source("G"), directive("G.d", "denial", to("Patient/G.2")))
	sees("the other Patient of the number denies (IDN-130)", r.staff("A"), false, false)
	r.mustPut(r.source("G"), patientWith("G.1", "9990000026"))
	sees("the other one alone bears the number", r.staff("A"), false, false)
}
