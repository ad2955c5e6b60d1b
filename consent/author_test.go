package consent_test

import (
	"errors"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
)

// TestPersonsRecordForOnePatient: a directive that a person records names only its patient, in every form: it
// would refuse for others too, or their refusal would hide it from those who may end it (CON-502, CON-640).
func TestPersonsRecordForOnePatient(t *testing.T) {
	const stranger = `{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000026"}`
	own := `{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}`
	r := newRegion(t, policy.RelationshipAssumed)
	registered := `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}]}`
	r.mustPut(r.source("G"), patientWith("G.1", "9990000034")) // by mistake
	r.mustPut(r.source("G"), strings.TrimSuffix(patientWith("G.1", number), "}")+registered)
	r.mustPut(r.source("G"), patientWith("G.2", "9990000026"))
	for name, c := range map[string]struct {
		patient, more string
		well          bool
	}{
		"the reference alone":                      {`{"reference":"Patient/G.1"}`, ``, true},
		"the number of the patient":                {`{"reference":"Patient/G.1","identifier":` + own + `}`, ``, true},
		"the number of a stranger":                 {`{"reference":"Patient/G.1","identifier":` + stranger + `}`, ``, false},
		"a number that the Patient has by mistake": {`{"reference":"Patient/G.1","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000034"}}`, ``, false},
		"in an extension":                          {`{"reference":"Patient/G.1","extension":[{"url":"http://e","valueIdentifier":` + stranger + `}]}`, ``, false},
		"by reference there":                       {`{"reference":"Patient/G.1","extension":[{"url":"http://e","valueReference":{"reference":"Patient/G.2"}}]}`, ``, false},
		"in addition to the literal":               {`{"reference":"Patient/G.1","_reference":{"extension":[{"url":"http://e","valueReference":{"reference":"Patient/G.2"}}]}}`, ``, false},
		"another one who performs":                 {`{"reference":"Patient/G.1"}`, `,"performer":[{"reference":"Patient/G.2"}]`, false},
		"the patient who performs":                 {`{"reference":"Patient/G.1"}`, `,"performer":[{"reference":"Patient/G.1"}]`, true},
		"another one who verifies":                 {`{"reference":"Patient/G.1"}`, `,"verification":[{"verified":true,"verifiedWith":{"reference":"Patient/G.2"}}]`, false},
		"a contained one":                          {`{"reference":"Patient/G.1"}`, `,"contained":[{"resourceType":"Patient","id":"p","identifier":[` + stranger + `]}],"performer":[{"reference":"#p"}]`, false},
		"a contained copy of itself":               {`{"reference":"Patient/G.1"}`, `,"contained":[{"resourceType":"Patient","id":"p","identifier":[` + own + `]}],"performer":[{"reference":"#p"}]`, true},
	} {
		for who, p := range map[string]consent.Principal{"patient": r.patient("G.1"), "practice": r.staff("G", policy.ActivityOptOut)} {
			text := strings.TrimSuffix(directive("made", "opt-out", c.patient), "}") + c.more + "}"
			err := r.tryCreate(p, strings.ReplaceAll(text, `"made"`, `"`+strings.ReplaceAll(who+name, " ", "-")+`"`))
			var refused *fhir.Error
			if c.well != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Status != 422) {
				t.Errorf("%s by %s: got %v, want taken %t", name, who, err, c.well)
			}
		}
	}
}
