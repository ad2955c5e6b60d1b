package law_test

import (
	"fmt"
	"strings"
)

// bundleBody draws the body of a stored Bundle.
func (g *generator) bundleBody(head string) string {
	entries := g.bundleEntries()
	if g.chance(30) {
		entries = append(entries, `{"resource":`+g.parameters()+`}`)
	}
	return object(head, g.meta(10), `"type":"`+pick(g, "collection", "collection", "document", "batch-response")+`"`, g.maybe(60, `"timestamp":"`+g.date()+`"`), `"entry":[`+strings.Join(entries, ",")+`]`)
}

// parameters draws Parameters, which these worlds store only inside Bundles.
func (g *generator) parameters() string {
	parameters := []string{`{"name":"a","resource":` + g.embeddedResource("", pick(g, `{"reference":"Patient/`+g.anID("Patient")+`"}`, g.aPatient())) + `}`}
	if g.chance(40) {
		parameters = append(parameters, `{"name":"b","part":[{"name":"c","resource":`+g.embeddedResource("", `{"reference":"Patient/`+g.anID("Patient")+`"}`)+`},{"name":"d","valueString":"told"}]}`)
	}
	if g.chance(30) {
		parameters = append(parameters, `{"name":"e","valueReference":`+g.aPatient()+`}`)
	}
	if g.chance(25) {
		parameters = append(parameters, `{"name":"f","resource":{"language":"en","resourceType":"Bundle","type":"collection","entry":[`+strings.Join(g.bundleEntries(), ",")+`]}}`)
	}
	return object(`"language":"en","resourceType":"Parameters"`, g.meta(10), `"parameter":[`+strings.Join(parameters, ",")+`]`)
}

// bundleEntries draws the entries of a stored Bundle: in most cases a Patient, and resources about that
// Patient or others.
func (g *generator) bundleEntries() []string {
	var out []string
	patient := g.anID("Patient") // the owner of most entries
	of := `{"reference":"Patient/` + patient + `"}`
	if g.chance(60) {
		address := fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", g.IntN(1_000_000))
		identifier := `"identifier":[{"system":"` + nhsSystem + `","value":"` + g.spelledNumber(patient) + `"}]`
		switch g.IntN(10) {
		case 0:
			identifier = `"identifier":[{"system":"http://mrn","value":"1"}]`
		case 1, 2, 3, 4:
			address = base + "/Patient/" + patient
			identifier = g.maybe(50, identifier)
		}
		of = `{"reference":"` + address + `"}`
		out = append(out, object(`"fullUrl":"`+address+`"`, `"resource":`+object(`"language":"en","resourceType":"Patient"`, g.meta(12), identifier, g.maybe(30, `"gender":"male"`))))
	}
	for range 1 + g.IntN(3) {
		subject := of
		switch g.IntN(20) {
		case 0:
			subject = `{"reference":"urn:uuid:00000000-0000-4000-8000-000000000000"}`
		case 1:
			subject = `{"display":"somebody"}`
		case 2, 3, 4, 5:
			subject = `{"identifier":{"system":"` + nhsSystem + `","value":"` + g.spelledNumber(pick(g, patient, g.anID("Patient"))) + `"}}`
		case 6, 7:
			subject = g.aPatient()
		}
		out = append(out, `{"resource":`+g.embeddedResource(g.maybe(10, "contained"), subject)+`}`)
	}
	return out
}

// spelledNumber draws the NHS number of a Patient in one of two spellings.
func (g *generator) spelledNumber(patient string) string {
	number := g.numbers[patient]
	if len(number) != 10 {
		return number
	}
	return pick(g, number, number[:3]+" "+number[3:6]+" "+number[6:])
}

// embeddedResource draws an embedded resource about a subject. Its first member is not resourceType, since
// resourceTypes would count it as an entry of the answer. If contained is not empty, it contains a Patient.
func (g *generator) embeddedResource(contained, subject string) string {
	if contained != "" {
		contained = `"contained":[` + object(`"resourceType":"Patient","id":"e"`, g.meta(40), `"identifier":[{"system":"`+nhsSystem+`","value":"`+g.spelledNumber(g.anID("Patient"))+`"}]`) + `],"performer":[{"reference":"#e"}]`
	}
	return object(`"language":"en","resourceType":"Observation","status":"final"`, g.meta(20), `"code":`+g.concept(), `"subject":`+subject, contained, g.maybe(30, note), g.maybe(10, `"hasMember":[`+g.aRow("Observation")+`]`))
}
