package law_test

import (
	"fmt"
	"net/url"
	"strings"

	"carerecord/consent"
	"carerecord/consent/policy"
)

// writer draws a requester that may write. None may break the glass, since the notice S1 is outside of L2.
func (g *generator) writer() consent.Principal {
	switch g.IntN(10) {
	case 0, 1:
		return staffMember("XGP01", "user/*.cruds", policy.ActivityOptOut)
	case 2:
		return staffMember("XAC01", "user/*.cruds")
	case 3, 4:
		return g.aPatientRequester("patient/*.cruds")
	}
	p := sourceSystem(organisations[g.IntN(len(organisations))])
	if g.containedDraws.chance(30) {
		p.Scopes = scopes(g.containedDraws.constrainedScopes("system", "cruds", rowTypes))
		if g.containedDraws.chance(50) {
			p.Scopes = g.containedDraws.writerByLetters()
		}
	}
	return p
}

// writerByLetters draws scopes of a source system of each type for each letter: constrained or of the whole type.
func (g *generator) writerByLetters() consent.Scopes {
	list := []string{"system/Patient.cruds"}
	for _, typ := range rowTypes {
		for _, letter := range []string{"c", "r", "u", "d", "s"} {
			of := "system/" + typ + "." + letter
			if len(constraints[typ]) > 0 && g.chance(60) {
				of += "?" + pick(g, constraints[typ]...)
			}
			list = append(list, of)
		}
	}
	return scopes(strings.Join(list, " "))
}

// writing draws a question that writes.
func (g *generator) writing(p consent.Principal, n int) question {
	if p.Kind != consent.SourceSystem {
		return g.directiveWrite(n)
	}
	switch g.IntN(19) {
	case 0, 1, 2, 18:
		return g.bundle(p.Organisation, n)
	case 3, 4:
		return g.conditionalCreate(p.Organisation)
	case 5, 6:
		return question{method: "DELETE", path: g.rowPath(), header: g.ifMatch()}
	case 7, 8, 9, 10:
		return g.conditionalWrite(p.Organisation, n)
	case 11, 12, 13, 14:
		if g.chance(45) {
			return question{method: "POST", path: g.rowPath() + pick(g, "/$meta-add", "/$meta-delete"), header: g.ifMatch(),
				body: `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"http://t","code":"` + pick(g, "a", "b") + `"}]}}]}`}
		}
		return g.patch()
	}
	typ, id := g.writeAddress(p.Organisation, n)
	return question{method: "PUT", path: "/" + typ + "/" + id, body: g.anyBody(typ, id, p.Organisation), header: g.ifMatch()}
}

// rowPath draws the path of a row, or a path that does not exist.
func (g *generator) rowPath() string {
	typ, id := g.knownID()
	return "/" + typ + "/" + id
}

// writeAddress draws an address to which a source system may try to write: a row of its own or of another
// source, or a new id with or without its prefix.
func (g *generator) writeAddress(ods string, n int) (typ, id string) {
	typ, id = g.knownID()
	switch g.IntN(5) {
	case 0:
		id = fmt.Sprintf("%snew%d", prefix(ods), n)
	case 1:
		id = fmt.Sprintf("elsewhere.new%d", n)
	}
	return typ, id
}

func (g *generator) anyBody(typ, id, ods string) string {
	if typ == "Patient" {
		if g.numbers[id] == "" {
			g.numbers[id] = g.numbers[g.patients[g.IntN(len(g.patients))]] // the number of another Patient
		}
		return g.patientBody(id)
	}
	return g.body(typ, id, ods)
}

func (g *generator) ifMatch() []string {
	if g.chance(70) {
		return nil
	}
	if g.chance(30) {
		return []string{"If-None-Match", "*"}
	}
	return []string{"If-Match", fmt.Sprintf(`W/"%d"`, 1+g.IntN(3))}
}

