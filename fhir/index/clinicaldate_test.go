package index

import (
	"strings"
	"testing"

	"carerecord/fhir/r4"
	"carerecord/store"
)

// TestClinicalDates: every parameter of the table is a date parameter, and every
// type with a clinical date is in it unless R4 has no parameter for that date
// (OPER-011).
func TestClinicalDates(t *testing.T) {
	x, err := New(Config{Base: "http://x/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	for typ, names := range dateParams {
		for _, name := range strings.Fields(names) {
			if p, ok := x.Param(typ, name); !ok || p.Kind != DateTime || !p.Indexed {
				t.Errorf("%s of %s is no date parameter that is served: %+v", name, typ, p)
			}
		}
		if x.rules[typ].dates == nil {
			t.Errorf("%s has no date in owners.txt", typ)
		}
	}
	undated := map[string]bool{"AppointmentResponse": true, "Coverage": true, "DeviceUseStatement": true, "EnrollmentRequest": true, "SupplyDelivery": true}
	for _, compartment := range []string{"Patient", "Encounter"} {
		for typ := range r4.Compartment(compartment) {
			if x.rules[typ].dates != nil && dateParams[typ] == "" && !undated[typ] {
				t.Errorf("%s has a clinical date and is not in the table", typ)
			}
		}
	}
}

// TestClinicalDateBetween: both ends are included, what has no date of its own is
// judged by the next, and what has none at all is kept (OPER-011).
func TestClinicalDateBetween(t *testing.T) {
	x, err := New(Config{Base: "http://x/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, typ, body, start, end string
		in                          bool
	}{
		{"within", "Condition", `,"onsetDateTime":"2020-05-05"`, "2020", "2021", true},
		{"the last day", "Condition", `,"onsetDateTime":"2020-05-05"`, "2020-05-05", "2020-05-05", true},
		{"before", "Condition", `,"onsetDateTime":"2020-05-05"`, "2020-05-06", "", false},
		{"after", "Condition", `,"onsetDateTime":"2020-05-05"`, "", "2020-05-04", false},
		{"onset counts before recorded", "Condition", `,"onsetDateTime":"2020-05-05","recordedDate":"2022"`, "2022", "", false},
		{"recorded where there is no onset", "Condition", `,"recordedDate":"2022"`, "2022", "", true},
		{"recorded outside", "Condition", `,"recordedDate":"2022"`, "", "2021", false},
		{"undated", "Condition", ``, "2022", "2022", true},
		{"a period that reaches in", "Encounter", `,"period":{"start":"2019-01-01","end":"2020-02-01"}`, "2020", "", true},
		{"a type without a date", "RelatedPerson", ``, "2020", "2020", true},
	} {
		row, err := x.Index(c.typ, "1", x.clock(), []byte(`{"resourceType":"`+c.typ+`"`+c.body+`}`))
		if err != nil {
			t.Fatal(err)
		}
		pred, err := x.ClinicalDate(c.typ, c.start, c.end)
		if err != nil {
			t.Fatal(err)
		}
		if got := store.Match(pred, row.Keys); got != c.in {
			t.Errorf("%s: got %v, want %v", c.name, got, c.in)
		}
	}
	if _, err := x.ClinicalDate("Observation", "soon", ""); err == nil {
		t.Error("a start that is no date is taken")
	}
}
