package law_test

import (
	"fmt"
	"net/url"
	"strings"

	"carerecord/consent"
	"carerecord/consent/policy"
)

// requester draws a requester of a world, with random scopes. A patient is one of the world.
func (g *generator) requester() consent.Principal {
	scope := func(level string) string {
		if !g.chance(15) {
			return level + "/*.rs"
		}
		list := []string{level + "/Observation.rs"}
		if g.chance(60) { // else nothing that rows refer to most is included
			list = append(list, level+"/Patient.rs")
		}
		for _, typ := range rowTypes {
			if g.chance(50) {
				list = append(list, level+"/"+typ+"."+pick(g, "r", "s", "rs"))
			}
		}
		return strings.Join(list, " ")
	}
	if g.sourceSystems {
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
	return patient(g.patients[g.IntN(len(g.patients))], scope("patient"))
}

// reading draws a question that does not write.
func (g *generator) reading() question {
	draw := g.search
	switch n := g.IntN(1000); {
	case g.sourceSystems && n < 350:
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
	case n < 435:
		draw = g.lastN
	case n < 453:
		draw = g.validate
	case n < 455:
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

// patientNamed returns the patient in a path.
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
	q := question{method: pick(g, "GET", "GET", "GET", "HEAD"), path: "/" + typ + "/" + id, named: patientNamed(typ, id)}
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

// metaOperation is $meta of an id, a version, a type or everything; or an operation that is
// to be posted, by another verb.
func (g *generator) metaOperation(typ string, q question) question {
	q.method = pick(g, "GET", "GET", "GET", "POST")
	switch g.IntN(10) {
	case 0, 1:
		q.path, q.named = "/"+typ, ""
	case 2:
		q.path, q.named = "", ""
	case 3:
		q.method, q.path = "GET", q.path+fmt.Sprintf("/_history/%d", 1+g.IntN(2))
	case 4:
		q.method, q.named = "GET", ""
		q.path = pick(g, q.path+"/$meta-add", q.path+"/$meta-delete", q.path+"/$validate", "/"+typ+"/$validate")
		return q
	}
	q.path += "/$meta"
	return q
}

func (g *generator) history() question {
	typ, id := g.knownID()
	q := question{method: "GET", path: "/" + typ + "/" + id + "/_history", named: patientNamed(typ, id)}
	if g.chance(75) {
		q.path, q.named = "/"+typ+"/_history", ""
	}
	if g.chance(22) {
		q.path, q.named = "/_history", ""
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

// filters are the parameters of the types, with values that worlds hold. %P is
// a patient, %d a date, %c a code, and %R a row of a type.
var filters = map[string][]string{
	"Patient": {"family=%F", "family:exact=Ely", "family:contains=r", "given=ann", "gender=female", "gender:not=male", "birthdate=gt%d", "birthdate:missing=true", "active=true",
		"general-practitioner:missing=true", "name=fox", "link=Patient/%P", "gender:missing=true", "name:missing=true"},
	"Observation": {"code=http://c|%c", "code=%c,one", "code:not=%c", "status=final", "date=ge%d", "date=lt%d", "date:missing=true", "value-quantity=gt2", "value-quantity=1.5||mg",
		"value-quantity=gt1500|http://unitsofmeasure.org|ug", "value-quantity=0.002|http://unitsofmeasure.org|g",
		"code-value-quantity=http://c|%c$gt1", "code-value-quantity=%c$ge1500|http://unitsofmeasure.org|ug,one$2.5||mg", "combo-code-value-quantity=%c$lt3.5", "component-code-value-quantity=http://c|$gt2", "component-code-value-quantity=%c$2.5|http://unitsofmeasure.org|mg",
		"encounter=Encounter/%E", "has-member=Observation/%O", "has-member:missing=false", "performer=Patient/%P", "performer:missing=true", "code=http://c|", "code:text=on", "performer:identifier=" + nhsSystem + "|", "performer:Patient=%P", "value-quantity:missing=true", "encounter:missing=true"},
	"Condition":          {"code=%c", "code:not=%c", "code:missing=true", "onset-date=%d", "asserter=Patient/%P", "asserter:missing=false"},
	"Encounter":          {"status=finished", "class=AMB", "date=ge%d", "service-provider:missing=true"},
	"MedicationRequest":  {"status=active", "authoredon=le%d", "medication:missing=false", "requester=Patient/%P"},
	"AllergyIntolerance": {"code=%c", "asserter=Patient/%P"},
	"DocumentReference":  {"status=current"},
	"Bundle":             {"type=collection", "type=document", "timestamp=gt%d"},
	"Appointment":        {"status=booked", "actor=Patient/%P", "actor:missing=true"},
	"List":               {"status=current", "item=Observation/%O"},
	"Provenance":         {"target=Observation/%O", "target=Consent/%N", "recorded=ge%d"},
	"Consent":            {"status=active", "status:not=inactive", "category=416409005"},
	"Organization":       {"name=north"},
	"Practitioner":       {"family=hale"},
	"Medication":         {"code=%c"},
	"Group":              {"type=person", "actual=true", "member=Patient/%P", "member:missing=false"},
	"CareTeam":           {"status=active", "participant=Patient/%P", "participant:missing=true"},
	"RiskAssessment":     {"probability=gt0.3", "probability=le0.5", "probability:missing=false"},
	"Location":           {"name=north", "near=51.5|-0.1|5|km", "near:missing=false"},
	"ValueSet":           {"status=active", "url=http://v/1", "url:below=http://v", "url:above=http://v/1/more", "version=1"},
}

// rareFilters are drawn more often, since their channels would have few cases; most find many rows.
var rareFilters = map[string][]string{
	"Patient": {"identifier:of-type=http://t|NH|%U", "name:missing=false", "name:missing=true", "family:exact=Ely", "link:missing=true", "birthdate=ap%d"},
	"Observation": {"code:text=on", "code:text=on", "code:text=tw", "code:text=tw", "code:text=o", "code:text=o", "code:text=o", "code-value-quantity=http://c|%c$gt1", "combo-code-value-quantity=%c$lt3.5", "component-code-value-quantity=http://c|$gt0", "component-code-value-quantity=http://c|$lt9", "code-value-quantity=http://c|$gt0", "code-value-quantity=http://c|$lt9", "combo-code-value-quantity=http://c|$gt0",
		"_list=%L", "_list=%L,%L", "_list=%L,%L", "performer:Patient.gender:not=male", "performer:Patient.gender:missing=true", "performer:Patient.gender:missing=true", "performer:Patient.name:missing=false", "performer:identifier=" + nhsSystem + "|", "code:below=http://c|one", "code:above=http://c|two", "date=ne%d", "date=sa%d", "date=eb%d", "date=ap%d", "date=eq%d", "value-quantity=ne2.5", "value-quantity=ap2.5", "value-quantity=sa1", "value-quantity=eb4", "code:in=%V", "_filter=code ni %V or status eq final",
		"_has:Provenance:target:recorded=gt2018-01-01", "status:not=amended"},
	"Condition":      {"code:text=on", "code:text=tw", "code:text=o", "asserter:Patient.gender:not=female", "asserter:Patient.gender:missing=true", "_list=%L", "_list=%L,%L", "code:text=o", "code:below=http://c|one", "code:above=http://c|two", "onset-date=ne%d", "code:not-in=%V"},
	"RiskAssessment": {"probability:missing=false", "probability=ge0.2"}, "Location": {"near:missing=false", "near=51.5|-0.1|9|km"},
	"Encounter": {"_list=%L", "date=sa%d", "date=le%d", "status:not=planned"},
}

// rarestFilters are filters of Observations for channels that no other question covers.
var rarestFilters = []string{"component-code-value-quantity=http://c|$gt0", "code-value-quantity=http://c|$gt0", "code-value-quantity=http://c|$lt9", "combo-code-value-quantity=http://c|$gt0", "code:text=o", "code:text=o", "code:text=tw", "_list=%L,%L,%L", "performer:identifier=" + nhsSystem + "|"}

// rareAnyTypeFilters are filters of every type whose channels would have few cases.
var rareAnyTypeFilters = []string{"_text=told", "_text=told OR one", "_content=told", "_content=confidence OR final OR current OR active", "_content=NOT nobody", "_source:below=http://s", "_source:missing=true", "_source:missing=true",
	"_profile=http://p/1", "_profile:missing=true", "_profile:missing=true", "_security=HIV,NOPAT,N", "_security:not=R", "_security:missing=true", "_lastUpdated=gt2026-06-01T12:00:20Z", "_lastUpdated=le2026-06-01T12:01:00Z", "_tag=http://t|a,http://t|b", "_tag:not=a", "_id=%I,%I,%I"}

var anyTypeFilters = []string{"_tag=http://t|a", "_tag:not=a", "_profile=http://p/1", "_security=HIV", "_security:not=R", "_security:missing=true", "_source:missing=true", "_lastUpdated=gt2026-06-01T12:00:20Z", "_id=%I,%I", "_id=%I"}

// chainFilters are filters by fields of other resources.
var chainFilters = map[string][]string{
	"Patient": {"_has:Observation:patient:code=%c", "_has:Observation:subject:status=final", "_has:Condition:patient:code:not=one", "_has:Observation:performer:code=one,two",
		"_has:Observation:subject:_has:Provenance:target:recorded=gt2018-01-01", "_has:Encounter:patient:_tag=http://t|a", "_has:Consent:patient:status=active", "_has:Group:member:type=person", "_has:CareTeam:participant:status=active", "_has:Observation:patient:_has:Provenance:target:recorded=gt2018-01-01"},
	"Group":    {"member:Patient.gender=female", "member:Patient.family=%F"},
	"CareTeam": {"participant:Patient.family=%F", "subject:Patient.gender:not=male"},
	"Observation": {"patient.family=%F", "subject:Patient.gender:not=male", "encounter.status=finished", "encounter.patient.family=%F", "has-member:Observation.code=%c", "has-member:Observation.combo-code-value-quantity=%c$gt1", "performer:Patient.gender=female",
		"_has:Provenance:target:_id=%I", "patient._has:Condition:patient:code=%c", "subject:Patient.birthdate:missing=true",
		"performer:Patient.family=%F", "performer:Patient.gender:not=male", "performer:Patient.link:Patient.family=%F", "performer:Patient._security=HIV,R", "subject:Group.type=person"},
	"Condition": {"patient.gender=male", "asserter:Patient.gender:not=female", "asserter:Patient.family=%F"}, "Encounter": {"patient.family:contains=r", "service-provider.name=north", "_has:Observation:encounter:code=%c"},
	"MedicationRequest": {"medication.code=%c", "patient.identifier:missing=false"}, "Provenance": {"target:Observation.status=final", "target:Consent.status=active"}, "List": {"item:Observation.code=%c"},
	"AllergyIntolerance": {"patient._tag=http://t|b"},
}

// joinFilters are filters with terminology, lists and _filter. %V is the address of a value set, %L a List.
var joinFilters = map[string][]string{
	"Observation": {"_list=%L", "_list=%L", "_list=%L,none", "code:in=%V", "code:in=%V", "code:not-in=%V", "subject:Patient.gender:in=%V", "code:in=http://v/1,http://v/2", "_filter=code in %V or status eq amended",
		"_filter=not(code eq %c) and date pr true", "_filter=patient.family co \"%F\"", "_filter=patient[gender pr true].family sw %F", "_filter=encounter.status eq finished or date ge %d", "_filter=code ni %V",
		"_filter=has-member re Observation/%O or performer re Patient/%P", "_filter=not(patient.gender eq male)", "_filter=value-quantity gt 2 and not(status ne final)"},
	"Condition":          {"_list=%L", "code:in=%V", "code:not-in=%V", "_filter=code ne %c or not(patient.gender eq female)", "_filter=asserter pr false and code in %V"},
	"Encounter":          {"_list=%L", "_filter=date po %d or service-provider.name co nor"},
	"Patient":            {"_has:Observation:patient:code:in=%V", "_filter=family eq %F or gender pr false", "_filter=not(birthdate lt %d)", "_has:Condition:patient:code:not-in=%V"},
	"AllergyIntolerance": {"code:not-in=%V"},
	"Medication":         {"code:in=%V"},
	"MedicationRequest":  {"medication.code:in=%V", "_filter=medication.code eq %c"},
}

// refusedOrIgnored are parameters that the server refuses, or ignores with a warning. The texts of both must
// not depend on hidden data.
var refusedOrIgnored = []string{"_sort=nothing", "unknown=1", "_elements=status,nothing", "_include=Observation:nothing", "_revinclude=*", "_count=-1", "_total=some", "_contained=true", "_containedType=both", "_query=x", "_score=1", "status:nothing=1",
	"_lastUpdated=yesterday", "_list=$current", "_filter=status", "_filter=nothing+eq+1", "_has:Observation:nothing:code=1", "_text=%22two+words%22"}

// crossedTypes are the marks of a query by which a chain crosses a type.
var crossedTypes = map[string][]string{
	"Patient": {"patient.", ":Patient.", "patient%5B", "_has:Patient:"}, "Observation": {"_has:Observation:", ":Observation."}, "Condition": {"_has:Condition:"}, "Provenance": {"_has:Provenance:"}, "Encounter": {"encounter.", "_has:Encounter:"},
	"Consent": {"_has:Consent:", ":Consent."}, "Organization": {"service-provider."}, "Medication": {"medication."}, "List": {"&_list=", "_has:List:"}, "Group": {"_has:Group:", ":Group."}, "CareTeam": {"_has:CareTeam:"},
}

var sortValues = map[string][]string{
	"Patient": {"family", "-birthdate", "_lastUpdated", "gender,-birthdate", "family,given"}, "Observation": {"date", "-date", "code", "-value-quantity", "_id", "code,-date", "status,code,_id"}, "Condition": {"-onset-date", "code"},
	"Encounter": {"date"}, "MedicationRequest": {"-authoredon"}, "Consent": {"status", "-_lastUpdated"}, "Provenance": {"recorded"}, "CareTeam": {"status"}, "RiskAssessment": {"-probability"}, "ValueSet": {"url"},
}

var includeValues = map[string][]string{
	"Observation": {"subject", "subject:Patient", "has-member", "encounter", "performer", "performer:Patient"}, "Condition": {"subject", "asserter"}, "Encounter": {"subject", "service-provider"},
	"MedicationRequest": {"subject", "medication", "requester"}, "AllergyIntolerance": {"patient"}, "List": {"item", "subject"}, "Provenance": {"target"}, "Appointment": {"actor"}, "Consent": {"patient"}, "Patient": {"link"},
	"Group": {"member", "member:Patient"}, "CareTeam": {"participant", "subject"}, "RiskAssessment": {"subject"},
}

// patientParams are the parameters that name the patient of a type.
var patientParams = map[string][]string{
	"Observation": {"patient", "subject"}, "Condition": {"patient", "subject"}, "Encounter": {"patient", "subject"}, "MedicationRequest": {"patient"}, "AllergyIntolerance": {"patient"},
	"DocumentReference": {"patient"}, "Appointment": {"patient"}, "List": {"patient", "subject"}, "Provenance": {"patient"}, "Consent": {"patient"},
	"CareTeam": {"patient", "subject"}, "RiskAssessment": {"patient", "subject"},
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

// placeholders in parameters are replaced by values of the world, in this order.
var placeholders = []struct {
	mark string
	draw func(*generator) string
}{
	{"%F", func(g *generator) string { return pick(g, "ely", "fox", "gray") }},
	{"%P", func(g *generator) string { return g.anID("Patient") }},
	{"%O", func(g *generator) string { return g.anID("Observation") }},
	{"%E", func(g *generator) string { return g.anID("Encounter") }},
	{"%N", func(g *generator) string { return g.anID("Consent") }},
	{"%d", func(g *generator) string { return g.date()[:10] }},
	{"%c", func(g *generator) string { return pick(g, "one", "two", "three") }},
	{"%L", func(g *generator) string { return g.anID("List") }},
	{"%U", func(g *generator) string { return g.numbers[g.patients[g.IntN(len(g.patients))]] }},
	{"%V", func(g *generator) string {
		return pick(g, "http://v/1", "http://v/1", "http://v/2", "http://v/1|1", "ValueSet/"+g.anID("ValueSet"))
	}},
}

// fill puts values into a parameter.
func (g *generator) fill(typ, param string) string {
	for _, m := range placeholders {
		for strings.Contains(param, m.mark) {
			param = strings.Replace(param, m.mark, m.draw(g), 1)
		}
	}
	for strings.Contains(param, "%I") {
		param = strings.Replace(param, "%I", g.anID(typ), 1)
	}
	name, value, _ := strings.Cut(param, "=")
	return name + "=" + url.QueryEscape(value)
}

// search is a search of one type, of one patient or of all.
func (g *generator) search() question {
	typ := pick(g, "Observation", "Observation", "Observation", "Observation", "Patient", "Patient", "Condition", "Condition", "Encounter", "Encounter", "MedicationRequest",
		"AllergyIntolerance", "DocumentReference", "Appointment", "List", "Provenance", "Consent", "Group", "CareTeam", "Bundle", pick(g, "Organization", "RiskAssessment", "Location", "ValueSet"))
	q := question{method: "GET"}
	var params []string
	if names := patientParams[typ]; len(names) > 0 && g.chance(22) {
		q.named = g.anID("Patient")
		params = append(params, pick(g, names...)+"="+pick(g, "Patient/", "Patient/", base+"/Patient/")+q.named)
		if g.chance(15) {
			q.number, q.named = g.numbers[q.named], ""
			params[0] = names[0] + ":identifier=" + url.QueryEscape(nhsSystem+"|"+q.number)
		}
	}
	if typ == "Patient" && g.chance(20) {
		id := g.anID("Patient")
		if g.chance(50) {
			q.named = id
			params = append(params, "_id="+id)
		} else {
			q.number = g.numbers[id]
			params = append(params, "identifier="+url.QueryEscape(nhsSystem+"|"+q.number))
		}
	}
	for range pick(g, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2) {
		param := g.fill(typ, pick(g, append(filters[typ], anyTypeFilters...)...))
		if typ == "Patient" && strings.HasPrefix(param, "_id=") && !strings.Contains(param, "%2C") {
			continue // would name another patient
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
	case n <= 4 && joined: // pages are streams unless sets are requested
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

// asRequest sends a search by GET or as a form.
func (g *generator) asRequest(q question, path string, params []string) question {
	head := g.chance(2)
	query := strings.Join(params, "&")
	if !head && g.chance(2) { // the second signal is longer if indented
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
	q := question{method: "GET", named: patientNamed(owner, id)}
	return g.asRequest(q, "/"+owner+"/"+id+"/"+member, params)
}
