package law_test

import (
	"encoding/base64"
	"strings"
)

// binary draws the body of a Binary, with or without a securityContext.
func (g *generator) binary(head string) string {
	context := ""
	switch g.IntN(6) {
	case 0:
		context = `"securityContext":{"reference":"Patient/` + g.patients[g.IntN(len(g.patients))] + `"}`
	case 1:
		context = `"securityContext":` + g.aRow("DocumentReference", "Observation", "Consent")
	}
	return object(head, g.meta(10), `"contentType":"`+pick(g, "text/plain", "application/pdf")+`"`, context, `"data":"`+g.payload()+`"`)
}

// attachment draws an Attachment of a document: a title, with or without the address of a Binary.
func (g *generator) attachment() string {
	if g.chance(30) {
		return `{"title":"x"}`
	}
	return `{"title":"x","url":"` + pick(g, "", base+"/") + "Binary/" + g.anID("Binary") + `"}` // the title remains if rules cut the address
}

// binaryRead draws a read of a Binary as content or as FHIR.
func (g *generator) binaryRead() question {
	q := question{method: pick(g, "GET", "GET", "HEAD"), path: "/Binary/" + g.anID("Binary")}
	if g.chance(25) {
		q.path += "/_history/1"
	}
	if g.chance(50) {
		q.header = []string{"Accept", pick(g, "application/fhir+json", "text/plain", "application/pdf, */*;q=0.1")}
	}
	return q
}

// payload draws the data of a Binary: a word or a FHIR resource.
func (g *generator) payload() string {
	if !g.chance(35) {
		return pick(g, "b25l", "dHdv", "dGhyZWU=")
	}
	body := g.embeddedResource("", g.aPatient())
	if g.chance(40) {
		body = `{"language":"en","resourceType":"Bundle","type":"collection","entry":[` + strings.Join(g.bundleEntries(), ",") + `]}`
	}
	return base64.StdEncoding.EncodeToString([]byte(body))
}
