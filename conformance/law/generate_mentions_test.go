package law_test

import (
	"slices"
	"strings"
)

// maybeMention returns, with the given chance in percent, a member with a reference to a row of one of the types.
// Most of these rows are about the patient in subject, and many are labelled.
func (g *generator) maybeMention(percent int, subject, before, after string, types ...string) string {
	in := g.containedDraws
	if !in.chance(percent) {
		return ""
	}
	typ := pick(in, types...)
	var same []string
	if _, about, named := strings.Cut(subject, `"Patient/`); named {
		about, _, _ = strings.Cut(about, `"`)
		for _, id := range g.rows[typ] {
			body := g.lastBodies[typ+"/"+id]
			times := 1
			if strings.Contains(body, `"security":`) {
				times = 3
			}
			if strings.Contains(body, `"Patient/`+about+`"`) {
				same = append(same, slices.Repeat([]string{id}, times)...)
			}
		}
	}
	if len(same) == 0 || in.chance(15) {
		same = append(slices.Clone(g.rows[typ]), "none")
	}
	address := typ + "/" + pick(in, same...)
	switch in.IntN(8) {
	case 0:
		address = spellAddress(address, g.nextSpelling())
	case 1:
		address += "/_history/1"
	}
	return before + `{"reference":"` + address + `","display":"` + pick(in, "One", "Two") + `"}` + after
}

// mentionSearches are searches whose answers depend on labelled rows unless references to these are cut.
var mentionSearches = []string{
	"/Encounter?diagnosis:missing=true&_lastUpdated=gt2026-01-01", "/Encounter?diagnosis=%R", "/Encounter?diagnosis:missing=false", "/Condition?_has:Encounter:diagnosis:status=finished", "/Encounter?_include=Encounter:diagnosis",
	"/Condition?evidence-detail:missing=true&_lastUpdated=gt2026-01-01", "/Condition?evidence-detail=%R", "/Condition?evidence-detail:missing=false&_total=accurate", "/Observation?_has:Condition:evidence-detail:_lastUpdated=gt2026-01-01",
	"/Condition?evidence-detail:Observation.status=final,amended", "/Observation?_revinclude=Condition:evidence-detail",
	"/Observation?derived-from:missing=true&_lastUpdated=gt2026-01-01&_total=accurate", "/Observation?derived-from=%R", "/Observation?derived-from:missing=false", "/Observation?_has:Observation:derived-from:status=final,amended&_total=accurate",
	"/Observation?derived-from:Observation.status=final,amended", "/Observation?_include=Observation:derived-from", "/Observation?has-member=%R", "/Observation?has-member:missing=true&_lastUpdated=gt2026-01-01&_total=accurate", "/Observation?encounter=%R",
	"/CareTeam?participant:missing=true", "/CareTeam?participant=%R", "/CareTeam?_has:CareTeam:participant:status=active", "/List?item=%R", "/List?item:missing=true", "/List?item:missing=false&_total=accurate", "/Observation?_list=%L",
	"/Provenance?target=%R", "/Provenance?_total=accurate", "/List?_total=accurate", "/Observation?_has:Provenance:target:recorded=gt2018-01-01", "/Observation?_has:List:item:status=current&_total=accurate", "/Observation?_revinclude=List:item",
	"/Observation?_text=told&_total=accurate", "/Encounter?_text:missing=true&_lastUpdated=gt2026-01-01", "/Observation?_sort=-_lastUpdated&derived-from:missing=true", "/MedicationRequest?_content=one OR two", "/Observation?_filter=derived-from+pr+false",
}

// mentionSearch draws one of mentionSearches.
func (g *generator) mentionSearch() question {
	path := strings.ReplaceAll(pick(g, mentionSearches...), "%L", g.anID("List"))
	typ := pick(g, "Observation", "Condition", "Encounter", "CareTeam")
	return question{method: "GET", path: strings.ReplaceAll(strings.ReplaceAll(path, "%R", typ+"/"+g.anID(typ)), " ", "%20")}
}
