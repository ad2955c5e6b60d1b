package search_test

import (
	"testing"

	"carerecord/fhir/index"
	"carerecord/fhir/search"
)

// TestDefinedNameNobody: whom a search names, and is told of, goes by the
// standard's parameters alone.
func TestDefinedNameNobody(t *testing.T) {
	x, err := index.New(index.Config{Base: "http://record.test/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := x.Compile([]index.DefinedParam{{Number: index.FirstDefined, Type: "Schedule", Code: "patient", Kind: index.Reference, Expression: "Schedule.actor", Phase: index.Complete}})
	if err != nil {
		t.Fatal(err)
	}
	x.Install(d)
	for _, c := range []struct {
		typ, name, value string
		named            bool
	}{
		{"Observation", "patient", "Patient/1", true},
		{"Schedule", "patient", "Patient/1", false},
		{"Observation", "patient.identifier", "https://fhir.nhs.uk/Id/nhs-number|9000000009", true},
		{"Schedule", "patient:Patient.identifier", "https://fhir.nhs.uk/Id/nhs-number|9000000009", false},
	} {
		plan, err := search.New(x, []string{c.typ}, params(t, c.name+"="+c.value), search.Options{Limits: search.DefaultLimits()})
		if err != nil {
			t.Errorf("%s?%s: %v", c.typ, c.name, err)
			continue
		}
		if got := !plan.Named.None(); got != c.named {
			t.Errorf("%s?%s: names a patient: %v, want %v", c.typ, c.name, got, c.named)
		}
	}
}

func params(t *testing.T, query string) []search.Param {
	t.Helper()
	list, err := search.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
