package law_test

import (
	"fmt"
	"strings"

	"carerecord/consent"
	"carerecord/consent/policy"
)

// requester draws a requester with random scopes. A patient is a Patient of the world.
func (g *generator) requester() consent.Principal {
	p := g.unscoped()
	g.containedDraws.patients = g.patients
	return g.containedDraws.limitScopes(p)
}

// unscoped draws a requester whose scopes are of whole types.
func (g *generator) unscoped() consent.Principal {
	scope := func(level string) string {
		if !g.chance(15) {
			return level + "/*.rs"
		}
		list := []string{level + "/Observation.rs"}
		if g.chance(60) { // otherwise no Patient is included, the type to which most rows refer
			list = append(list, level+"/Patient.rs")
		}
		for _, typ := range rowTypes {
			if g.chance(50) {
				list = append(list, level+"/"+typ+"."+pick(g, "r", "s", "rs"))
			}
		}
		return strings.Join(list, " ")
	}
	if g.onlySourceSystems {
		return sourceSystem(pick(g, organisations...))
	}
	switch g.IntN(11) {
	case 0, 1, 2, 10:
		return staffMember("XAC01", scope("user"), policy.ActivityBreakGlass)
	case 3:
		return staffMember("XAC01", scope("user"))
	case 4, 5:
		return staffMember("XGP01", scope("user"), policy.ActivityOptOut, policy.ActivityBreakGlass)
	case 6:
		return staffMember("XCO01", scope("user"))
	case 7, 8:
		return sourceSystem(organisations[g.IntN(len(organisations))])
	}
	return g.aPatientRequester(scope("patient"))
}

// aPatientRequester draws a Patient of the world as a requester. A few tokens were issued for the person of its NHS
// number, which may not be the person of the Patient now.
func (g *generator) aPatientRequester(scope string) consent.Principal {
	p := patient(g.patients[g.IntN(len(g.patients))], scope)
	if g.chance(25) {
		p.Person = numberName(g.numbers[p.Patient])
	}
	return p
}

// reading draws a question that does not write.
func (g *generator) reading() question {
	draw := g.typeSearch
	switch n := g.IntN(1000); {
	case g.onlySourceSystems && n < 350:
		return pick(g, g.everything, g.everything, g.lastN)()
	case n < 100:
		draw = g.read
	case n < 190:
		draw = g.history
	case n < 280:
		draw = g.systemSearch
	case n < 370:
		draw = g.everything
	case n < 410:
		draw = g.binaryRead
	case n < 429:
		draw = g.lastN
	case n < 449:
		draw = g.personOperation
	case n < 467:
		draw = g.validate
	case n < 469:
		return question{method: "GET", path: "/metadata"}
	}
	q := draw()
	q.acceptGzip = q.method != "HEAD" && g.chance(10)
	return q
}

// knownID draws a type and an id that a world may have.
func (g *generator) knownID() (typ, id string) {
	typ = pick(g, "Patient", "Patient", "Observation", "Observation", "Observation", "Condition", "Encounter", "MedicationRequest",
		"AllergyIntolerance", "DocumentReference", "Appointment", "List", "Provenance", "Consent", "Organization", "Practitioner", "Group", "CareTeam", "Bundle")
	ids := g.rows[typ]
	if typ == "Patient" {
		ids = g.patients
	}
	if len(ids) == 0 || g.chance(4) {
		return typ, "none"
	}
	return typ, ids[g.IntN(len(ids))]
}

// patientNamed returns the id of the Patient that a path addresses, or the empty string.
func patientNamed(typ, id string) string {
	if typ == "Patient" {
		return id
	}
	return ""
}

func (g *generator) read() question {
	typ, id := g.knownID()
	if len(g.deletedRows) > 0 && g.chance(20) {
		typ, id, _ = strings.Cut(pick(g, g.deletedRows...), "/")
	}
	q := question{method: pick(g, "GET", "GET", "GET", "HEAD"), path: "/" + typ + "/" + id, patientID: patientNamed(typ, id)}
	switch g.IntN(11) {
	case 0, 1:
		q.header = []string{"If-None-Match", fmt.Sprintf(`W/"%d"`, 1+g.IntN(3))}
		if g.chance(40) {
			q.header = []string{"If-Modified-Since", fmt.Sprintf("Mon, 01 Jun 2026 12:0%d:%02d GMT", g.IntN(2), g.IntN(60))}
		}
	case 2, 3, 4:
		q.path += fmt.Sprintf("/_history/%d", 1+g.IntN(4))
	case 5, 6, 7:
		return g.metaOperation(typ, q)
	}
	return q
}

// metaOperation draws $meta of an id, a version, a type or the whole record, or a GET of an operation that
// needs POST.
func (g *generator) metaOperation(typ string, q question) question {
	q.method = pick(g, "GET", "GET", "GET", "POST")
	switch g.IntN(10) {
	case 0, 1:
		q.path, q.patientID = "/"+typ, ""
	case 2:
		q.path, q.patientID = "", ""
	case 3:
		q.method, q.path = "GET", q.path+fmt.Sprintf("/_history/%d", 1+g.IntN(2))
	case 4:
		q.method, q.patientID = "GET", ""
		q.path = pick(g, q.path+"/$meta-add", q.path+"/$meta-delete", q.path+"/$validate", "/"+typ+"/$validate")
		return q
	}
	q.path += "/$meta"
	return q
}

func (g *generator) history() question {
	typ, id := g.knownID()
	q := question{method: "GET", path: "/" + typ + "/" + id + "/_history", patientID: patientNamed(typ, id)}
	if g.chance(75) {
		q.path, q.patientID = "/"+typ+"/_history", ""
	}
	if g.chance(22) {
		q.path, q.patientID = "/_history", ""
	}
	var params []string
	if g.chance(60) {
		params = append(params, fmt.Sprintf("_count=%d", 1+g.IntN(4)))
	}
	if g.chance(20) {
		params = append(params, fmt.Sprintf("%s=2026-06-01T12:%02d:%02dZ", pick(g, "_since", "_at"), g.IntN(2), g.IntN(60)))
	}
	if len(params) > 0 {
		q.path += "?" + strings.Join(params, "&")
	}
	return q
}

func (g *generator) anID(typ string) string {
	ids := g.rows[typ]
	if typ == "Patient" {
		ids = g.patients
	}
	if len(ids) == 0 {
		return "none"
	}
	return ids[g.IntN(len(ids))]
}
