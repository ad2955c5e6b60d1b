package search_test

import (
	"strings"
	"testing"

	"carerecord/fhir/search"
)

// TestExplainsStreams: who asks how a search is answered is told whether its page is a
// stream, and from where.
func TestExplainsStreams(t *testing.T) {
	x := indexer(t)
	const stream, patients, met = "the page is a stream", "in the partitions of the Patients that", "Patients are found by the documents that refer to them"
	for query, want := range map[string]string{
		"Observation?patient.gender=male&code=a":                             patients,
		"Observation?subject:Patient._has:Condition:patient:code=a":          patients,
		"Observation?encounter.status=finished":                              stream,
		"Observation?code=a&patient.gender:not=male":                         stream,
		"Patient?_has:Observation:patient:code=a":                            met,
		"Encounter?_has:Observation:encounter:code=a":                        stream,
		"Observation?_filter=code eq a or patient.family eq x":               stream,
		"Observation?patient.gender:not=male":                                "joins are evaluated first", // walked under scan maximum
		"Observation?patient.gender=male&_sort=date":                         "joins are evaluated first",
		"Observation?patient.gender=male&_total=accurate":                    "joins are evaluated first",
		"Observation?patient.gender=male&_summary=count":                     "joins are evaluated first",
		"Observation?patient=1&encounter.status=finished":                    "joins are evaluated first", // names a patient, and is counted
		"Observation?_filter=not(patient.gender eq male) and status pr true": "every visible document",
	} {
		plan, err := planned(t, x, query, search.Options{})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if how := plan.Explain()[0].Detail; !strings.Contains(how, want) {
			t.Errorf("%s: got %q, want that it says %q", query, how, want)
		}
	}
}