// criteria draws search criteria that match rows of several sources.
func (g *generator) criteria(typ string) string {
	switch typ {
	case "Patient":
		return "identifier=" + url.QueryEscape(nhsSystem+"|"+g.numbers[g.anID("Patient")])
	case "Encounter":
		return "subject=Patient/" + g.anID("Patient")
	}
	if g.chance(30) {
		return "_id=" + g.anID(typ)
	}
	if g.chance(20) {
		return "code=" + url.QueryEscape("http://c|"+pick(g, "one", "two")) + "&patient." + pick(g, "family=ely", "gender=male", "birthdate:missing=false")
	}
	return "code=" + url.QueryEscape("http://c|"+pick(g, "one", "two", "three")) + "&subject=Patient/" + g.anID("Patient")
}

func (g *generator) conditionalCreate(ods string) question {
	typ := pick(g, "Observation", "Observation", "Patient", "Condition", "Encounter")
	return question{method: "POST", path: "/" + typ, body: g.anyBody(typ, "ignored", ods), header: []string{"If-None-Exist", g.criteria(typ)}}
}

// patch draws a patch of a row, by id or by criteria, as JSON Patch or FHIRPath Patch.
func (g *generator) patch() question {
	typ, id := g.knownID()
	q := question{method: "PATCH", path: "/" + typ + "/" + id, header: append(g.ifMatch(), "Content-Type", "application/json-patch+json")}
	if g.chance(65) {
		typ = "Observation"
		q.path = "/" + typ + "?" + g.criteria(typ)
	}
	q.body = pick(g, `[{"op":"replace","path":"/status","value":"amended"}]`, `[{"op":"test","path":"/status","value":"final"},{"op":"remove","path":"/note"}]`,
		`[{"op":"add","path":"/language","value":"en"}]`, `[{"op":"replace","path":"/subject","value":{"reference":"Patient/`+g.anID("Patient")+`"}}]`)
	if g.chance(40) {
		q.header[len(q.header)-1] = "application/fhir+json"
		q.body = `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"` + typ + `.status"},{"name":"value","valueCode":"amended"}]}]}`
	}
	return q
}

// conditionalWrite draws a conditional update or delete.
func (g *generator) conditionalWrite(ods string, n int) question {
	typ := pick(g, "Observation", "Observation", "Patient", "Condition", "Encounter")
	q := question{method: "DELETE", path: "/" + typ + "?" + g.criteria(typ), header: g.ifMatch()}
	if g.chance(50) {
		_, id := g.writeAddress(ods, n)
		q.method, q.body = "PUT", g.anyBody(typ, id, ods)
		if g.chance(50) {
			q.body = strings.Replace(q.body, `,"id":"`+id+`"`, "", 1)
		}
	}
	return q
}

// bundle draws a transaction or a batch.
func (g *generator) bundle(ods string, n int) question {
	var entries []string
	for i := range 1 + g.IntN(4) {
		request, body := "", ""
		switch g.IntN(10) {
		case 5:
			q := g.conditionalWrite(ods, 100*n+i)
			request, body = `"method":"`+q.method+`","url":"`+strings.TrimPrefix(q.path, "/")+`"`, q.body
		case 6:
			request = `"method":"GET","url":"` + strings.TrimPrefix(g.read().path, "/") + `"`
		case 0:
			typ := pick(g, "Observation", "Patient")
			request, body = `"method":"POST","url":"`+typ+`","ifNoneExist":"`+g.criteria(typ)+`"`, g.anyBody(typ, "ignored", ods)
		case 1:
			request = `"method":"DELETE","url":"` + strings.TrimPrefix(g.rowPath(), "/") + `"`
		case 2, 7, 8, 9:
			body = strings.Replace(g.body("Observation", "ignored", ods), `"subject":`, `"specimen":{"reference":"Specimen/none"},"subject":`, 1)
			if before, subject, named := strings.Cut(body, `"subject":{"reference":"Patient/`); named && g.chance(95) {
				_, after, _ := strings.Cut(subject, `"`)
				body = before + `"subject":{"reference":"Patient?` + g.criteria("Patient") + `"` + after
			}
			request = `"method":"POST","url":"Observation"`
		default:
			typ, id := g.writeAddress(ods, 100*n+i)
			request, body = `"method":"PUT","url":"`+typ+"/"+id+`"`, g.anyBody(typ, id, ods)
		}
		if body != "" {
			body = `"resource":` + body + `,`
		}
		entries = append(entries, `{`+body+`"request":{`+request+`}}`)
	}
	return question{method: "POST", path: "", body: `{"resourceType":"Bundle","type":"` + pick(g, "transaction", "transaction", "batch") + `","entry":[` + strings.Join(entries, ",") + `]}`}
}

