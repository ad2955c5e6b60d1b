package law_test

import (
	"slices"
	"strings"

	"carerecord/consent"
)

// limitScopes gives one of seven requesters scopes that limit rows: constraints, and for staff a patient in context. All
// scopes on one type have the same permissions of r and s, so that one visible part serves every request.
func (g *generator) limitScopes(p consent.Principal) consent.Principal {
	if !g.chance(14) {
		return p
	}
	if p.Kind != consent.Staff {
		p.Scopes = scopes(g.constrainedScopes(p.Scopes[0].Level, "rs", rowTypes))
		return p
	}
	others := slices.DeleteFunc(slices.Clone(rowTypes), func(typ string) bool { return typ == "Practitioner" })
	if g.chance(55) {
		p.Context.Patient = g.patients[g.IntN(len(g.patients))]
		if g.chance(15) {
			p.Context.Person = numberName(g.numbers[p.Context.Patient])
		}
	}
	var text string
	switch n := g.IntN(5); {
	case p.Context.Patient == "":
		text = g.constrainedScopes("user", "rs", rowTypes)
	case n == 0: // search of Practitioners by the level patient needs _id
		text = "patient/*.read user/Practitioner.rs"
	case n == 1:
		text = g.constrainedScopes("patient", "rs", others) + " user/Practitioner.rs"
	case n == 2:
		text = "user/Patient.read patient/*.rs user/Practitioner.rs " + g.constrainedScopes("user", "rs", []string{"Observation", "Condition"})
	case n == 3:
		text = "patient/*.rs user/Practitioner.rs " + g.constrainedScopes("user", "rs", []string{"Observation", "Condition"})
	default:
		text = "user/Patient.rs user/Practitioner.rs patient/*.rs"
	}
	p.Scopes = scopes(text)
	return p
}

// constraints are drawn for scopes, by type.
var constraints = map[string][]string{
	"Observation":        {"code=one", "code=http://c|two", "code=one,three", "code=http://c|&status=final", "status=final", "status=amended,final", "code=%7Cone", "code=two&status=amended"},
	"Condition":          {"code=two", "code=http://c|one,http://c|three", "code=http://c|"},
	"AllergyIntolerance": {"code=one,two", "code=http://c|one"},
	"Medication":         {"code=one", "code=two,three"},
	"Encounter":          {"class=AMB", "class=http://terminology.hl7.org/CodeSystem/v3-ActCode|AMB&status=finished", "status=planned"},
	"DocumentReference":  {"status=current"},
	"Consent":            {"status=active", "status=inactive"},
	"List":               {"status=current"},
}

// constrainedScopes draws scopes of a level on some types and on Patient: some constrained, some twice.
func (g *generator) constrainedScopes(level, permissions string, types []string) string {
	var out []string
	if slices.Contains(types, "Organization") {
		out = append(out, level+"/Patient."+permissions)
	}
	for _, typ := range types {
		whole := level + "/" + typ + "." + permissions
		choices := constraints[typ]
		switch {
		case len(choices) == 0 || g.chance(25):
			out = append(out, whole)
		case g.chance(40):
			out = append(out, whole+"?"+pick(g, choices...), whole+"?"+pick(g, choices...))
		default:
			out = append(out, whole+"?"+pick(g, choices...))
		}
	}
	return strings.Join(out, " ")
}

// scopeSearches are searches that read types with constraints in another way than by searching them.
var scopeSearches = []string{
	"/Observation?_include=Observation:encounter", "/Observation?_include=Observation:has-member", "/Observation?_include=Observation:derived-from", "/List?_include=List:item&_total=none", "/Provenance?_include=Provenance:target",
	"/MedicationRequest?_include=MedicationRequest:medication", "/Condition?_include=Condition:evidence-detail", "/Encounter?_include=Encounter:diagnosis", "/Observation?_revinclude=Observation:has-member", "/Patient?_revinclude=Observation:subject",
	"/Encounter?_revinclude=Observation:encounter&_total=none", "/Patient?_has:Observation:subject:code=two", "/Patient?_has:Observation:patient:status=final", "/Patient?_has:Condition:subject:code=three", "/Patient?_has:Condition:patient:code=one&_total=accurate",
	"/Encounter?_has:Observation:encounter:status=amended,final", "/Observation?_has:Observation:has-member:code=one,two", "/Condition?_has:Encounter:diagnosis:status=finished", "/MedicationRequest?medication.code=two", "/MedicationRequest?medication.code=one&_total=accurate",
	"/Observation?encounter.status=finished", "/Observation?derived-from:Observation.status=final,amended", "/Condition?evidence-detail:Observation.status=final,amended", "/Observation?code:not=one&_total=accurate", "/Observation?status=final&_total=accurate",
	"/Observation/_history?_count=50", "/Condition/_history", "/Condition?_sort=code&_total=accurate",
	"/Observation?_list=%L", "/Observation?_list=%L&_total=accurate", "/Observation?_total=none&_list=%L", "/Observation?code:text=o", "/Condition?code:text=tw&_total=accurate",
}

// scopeSearch draws one of scopeSearches.
func (g *generator) scopeSearch() question {
	return question{method: "GET", path: strings.ReplaceAll(pick(g, scopeSearches...), "%L", g.anID("List"))}
}
