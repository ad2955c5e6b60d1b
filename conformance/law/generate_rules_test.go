package law_test

import (
	"slices"
	"strings"

	"carerecord/consent/consenttest"
)

// traits and paths are the parts of random decisions. No path is of a mandatory element or of a date in a sort
// key.
var (
	traits = []consenttest.Trait{{Type: "Observation", Param: "code", Value: "one"}, {Type: "Observation", Param: "code", Value: "two"}, {Type: "Observation", Param: "status", Value: "amended"},
		{Type: "Observation", Param: "_tag", Value: "a"}, {Type: "Condition", Param: "code", Value: "three"}, {Type: "Encounter", Param: "_tag", Value: "b"}, {Type: "Patient", Param: "gender", Value: "female"},
		{Type: "Patient"}, {Type: "MedicationRequest"}, {Type: "AllergyIntolerance", Param: "code", Value: "one"}, {Type: "DocumentReference"}, {Type: "List"}, {Type: "Provenance"}, {Type: "Appointment"},
		{Type: "Consent"}, {Type: "Consent", Param: "status", Value: "inactive"}, {Type: "Group"}, {Type: "CareTeam"}, {Type: "Binary"}, {Type: "RiskAssessment"}, {Type: "Bundle"}}
	paths = map[string][]string{
		"Observation":        {"Observation.value", "Observation.encounter", "Observation.performer", "Observation.hasMember", "Observation.meta.tag", "Observation.subject", "Observation.note", "Observation.contained", "Patient.gender", "Patient.gender", "Patient.gender", "Patient.gender", "Patient.name"},
		"Condition":          {"Patient.gender", "Patient.gender", "Condition.code", "Condition.asserter", "Condition.meta.tag"},
		"Encounter":          {"Encounter.serviceProvider", "Encounter.meta.tag"},
		"MedicationRequest":  {"MedicationRequest.requester"},
		"AllergyIntolerance": {"AllergyIntolerance.code", "AllergyIntolerance.asserter"},
		"Patient":            {"Patient.name", "Patient.gender", "Patient.birthDate", "Patient.active", "Patient.generalPractitioner", "Patient.link", "Patient.name.family", "Patient.identifier"},
		"DocumentReference":  {"DocumentReference.content.attachment.url"},
		"List":               {"List.subject"},
		"Provenance":         {"Provenance.meta.tag"},
		"Consent":            {"Consent.meta.tag"},
		"Group":              {"Group.member"},
		"CareTeam":           {"CareTeam.participant", "CareTeam.meta.tag"},
	}
)

// decision draws a decision about the persons of a world. A few names in it are no person keys.
func (g *generator) decision() consenttest.Decision {
	persons := slices.Clone(g.patients)
	for _, id := range g.patients {
		if g.region.traces(g.sources["Patient/"+id]) {
			persons = append(persons, numberName(g.numbers[id]), numberName(g.numbers[id]))
		}
	}
	d := consenttest.Random(g.Rand, consenttest.World{Patients: persons, Traits: traits, Paths: paths})
	if d.Permissions == nil && g.chance(20) { // for the writes of patients and staff
		d.Permissions = map[string]string{"Consent": pick(g, "", "rs")}
	}
	return d
}

// negations are searches for absent values of the elements that rules cut.
var negations = map[string][]string{
	"Observation": {"value-quantity:missing=true", "encounter:missing=true", "performer:missing=true", "has-member:missing=true", "_tag:not=a", "performer:Patient.gender:not=female", "performer:Patient.gender:not=male", "performer:Patient.gender:missing=true"},
	"Condition":   {"asserter:Patient.gender:not=male", "asserter:Patient.gender:missing=true", "code:not=one", "code:not=two", "code:not=three", "code:missing=true", "_tag:not=b"},
	"Patient":     {"gender:not=female", "gender:not=male", "gender:missing=true", "name:missing=true", "birthdate:missing=true", "active:missing=true"},
	"Encounter":   {"service-provider:missing=true", "_tag:not=b"}, "AllergyIntolerance": {"code:not=one", "code:missing=true"},
}

// negation draws a search for absent values, with a second condition that has postings. Without it, the server
// would scan all visible documents.
func (g *generator) negation() question {
	typ := pick(g, "Observation", "Condition", "Patient", "Patient", "Encounter", "AllergyIntolerance")
	param, how := pick(g, negations[typ]...), pick(g, "", "&_total=accurate", "&_count=3")
	if strings.Contains(param, ".") && !strings.Contains(how, "_total") {
		how += "&_total=accurate" // otherwise the page is streamed, which follows references from the rows
	}
	return question{method: "GET", path: "/" + typ + "?_lastUpdated=gt2026-01-01&" + param + how}
}

// costlySearch draws a search without a driving key, or a search that sorts all documents.
func (g *generator) costlySearch() question {
	typ := pick(g, "Observation", "Condition", "Patient", "Encounter")
	return question{method: "GET", path: "/" + typ + "?" + pick(g, pick(g, negations[typ]...), "_sort=_lastUpdated", "_sort=-_id") + pick(g, "", "&_count=2")}
}

