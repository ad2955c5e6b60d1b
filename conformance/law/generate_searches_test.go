package law_test

import (
	"fmt"
	"net/url"
	"strings"
)

// typeSearch draws a search of one type, about one patient or all.
func (g *generator) typeSearch() question {
	typ := pick(g, "Observation", "Observation", "Observation", "Observation", "Patient", "Patient", "Condition", "Condition", "Encounter", "Encounter", "MedicationRequest",
		"AllergyIntolerance", "DocumentReference", "Appointment", "List", "Provenance", "Consent", "Group", "CareTeam", "Bundle", pick(g, "Organization", "RiskAssessment", "Location", "ValueSet"))
	q := question{method: "GET"}
	var params []string
	if names := patientParams[typ]; len(names) > 0 && g.chance(22) {
		q.patientID = g.anID("Patient")
		params = append(params, pick(g, names...)+"="+pick(g, "Patient/", "Patient/", base+"/Patient/")+q.patientID)
		if g.chance(15) {
			q.patientNumber, q.patientID = g.numbers[q.patientID], ""
			params[0] = names[0] + ":identifier=" + url.QueryEscape(nhsSystem+"|"+q.patientNumber)
		}
	}
	if typ == "Patient" && g.chance(20) {
		id := g.anID("Patient")
		if g.chance(50) {
			q.patientID = id
			params = append(params, "_id="+id)
		} else {
			q.patientNumber = g.numbers[id]
			params = append(params, "identifier="+url.QueryEscape(nhsSystem+"|"+q.patientNumber))
		}
	}
	for range pick(g, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2) {
		param := g.fill(typ, pick(g, append(filters[typ], anyTypeFilters...)...))
		if typ == "Patient" && strings.HasPrefix(param, "_id=") && !strings.Contains(param, "%2C") {
			continue // would refer to another patient
		}
		params = append(params, param)
	}
	if g.chance(32) {
		more := rareAnyTypeFilters
		if len(rareFilters[typ]) > 0 && g.chance(65) {
			more = rareFilters[typ]
		}
		params = append(params, g.fill(typ, pick(g, more...)))
	}
	if typ == "Observation" && g.chance(18) {
		params = append(params, g.fill(typ, pick(g, rarestFilters...)))
	}
	if g.chance(2) {
		params = append(params, pick(g, refusedOrIgnored...))
	}
	joined := false
	if joins := chainFilters[typ]; len(joins) > 0 && (g.chance(15) || typ == "Patient" && g.chance(12)) {
		joined = true
		params = append(params, g.fill(typ, pick(g, joins...)))
	}
	if more := joinFilters[typ]; len(more) > 0 && g.chance(12) {
		params = append(params, g.fill(typ, pick(g, more...)))
	}
	if s := sortValues[typ]; len(s) > 0 && g.chance(25) {
		params = append(params, "_sort="+pick(g, s...))
	}
	if g.chance(35) {
		params = append(params, fmt.Sprintf("_count=%d", 1+g.IntN(5)))
	}
	switch n := g.IntN(8); {
	case n == 0:
		params = append(params, pick(g, "_summary=count", "_summary=count", "_count=0"))
	case n <= 2:
		params = append(params, "_total="+pick(g, "accurate", "none"))
	case n <= 4 && joined: // otherwise the pages are streamed
		params = append(params, "_total=accurate")
	}
	if inc := includeValues[typ]; len(inc) > 0 && g.chance(35) {
		params = append(params, pick(g, "_include=", "_include=", "_include:iterate=")+typ+":"+pick(g, inc...))
	}
	if g.chance(12) {
		params = append(params, pick(g, "_include=*", "_include="+typ+":*", "_revinclude=Observation:subject", "_revinclude=Provenance:target", "_revinclude=List:item",
			"_revinclude=Observation:has-member", "_revinclude:iterate=Provenance:target", "_revinclude=Consent:patient", "_revinclude=Encounter:*"))
		if g.chance(40) {
			params = append(params, pick(g, "_include:iterate=Observation:subject", "_include:iterate=Observation:encounter", "_revinclude:iterate=Condition:patient"))
		}
	}
	if g.chance(12) {
		params = append(params, pick(g, "_elements=status", "_elements=code,subject", "_summary=true", "_summary=data", "_summary=false"))
		if strings.Contains(strings.Join(params, "&"), "_summary=count") {
			params = params[:len(params)-1]
		}
	}
	return g.asRequest(q, "/"+typ, params)
}

// asRequest completes a search question: GET, HEAD, or POST of a form.
func (g *generator) asRequest(q question, path string, params []string) question {
	head := g.chance(2)
	query := strings.Join(params, "&")
	if !head && g.chance(2) { // indented, the notice S2 is longer
		query = strings.Join(append(params, pick(g, "_pretty=true", "_format=json")), "&")
	}
	switch q.path = path; {
	case head:
		q.method, q.path = "HEAD", path+"?"+query
	case g.chance(8):
		q.method, q.path, q.body = "POST", path+"/_search", query
		q.header = []string{"Content-Type", "application/x-www-form-urlencoded"}
	case query != "":
		q.path += "?" + query
	}
	return q
}

// systemSearch draws a search of several types, or of a compartment.
func (g *generator) systemSearch() question {
	var params []string
	if g.chance(40) {
		params = append(params, g.fill("Observation", pick(g, anyTypeFilters[:6]...)))
	}
	if g.chance(30) {
		params = append(params, fmt.Sprintf("_count=%d", 1+g.IntN(4)))
	}
	if g.chance(30) {
		params = append(params, pick(g, "_sort=-_lastUpdated", "_sort=_id", "_total=accurate", "_summary=count"))
	}
	if g.chance(40) {
		types := pick(g, "Patient,Observation", "Observation,Condition,Encounter", "Organization,Practitioner", "Consent,Provenance,List")
		return g.asRequest(question{method: "GET"}, "", append(params, "_type="+types))
	}
	owner, id := "Patient", g.anID("Patient")
	if g.chance(25) {
		owner = pick(g, "Encounter", "Practitioner")
		id = g.anID(owner)
	}
	member := "*"
	if g.chance(60) {
		member = map[string]string{"Patient": pick(g, "Observation", "Condition", "Appointment", "Provenance", "Patient", "Encounter", "Group", "CareTeam"), "Encounter": "Observation", "Practitioner": "Observation"}[owner]
	}
	q := question{method: "GET", patientID: patientNamed(owner, id)}
	return g.asRequest(q, "/"+owner+"/"+id+"/"+member, params)
}
