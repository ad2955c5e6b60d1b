package consent

import (
	"fmt"
	"strings"

	"carerecord/consent/facts"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// namedContradictions is how many Patients one warning names.
const namedContradictions = 20

// Contradictions returns a warning for each reason that names the contradicted Patients among some documents that the View
// shows. The View shows them to their source alone: it is told what a trace would tell it (IDN-104).
func (v *View) Contradictions(lists ...[]store.Doc) []fhir.Issue {
	named, more := map[facts.PersonReason][]string{}, map[facts.PersonReason]int{}
	for _, docs := range lists {
		for i := range docs {
			d := &docs[i]
			if d.Ref.Type != "Patient" || !facts.Has(d.Keys, index.FactContradicted) {
				continue
			}
			reason := facts.OtherBirthday
			if facts.Has(d.Keys, index.FactTwoNumbers) {
				reason = facts.TwoNumbers
			}
			if len(named[reason]) == namedContradictions {
				more[reason]++
				continue
			}
			named[reason] = append(named[reason], d.Ref.String())
		}
	}
	var out []fhir.Issue
	for _, reason := range []facts.PersonReason{facts.OtherBirthday, facts.TwoNumbers} {
		if len(named[reason]) == 0 {
			continue
		}
		patients := strings.Join(named[reason], ", ")
		if more[reason] > 0 {
			patients += fmt.Sprintf(" and %d more", more[reason])
		}
		out = append(out, fhir.Issue{Severity: "warning", Code: "business-rule",
			Text: "The national number was not accepted of " + patients + ": " + string(reason) + ". Until this is corrected, other organisations see neither these Patients nor resources about them."})
	}
	return out
}
