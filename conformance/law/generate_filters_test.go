package law_test

import (
	"net/url"
	"strings"
)

// filters are search parameters of each type with values that occur in worlds. Values may have placeholders.
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
	"ValueSet":           {"status=active", "url=http://v/1", "url:below=http://v", "url:above=http://v/1/more", "url:above=http://v/1/more", "version=1"},
}

// rareFilters are drawn more often than filters, since their channels would have too few cases. Most of them
// find many rows.
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
var rarestFilters = []string{"component-code-value-quantity=http://c|$gt0", "code-value-quantity=http://c|$gt0", "code-value-quantity=http://c|$lt9", "combo-code-value-quantity=http://c|$gt0", "code:text=o", "code:text=o", "code:text=tw", "performer:identifier=" + nhsSystem + "|", "performer:identifier=" + nhsSystem + "|"}

// rareAnyTypeFilters are rareFilters of every type.
var rareAnyTypeFilters = []string{"_text=told", "_text=told OR one", "_content=told", "_content=confidence OR final OR current OR active", "_content=NOT nobody", "_source:below=http://s", "_source:missing=true", "_source:missing=true",
	"_profile=http://p/1", "_profile:missing=true", "_profile:missing=true", "_security=HIV,NOPAT,N", "_security:not=R", "_security:missing=true", "_lastUpdated=gt2026-06-01T12:00:20Z", "_lastUpdated=le2026-06-01T12:01:00Z", "_tag=http://t|a,http://t|b", "_tag:not=a", "_id=%I,%I,%I"}

// anyTypeFilters are filters of every type.
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

// joinFilters are filters with terminology, Lists and _filter.
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

// refusedOrIgnored are parameters that the server refuses, or ignores with a warning. Neither text may depend on
// hidden data.
var refusedOrIgnored = []string{"_sort=nothing", "unknown=1", "_elements=status,nothing", "_include=Observation:nothing", "_revinclude=*", "_count=-1", "_total=some", "_contained=true", "_containedType=both", "_query=x", "_score=1", "status:nothing=1",
	"_lastUpdated=yesterday", "_list=$current", "_filter=status", "_filter=nothing+eq+1", "_has:Observation:nothing:code=1", "_text=%22two+words%22"}

// chainMarks are parts of a query that show that a chain passes through a type.
var chainMarks = map[string][]string{
	"Patient": {"patient.", ":Patient.", "patient%5B", "_has:Patient:"}, "Observation": {"_has:Observation:", ":Observation."}, "Condition": {"_has:Condition:"}, "Provenance": {"_has:Provenance:"}, "Encounter": {"encounter.", "_has:Encounter:"},
	"Consent": {"_has:Consent:", ":Consent."}, "Organization": {"service-provider."}, "Medication": {"medication."}, "List": {"&_list=", "_has:List:"}, "Group": {"_has:Group:", ":Group."}, "CareTeam": {"_has:CareTeam:"},
}

// sortValues are values of _sort by type.
var sortValues = map[string][]string{
	"Patient": {"family", "-birthdate", "_lastUpdated", "gender,-birthdate", "family,given"}, "Observation": {"date", "-date", "code", "-value-quantity", "_id", "code,-date", "status,code,_id"}, "Condition": {"-onset-date", "code"},
	"Encounter": {"date"}, "MedicationRequest": {"-authoredon"}, "Consent": {"status", "-_lastUpdated"}, "Provenance": {"recorded"}, "CareTeam": {"status"}, "RiskAssessment": {"-probability"}, "ValueSet": {"url"},
}

// includeValues are values of _include by type, without the type.
var includeValues = map[string][]string{
	"Observation": {"subject", "subject:Patient", "has-member", "encounter", "performer", "performer:Patient"}, "Condition": {"subject", "asserter"}, "Encounter": {"subject", "service-provider"},
	"MedicationRequest": {"subject", "medication", "requester"}, "AllergyIntolerance": {"patient"}, "List": {"item", "subject"}, "Provenance": {"target"}, "Appointment": {"actor"}, "Consent": {"patient"}, "Patient": {"link"},
	"Group": {"member", "member:Patient"}, "CareTeam": {"participant", "subject"}, "RiskAssessment": {"subject"},
}

// patientParams are the parameters that refer to the patient, by type.
var patientParams = map[string][]string{
	"Observation": {"patient", "subject"}, "Condition": {"patient", "subject"}, "Encounter": {"patient", "subject"}, "MedicationRequest": {"patient"}, "AllergyIntolerance": {"patient"},
	"DocumentReference": {"patient"}, "Appointment": {"patient"}, "List": {"patient", "subject"}, "Provenance": {"patient"}, "Consent": {"patient"},
	"CareTeam": {"patient", "subject"}, "RiskAssessment": {"patient", "subject"},
}

// placeholders are replaced in parameters by values of the world, in this order.
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

// fill replaces the placeholders of a parameter and escapes its value. %I is an id of the type.
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
