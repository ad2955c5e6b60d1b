package law_test

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// labelHides reports whether the labels of a live document hide it from the requester: step 9 for staff, step
// 10 for patients. The labels of a Patient hide the whole record, and this function does not consider them.
func (e *evaluator) labelHides(v *version) bool {
	if v == nil || v.Deleted() || e.requester.sourceSystem {
		return false
	}
	released := !v.labelled("NOPAT") && !slices.ContainsFunc(v.attachers, func(attacher *version) bool { return attacher.labelled("NOPAT") })
	ordinary := v.ordinary() && !e.restrictedAtDeletion(v)
	switch {
	case v.Ref.Type == "Patient":
		return false
	case v.Ref.Type == "Consent":
		return !e.requester.staff && !released && v.Source != ""
	case e.requester.staff:
		return !ordinary
	}
	return !ordinary || !released
}

// hiddenTargets returns the documents, by Type/id, that labels hide from the requester and that share an
// owner with a version, as it was or as it is now (CON-1201).
func (e *evaluator) hiddenTargets(v *version) map[string]bool {
	about := append(e.allOwners(v), e.allOwners(e.newest[v.Ref.String()])...)
	out := map[string]bool{}
	for name, other := range e.newest {
		if e.labelHides(other) && slices.ContainsFunc(e.allOwners(other), func(p string) bool { return slices.Contains(about, p) }) {
			out[name] = true
		}
	}
	return out
}

// cutByLabels removes the references to hidden documents from the body of a version. It returns false if
// nothing may be left.
func (e *evaluator) cutByLabels(v *version, body []byte) ([]byte, bool) {
	hidden := e.hiddenTargets(v)
	if len(hidden) == 0 {
		return body, true
	}
	c := referenceCutter{hidden: hidden}
	out, left := c.value(v.Ref.Type, gjson.ParseBytes(body))
	if !c.cut || !left {
		return out, left
	}
	return withoutNarrative(out), true
}

// leftAfterCuts reports whether something is left of a version after references are cut. A tombstone has the
// body of its last version.
func (e *evaluator) leftAfterCuts(v *version) bool {
	body := v.Body
	if v.Deleted() {
		body = e.bodyBefore(v)
	}
	_, left := e.cutByLabels(v, body)
	return left
}

// mandatoryMembers are the members without which an element of these worlds is cut whole (CON-1202, CON-1206).
var mandatoryMembers = map[string][]string{
	"Provenance": {"target"}, "List.entry": {"item"}, "DocumentReference": {"content"}, "DocumentReference.content": {"attachment"},
	"Encounter.diagnosis": {"condition"}, "Condition.evidence": {"detail"}, "CareTeam.participant": {"member"},
}

// referenceCutter removes references from a body.
type referenceCutter struct {
	hidden map[string]bool
	cut    bool
}

// value returns the rest of a value at a path of names, and false if nothing is left.
func (c *referenceCutter) value(path string, v gjson.Result) ([]byte, bool) {
	if v.IsArray() {
		out := []byte{'['}
		for _, item := range v.Array() {
			if raw, left := c.value(path, item); left {
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
	if c.refersToHidden(v.Get("reference").Str) || c.refersToHidden(v.Get("url").Str) {
		c.cut = true
		return nil, false
	}
	out, whole := []byte{'{'}, true
	v.ForEach(func(key, value gjson.Result) bool {
		raw, left := c.value(path+"."+key.Str, value)
		if !left {
			whole = whole && !slices.Contains(mandatoryMembers[path], key.Str)
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key.Raw...), ':'), raw...)
		return true
	})
	out = append(out, '}')
	return out, whole && len(out) > 2 && !(strings.HasSuffix(path, ".extension") && bareExtension(out))
}

// refersToHidden reports whether an address is that of a hidden document, or of a version of it.
func (c *referenceCutter) refersToHidden(address string) bool {
	typ, id := localTarget(map[string]any{"reference": address})
	return typ != "" && c.hidden[typ+"/"+id]
}

// withoutNarrative returns a body without its narrative.
func withoutNarrative(body []byte) []byte {
	out := []byte{'{'}
	gjson.ParseBytes(body).ForEach(func(key, value gjson.Result) bool {
		if key.Str == "text" && value.IsObject() {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key.Raw...), ':'), value.Raw...)
		return true
	})
	return append(out, '}')
}

// maybeMention returns, with the given chance in percent, a member with a reference to a row of a type: mostly
// to one about the patient in subject, and often to a labelled one.
func (g *generator) maybeMention(percent int, subject, before, after string, types ...string) string {
	in := g.contained
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

// mentionSearches are searches whose answers depend on labelled rows if references to them are not cut.
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

// mentionSearch draws one of them.
func (g *generator) mentionSearch() question {
	path := strings.ReplaceAll(pick(g, mentionSearches...), "%L", g.anID("List"))
	typ := pick(g, "Observation", "Condition", "Encounter", "CareTeam")
	return question{method: "GET", path: strings.ReplaceAll(strings.ReplaceAll(path, "%R", typ+"/"+g.anID(typ)), " ", "%20")}
}
