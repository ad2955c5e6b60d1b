package consent_test

import (
	"testing"

	"carerecord/consent/policy"
)

// TestUpdatesBlockNobody: while a source system decides about a write, another one updates the document that
// the write is about, without a change of its owners. The write succeeds at once: many updates of a Patient
// do not block writes about the patient (LIM-002).
func TestUpdatesBlockNobody(t *testing.T) {
	renamed := func(id string) string {
		return body("Patient", id, `,"name":[{"family":"Ely"}],"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`+number+`"}]`)
	}
	changed := `"note":[{"text":"seen again"}],`
	for name, c := range map[string]struct {
		before []string // of feed A and G
		write  string   // of feed A
		update string   // of feed G
	}{
		"the Patient, by id":      {[]string{patientWith("G.1", number)}, observation("A.o", "G.1", ""), renamed("G.1")},
		"the Patient, by number":  {[]string{patientWith("G.1", number)}, byNumber("A.o", number), renamed("G.1")},
		"a Patient of two":        {[]string{patientWith("G.1", number), patientWith("G.2", number)}, byNumber("A.o", number), renamed("G.2")},
		"the target":              {[]string{patientWith("G.1", number), observation("G.o", "G.1", "")}, body("Provenance", "A.p", `,"target":[`+to("Observation/G.o")+`]`), observation("G.o", "G.1", changed)},
		"an entry":                {[]string{patientWith("G.1", number), observation("G.o", "G.1", "")}, listOf("A.l", 1, func(int) string { return "Observation/G.o" }), observation("G.o", "G.1", changed)},
		"a member":                {[]string{patientWith("G.1", number)}, body("Group", "A.g", `,"type":"person","actual":true,"member":[{"entity":`+to("Patient/G.1")+`}]`), renamed("G.1")},
		"the Patient of a Binary": {[]string{patientWith("G.1", number)}, body("Binary", "A.b", `,"contentType":"text/plain","securityContext":`+to("Patient/G.1")+`,"data":"b25l"`), renamed("G.1")},
	} {
		r := newRegion(t, policy.RelationshipAssumed)
		for _, b := range c.before {
			r.mustPut(r.source("G"), b)
		}
		if err := r.putAfter(r.source("A"), c.write, func() { r.mustPut(r.source("G"), c.update) }); err != nil {
			t.Errorf("%s is updated meanwhile: %v", name, err)
		}
		r.caughtUp()
		r.checked()
		r.verified()
	}
}
