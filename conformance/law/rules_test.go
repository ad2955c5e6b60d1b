package law_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/consenttest"
	"carerecord/store"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

// traits and paths are the parts of random decisions. None of the paths is mandatory, and none is a date that
// sorts rows.
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

// decision is a random decision about the patients of a world.
func (g *generator) decision() consenttest.Decision {
	d := consenttest.Random(g.Rand, consenttest.World{Patients: g.patients, Traits: traits, Paths: paths})
	if d.Permissions == nil && g.chance(20) { // for writes of people
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

// negation draws a search for absent values, with another condition that has postings: otherwise the server
// scans all visible documents.
func (g *generator) negation() question {
	typ := pick(g, "Observation", "Condition", "Patient", "Patient", "Encounter", "AllergyIntolerance")
	param, how := pick(g, negations[typ]...), pick(g, "", "&_total=accurate", "&_count=3")
	if strings.Contains(param, ".") && !strings.Contains(how, "_total") {
		how += "&_total=accurate" // otherwise the page is a stream, which follows references from the rows
	}
	return question{method: "GET", path: "/" + typ + "?_lastUpdated=gt2026-01-01&" + param + how}
}

// costly draws a search without a driving key, or one that sorts all documents.
func (g *generator) costly() question {
	typ := pick(g, "Observation", "Condition", "Patient", "Encounter")
	return question{method: "GET", path: "/" + typ + "?" + pick(g, pick(g, negations[typ]...), "_sort=_lastUpdated", "_sort=-_id") + pick(g, "", "&_count=2")}
}

// questionsByPath are questions by the paths that rules cut; with a type and a slash before the path, about
// contained resources of that type. Their rows or their order depend on the element: by its value, by its
// absence, by a reference to it, or as the sort value. Pages of joins are streams unless a total is
// requested.
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
	if strings.Contains(q.path, "_has:") && g.chance(60) { // a set, and not a stream
		q.path += "&_total=accurate"
	}
	return q
}

// containedChain draws a chain that may match in a contained resource, which rules cut, combined with a
// condition that finds other rows.
func (g *generator) containedChain() question {
	return question{method: "GET", path: "/Observation?_filter=status+eq+" + pick(g, "final", "amended") + "+or+performer:Patient.gender+" + pick(g, "eq", "ne") + "+" + pick(g, "female", "male") + pick(g, "", "&_total=accurate")}
}

// pastVersions draws a request for the versions of a document that has several.
func (g *generator) pastVersions(e *evaluator) question {
	var changed []string
	for name, v := range e.newest {
		if v.Version > 1 && e.sees(v) {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return g.history()
	}
	slices.Sort(changed)
	typ, id, _ := strings.Cut(pick(g, changed...), "/")
	return question{method: "GET", path: "/" + typ + "/" + id + pick(g, "/_history", "/_history", "/_history/1"), named: patientNamed(typ, id)}
}

// hasTrait reports whether the body of a version has a trait.
func (v *version) hasTrait(t consenttest.Trait) bool {
	if t.Type != "" && t.Type != v.Ref.Type {
		return false
	}
	switch t.Param {
	case "":
		return true
	case "_tag":
		meta, _ := v.decoded["meta"].(map[string]any)
		return hasCode(meta["tag"], t.Value)
	case "code":
		return hasCode(v.decoded["code"], t.Value)
	}
	return v.decoded[t.Param] == t.Value
}

// hiddenByRules reports whether a rule hides a version, or its patient has no record.
func (e *evaluator) hiddenByRules(v *version) bool {
	if left, named := e.decision.Permissions[v.Ref.Type]; named && left == "" || e.requester.sourceSystem {
		return named && !e.requester.sourceSystem
	}
	owners, _ := e.owners(v)
	return e.hiddenByDecision(v, owners)
}

func (e *evaluator) hiddenByDecision(v *version, owners []string) bool {
	if slices.ContainsFunc(append(e.ownersByOtherNames(v), owners...), func(p string) bool { return slices.Contains(e.decision.NoRecord, p) }) {
		return true
	}
	return slices.ContainsFunc(e.decision.Rules, func(r consenttest.Rule) bool {
		return r.Hide && (r.Patient == "" || slices.Contains(owners, r.Patient)) && v.hasTrait(r.Trait)
	})
}

// selfHiddenByDecision reports whether nothing is left of the requester's own Patient.
func (e *evaluator) selfHiddenByDecision(self *version) bool {
	owners, _ := e.owners(self)
	return e.hiddenByDecision(self, owners)
}

// cutByRules removes from the body of a version the elements that rules cut, for the version as it was and as
// it is now.
func (e *evaluator) cutByRules(v *version, body []byte) []byte {
	if e.requester.sourceSystem {
		return body
	}
	for _, judged := range []*version{v, e.newest[v.Ref.String()]} {
		owners, _ := e.owners(judged)
		for _, r := range e.decision.Rules {
			if r.Patient == "" || !slices.Contains(owners, r.Patient) || !judged.hasTrait(r.Trait) {
				continue
			}
			for _, path := range r.Cut {
				body = withoutElement(gjson.ParseBytes(body), path)
			}
		}
	}
	return body
}

// withoutElement removes the element at a path from a resource of the type with which the path begins, and
// from its contained resources.
func withoutElement(r gjson.Result, path string) []byte {
	names := strings.Split(path, ".")
	body := []byte(r.Raw)
	if r.Get("resourceType").Str == names[0] {
		body, _ = withoutPath(r, names[1:])
	}
	for _, c := range gjson.GetBytes(body, "contained").Array() {
		was := c.Raw
		if left := withoutElement(c, path); string(left) != was {
			body = bytes.Replace(body, []byte(was), left, 1)
		}
	}
	return body
}

// withoutPath removes the element at a path of names from a value. It returns false if nothing is left.
func withoutPath(v gjson.Result, path []string) ([]byte, bool) {
	if v.IsArray() {
		out := []byte{'['}
		for _, item := range v.Array() {
			if raw, left := withoutPath(item, path); left {
				if len(out) > 1 {
					out = append(out, ',')
				}
				out = append(out, raw...)
			}
		}
		return append(out, ']'), len(out) > 1
	}
	if !v.IsObject() {
		return []byte(v.Raw), true
	}
	out := []byte{'{'}
	v.ForEach(func(key, value gjson.Result) bool {
		raw, left := []byte(value.Raw), true
		if key.Str == path[0] || path[0] == "value" && strings.HasPrefix(key.Str, "value") {
			if left = len(path) > 1; left {
				raw, left = withoutPath(value, path[1:])
			}
		}
		if left {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(append(out, key.Raw...), ':'), raw...)
		}
		return true
	})
	return append(out, '}'), len(out) > 1
}

// TestRules holds L1 under random decisions that hide records, documents and elements, over the reference
// store and the embedded engine (CON-1202, CON-1207, CON-1501).
func TestRules(t *testing.T) {
	began := time.Now()
	n := cases(t, 24_000)
	var c tally
	seeds(t, 4_050_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readWorld(t, seed, 100, mode{rules: true}, &c, storetest.NewReference(nil), p) })
	})
	c.logAndCheck(t, "reference store and embedded engine, by rules", began)
}

// TestRulesOnMongoDB holds L1 under rules over MongoDB.
func TestRulesOnMongoDB(t *testing.T) {
	began := time.Now()
	n := cases(t, 1_000)
	var c tally
	server := mongotest.Start(t)
	seeds(t, 5_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		readWorld(t, seed, 60, mode{rules: true}, &c, openMongo(t, server))
	})
	c.logAndCheck(t, server.Describe()+", by rules", began)
}

// TestTracesByRules holds L2 under rules, with the same decision on both sides.
func TestTracesByRules(t *testing.T) {
	began := time.Now()
	n := cases(t, 5_000)
	var c tally
	seeds(t, 6_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { traceWorld(t, seed, mode{rules: true}, &c, storetest.NewReference(nil), p) })
	})
	c.logTraces(t, "reference store and embedded engine, by rules", began)
}