// directiveWrite draws a write of a patient or a member of staff: an opt-out, its end, or a forbidden write.
func (g *generator) directiveWrite(n int) question {
	body := func(id, patient, status string) string {
		if id != "" {
			id = `"id":"` + id + `"`
		}
		return object(`"resourceType":"Consent"`, id, `"status":"`+status+`"`, `"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]}`,
			`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}]`, `"patient":{"reference":"Patient/`+patient+`"}`,
			`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}`)
	}
	somebody := g.anID("Patient")
	if g.chance(10) {
		somebody = "nobody"
	}
	switch g.IntN(8) {
	case 0:
		return question{method: "POST", path: "/Observation", body: g.body("Observation", "ignored", "XGP01")}
	case 1:
		if g.chance(50) {
			return g.patch()
		}
		return question{method: "DELETE", path: g.rowPath(), header: g.ifMatch()}
	case 7:
		id := g.anID("Consent")
		return question{method: "PATCH", path: "/Consent/" + id, body: `[{"op":"replace","path":"/status","value":"inactive"}]`, header: append(g.ifMatch(), "Content-Type", "application/json-patch+json")}
	case 2, 3:
		id := g.anID("Consent")
		return question{method: "PUT", path: "/Consent/" + id, body: body(id, somebody, "inactive"), header: g.ifMatch()}
	case 4:
		id := fmt.Sprintf("xgp01.new%d", n)
		return question{method: "PUT", path: "/Consent/" + id, body: body(id, somebody, "active")}
	case 5:
		return question{method: "POST", path: "/Consent", body: body("", somebody, "active"), header: []string{"If-None-Exist", "category=http://snomed.info/sct|416409005&patient=Patient/" + somebody}}
	}
	return question{method: "POST", path: "/Consent", body: body("", somebody, "active")}
}

// otherWrite draws a write of another caller that has the same effect on all data and on the visible part: a
// new row about a visible patient without a directive. The patient may be new. It returns nil if there is no
// such write.
func (g *generator) otherWrite(p consent.Principal, e *evaluator, n int) *write {
	ods := pick(g, organisations...)
	if ods == p.Organisation {
		return nil
	}
	id := fmt.Sprintf("%sother%d", prefix(ods), n)
	if g.chance(25) {
		g.patients = append(g.patients, id)
		g.numbers[id] = validFrom(998_000_000 + 2*n)
		w := g.put(ods, "Patient", id, object(`"resourceType":"Patient","id":"`+id+`"`, `"identifier":[`+nhsIdentifier(g.numbers[id])+`]`))
		return &w
	}
	about := g.anID("Patient")
	if v := e.newest["Patient/"+about]; v != nil {
		if person, live := e.livePerson(about); !live || !e.isVisible(v) || !e.subjects(v).resolved || e.inForce(person) != (statements{}) {
			return nil
		}
	}
	typ := pick(g, "Observation", "Condition")
	w := g.put(ods, typ, id, object(`"resourceType":"`+typ+`","id":"`+id+`"`, g.meta(20), g.maybe(100, map[string]string{"Observation": `"status":"final"`}[typ]), `"code":`+g.concept(), `"subject":{"reference":"Patient/`+about+`"}`))
	g.rows[typ] = append(g.rows[typ], id)
	return &w
}
