package law_test

import "slices"

// consentKind is the kind of directive that a Consent is.
type consentKind int

const (
	notDirective consentKind = iota
	optOut
	otherDirective
)

// consentKindOf returns the kind of a Consent. In doubt a Consent is a directive (CON-601, 641).
func consentKindOf(m map[string]any) consentKind {
	if status, _ := m["status"].(string); slices.Contains([]string{"draft", "proposed", "rejected", "inactive", "entered-in-error"}, status) {
		return notDirective
	}
	if hasCode(m["scope"], "patient-privacy") && hasCode(m["category"], "416409005") && hasCode(m["policyRule"], "OPTOUT") && !narrowsOptOut(m["provision"]) {
		return optOut
	}
	switch {
	case hasCode(m["category"], "416409005"):
		return otherDirective
	case hasCode(m["scope"], "treatment"): // a source system grants no proxy authority
		return notDirective
	}
	return otherDirective
}

// narrowsOptOut reports whether a provision restricts an opt-out to a part of the record.
func narrowsOptOut(provision any) bool {
	p, _ := provision.(map[string]any)
	for name, value := range p {
		if name != "type" || value != "deny" {
			return true
		}
	}
	return false
}

// consentPatients returns the ids and number names of the patients of a Consent, for the forms in these worlds.
func consentPatients(m map[string]any) []string {
	reference, _ := m["patient"].(map[string]any)
	var out []string
	if id := patientOf(reference); id != "" {
		out = append(out, id)
	}
	if number := numberIn(reference); number != "" {
		out = append(out, numberName(number))
	}
	if url := remoteReference(reference); url != "" {
		out = append(out, "url:"+url)
	}
	if reference["reference"] == "#p" {
		for _, c := range valuesAt(m, "contained") {
			out = append(out, "p")
			for _, id := range valuesAt(c.(map[string]any), "identifier") {
				out = append(out, numberName(id.(map[string]any)["value"].(string)))
			}
		}
	}
	return out
}
