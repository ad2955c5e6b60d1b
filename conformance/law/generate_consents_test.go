package law_test

// consent draws a Consent: an opt-out, another directive, or a directive that the server does not understand
// (CON-641).
func (g *generator) consent(head string) string {
	scope, category, policy := coding(consentScope, "patient-privacy"), coding("http://snomed.info/sct", "416409005"), coding(actCode, "OPTOUT")
	status, provision := `"status":"`+pick(g, "active", "active", "active", "inactive")+`"`, ""
	switch g.IntN(14) {
	case 0:
		category = coding("http://loinc.org", "59284-0") // another directive
	case 1:
		scope = coding(consentScope, "treatment")
		category = coding("http://loinc.org", "59284-0")
	case 2:
		category, policy = coding(actCode, "INFA"), coding(actCode, "parental-responsibility")
	case 3:
		scope = `{"text":"privacy"}`
	case 4:
		scope = coding(consentScope, "patient-privasy")
	case 5:
		scope = coding("http://wrong", pick(g, "treatment", "adr"))
	case 6:
		status = `"_status":{"extension":[{"url":"http://s","valueCode":"active"}]}`
	case 7:
		provision = `"provision":{"type":"deny"}` // an opt-out in the form of most profiles
	case 8:
		provision = `"provision":{"type":"deny","code":[{"text":"some"}]}`
	}
	return object(head, g.meta(12), status, `"scope":`+scope, `"category":[`+category+`]`, g.consentPatient(), `"policyRule":`+policy, provision)
}

const (
	consentScope = "http://terminology.hl7.org/CodeSystem/consentscope"
	actCode      = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

// consentPatient draws the member patient of a Consent, in one of the forms that a source system may send.
func (g *generator) consentPatient() string {
	id := g.patients[g.IntN(len(g.patients))]
	number := g.numbers[id]
	spaced := number[:3] + " " + number[3:6] + " " + number[6:]
	identifier := `"identifier":{"system":"` + nhsSystem + `","value":"` + pick(g, number, spaced) + `"}`
	switch g.IntN(12) {
	case 0, 1:
		return `"patient":{` + identifier + `}`
	case 2:
		return `"patient":{"reference":"https://elsewhere.test/fhir/Patient/x",` + identifier + `}`
	case 3:
		return `"contained":[{"resourceType":"Patient","id":"p","identifier":[{"system":"` + nhsSystem + `","value":"` + number + `"}]}],"patient":{"reference":"#p"}`
	case 4:
		return `"patient":{"reference":"Patient/nobody"}`
	case 5:
		return `"patient":{"reference":"` + spellAddress("Patient/"+id+"/_history/1", g.nextSpelling()) + `","display":"x"}`
	}
	return `"patient":{"reference":"Patient/` + id + `"}`
}