// questionsByPath has questions for each path that rules cut. A key with a type and a slash before the path is
// about contained resources of that type. The rows or their order depend on the element: its value, its
// absence, a reference to it, or its use as sort value. Pages of joins are streamed unless a total is requested.
var questionsByPath = map[string][]string{
	"Observation.value":          {"/Observation?value-quantity=gt0", "/Observation?value-quantity:missing=true", "/Patient?_has:Observation:patient:value-quantity=gt0", "/Observation?_sort=-value-quantity"},
	"Observation.encounter":      {"/Observation?encounter:missing=true", "/Encounter?_has:Observation:encounter:status=final,amended", "/Observation?_include=Observation:encounter", "/Observation?encounter.status=finished"},
	"Observation.performer":      {"/Observation?performer:missing=true", "/Patient?_has:Observation:performer:status=final,amended", "/Observation?_include=Observation:performer"},
	"Observation.hasMember":      {"/Observation?has-member:missing=false", "/Observation?_has:Observation:has-member:status=final,amended", "/Observation?has-member:Observation.status=final,amended"},
	"Observation.meta.tag":       {"/Observation?_tag:not=a", "/Observation?_tag=a,b", "/Patient?_has:Observation:patient:_tag=a,b"},
	"Observation.subject":        {"/Patient?_has:Observation:patient:status=final,amended", "/Patient?_has:Observation:subject:status=final,amended", "/Observation?subject:missing=true", "/Patient?_revinclude=Observation:subject"},
	"Observation.note":           {"/Observation?_content=confidence", "/Observation?_content=NOT+confidence"},
	"Observation.contained":      {"/Observation?performer:Patient.gender=female,male", "/Observation?performer:Patient.name:missing=false"},
	"Patient.gender":             {"/Patient?gender:missing=true", "/Patient?gender=female,male", "/Patient?_sort=gender", "/Patient?gender:not=male"},
	"Observation/Patient.gender": {"/Observation?performer:Patient.gender=female,male", "/Observation?performer:Patient.gender=female,male", "/Observation?_lastUpdated=gt2026-01-01&performer:Patient.gender:missing=true&_total=accurate", "/Observation?_lastUpdated=gt2026-01-01&performer:Patient.gender:not=female,male&_total=accurate"},
	"Observation/Patient.name":   {"/Observation?performer:Patient.family=ely,fox,gray", "/Observation?_lastUpdated=gt2026-01-01&performer:Patient.name:missing=true&_total=accurate"},
	"Condition/Patient.gender":   {"/Condition?asserter:Patient.gender=female,male", "/Condition?_lastUpdated=gt2026-01-01&asserter:Patient.gender:missing=true&_total=accurate"},
	"Patient.name":               {"/Patient?name:missing=true", "/Patient?_sort=family", "/Observation?performer:Patient.family=ely,fox,gray", "/Condition?patient.family=ely,fox,gray"},
	"Patient.name.family":        {"/Patient?_sort=family", "/Patient?family=ely,fox,gray"},
	"Patient.birthDate":          {"/Patient?birthdate:missing=true", "/Patient?_sort=-birthdate"},
	"Patient.link":               {"/Patient?link:missing=true", "/Patient?_has:Patient:link:name:missing=false"},
	"Condition.code":             {"/Condition?code:missing=true", "/Condition?_sort=code", "/Patient?_has:Condition:patient:code=one,two,three", "/Condition?code:not=one"},
	"Condition.asserter":         {"/Condition?asserter:missing=true", "/Patient?_has:Condition:asserter:_lastUpdated=gt2026-01-01"},
	"AllergyIntolerance.code":    {"/AllergyIntolerance?code:missing=true", "/AllergyIntolerance?_sort=code"},
	"CareTeam.participant":       {"/CareTeam?participant:missing=true", "/Patient?_has:CareTeam:participant:status=active"},
	"Group.member":               {"/Group?member:missing=true", "/Patient?_has:Group:member:type=person"},
	"List.subject":               {"/List?subject:missing=true", "/Patient?_has:List:subject:status=current"},
	"Encounter.serviceProvider":  {"/Encounter?service-provider:missing=true", "/Organization?_has:Encounter:service-provider:status=finished"},
}

// questionAboutCut draws a question about an element that a decision cuts, or a negation if it cuts nothing.
func (g *generator) questionAboutCut(d consenttest.Decision) question {
	var cut []string
	for _, rule := range d.Rules {
		for _, path := range rule.Cut {
			if within := rule.Trait.Type + "/" + path; len(questionsByPath[within]) > 0 {
				path = within
			}
			if len(questionsByPath[path]) > 0 {
				cut = append(cut, path)
			}
		}
	}
	if len(cut) == 0 {
		return g.negation()
	}
	q := question{method: "GET", path: pick(g, questionsByPath[pick(g, cut...)]...)}
	if strings.Contains(q.path, "_has:") && g.chance(60) { // evaluated as a set instead of a stream
		q.path += "&_total=accurate"
	}
	return q
}

// containedChain draws a chain that may match a contained resource, which rules cut, combined with a condition
// that finds other rows.
func (g *generator) containedChain() question {
	return question{method: "GET", path: "/Observation?_filter=status+eq+" + pick(g, "final", "amended") + "+or+performer:Patient.gender+" + pick(g, "eq", "ne") + "+" + pick(g, "female", "male") + pick(g, "", "&_total=accurate")}
}

// pastVersions draws a request for versions of a document with several versions.
func (g *generator) pastVersions(e *evaluator) question {
	var changed []string
	for name, v := range e.newest {
		if v.Version > 1 && e.isVisible(v) {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return g.history()
	}
	slices.Sort(changed)
	typ, id, _ := strings.Cut(pick(g, changed...), "/")
	return question{method: "GET", path: "/" + typ + "/" + id + pick(g, "/_history", "/_history", "/_history/1"), patientID: patientNamed(typ, id)}
}
