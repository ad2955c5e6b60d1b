package law_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// everything draws $everything of a patient or an encounter.
func (g *generator) everything() question {
	owner := pick(g, "Patient", "Patient", "Patient", "Encounter")
	id := g.anID(owner)
	q := question{method: "GET", path: "/" + owner + "/" + id + "/$everything", patientID: patientNamed(owner, id)}
	if g.chance(6) {
		q.path, q.patientID = "/Patient/$everything", ""
	}
	param := func(name, value string) string { return name + "=" + url.QueryEscape(value) }
	var params []string
	if g.chance(45) {
		params = append(params, fmt.Sprintf("_count=%d", g.IntN(8)))
	}
	if g.chance(25) {
		params = append(params, param("_type", pick(g, "Observation", "Patient,Encounter", "Condition,Practitioner,Organization", "Consent,Provenance,List", "Observation,Medication,MedicationRequest")))
		if g.chance(30) {
			params = append(params, "_type=Observation")
		}
	}
	if g.chance(20) {
		params = append(params, fmt.Sprintf("_since=2026-06-01T12:00:%02dZ", g.IntN(60)))
	}
	if owner == "Patient" && g.chance(25) {
		params = append(params, param(pick(g, "start", "end"), g.date()[:10]))
	}
	if g.chance(10) {
		q.method, q.header = "POST", []string{"Content-Type", "application/fhir+json"}
		q.body = `{"resourceType":"Parameters","parameter":[{"name":"_count","valueInteger":4}]}`
		params = slices.DeleteFunc(params, func(p string) bool { return strings.HasPrefix(p, "_count") })
	}
	if q.method == "GET" && g.chance(5) {
		q.method = "HEAD"
	}
	if len(params) > 0 {
		q.path += "?" + strings.Join(params, "&")
	}
	return q
}

// personOperation draws $sources or $ihe-pix.
func (g *generator) personOperation() question {
	id := g.anID("Patient")
	q := question{method: pick(g, "GET", "GET", "POST"), path: "/Patient/" + id + "/$sources", patientID: id}
	if number := g.numbers[id]; number != "" && g.chance(60) {
		q.patientID, q.patientNumber = "", number
		q.path = "/Patient/$ihe-pix?sourceIdentifier=" + url.QueryEscape(nhsSystem+"|"+number)
		if g.chance(20) {
			q.path += "&targetSystem=" + url.QueryEscape("http://local")
		}
	}
	return q
}

// lastN draws Observation/$lastn of a patient.
func (g *generator) lastN() question {
	q := question{patientID: g.anID("Patient")}
	q.method, q.path = "GET", "/Observation/$lastn?patient=Patient/"+q.patientID+"&"+g.fill("Observation", pick(g, "code=%c", "code=%c,one,two", "code:not=%c"))
	if g.chance(50) {
		q.path += fmt.Sprintf("&max=%d", 1+g.IntN(3))
	}
	if g.chance(40) {
		q.path += "&" + g.fill("Observation", pick(g, "date=ge%d", "status=final", "_tag=http://t|a", "performer:missing=true"))
	}
	if g.chance(15) {
		q.method = "POST"
	}
	return q
}

// validate draws $validate of a body, on a type or an id. Its answer depends on no stored data (SMART-300).
func (g *generator) validate() question {
	typ, id := g.knownID()
	q := question{method: "POST", path: "/" + typ + "/$validate"}
	if g.chance(40) {
		q.path = "/" + typ + "/" + id + "/$validate"
	}
	if q.body = g.anyBody(typ, id, "XAC01"); g.chance(40) {
		q.body = strings.Replace(q.body, `"status":"`, `"status":"wrong-`, 1)
	}
	return q
}

// namedTypes returns the types in the _type parameters of a path.
func namedTypes(path string) []string {
	_, query, _ := strings.Cut(path, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(strings.Join(values["_type"], ","), func(c rune) bool { return c == ',' })
}
