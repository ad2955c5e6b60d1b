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

// Contradictions returns a warning that names the contradicted Patients among some documents that the View shows; none without
// one. The View shows them to their source alone: it is told what a trace would tell it (IDN-104).
func (v *View) Contradictions(lists ...[]store.Doc) []fhir.Issue {
	var named []string
	more := 0
	for _, docs := range lists {
		for i := range docs {
			switch d := &docs[i]; {
			case d.Ref.Type != "Patient" || !facts.Has(d.Keys, index.FactContradicted):
			case len(named) == namedContradictions:
				more++
			default:
				named = append(named, d.Ref.String())
			}
		}
	}
	if len(named) == 0 {
		return nil
	}
	who := strings.Join(named, ", ")
	if more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return []fhir.Issue{{Severity: "warning", Code: "business-rule",
		Text: "The national number is not believed: " + who + ". The patient index has another birth date for the number, or the Patient has two numbers. Until it is corrected, others see neither the Patient nor what is about it."}}
}
