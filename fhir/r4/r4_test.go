package r4_test

import (
	"slices"
	"testing"

	"carerecord/fhir/r4"
)

func TestTypes(t *testing.T) {
	if n := len(r4.Resources()); n != 146 {
		t.Errorf("got %d resource types, want 146", n)
	}
	for _, c := range []struct{ typ, property, want string }{
		{"Observation", "valueQuantity", "Quantity"},
		{"Observation", "component", "Observation.component"},
		{"Observation.component", "referenceRange", "Observation.referenceRange"},
		{"Patient", "birthDate", "date"},
		{"Patient", "id", "id"},
		{"Patient.contact", "name", "HumanName"},
		{"Bundle.entry", "resource", "Resource"},
		{"Questionnaire.item", "item", "Questionnaire.item"},
		{"Extension", "valueDateTime", "dateTime"},
	} {
		typ := r4.TypeOf(c.typ)
		if typ == nil {
			t.Errorf("no type %s", c.typ)
			continue
		}
		p, ok := typ.Property(c.property)
		if !ok || p.Type != c.want || p.Of == nil {
			t.Errorf("%s.%s: got type %q (found %v, linked %v), want %q", c.typ, c.property, p.Type, ok, p.Of != nil, c.want)
		}
	}
	e := r4.ElementAt("Patient.gender")
	if e == nil || e.Max != 1 || !e.Summary || e.Strength != "required" {
		t.Fatalf("Patient.gender: got %+v, want a required code of the summary", e)
	}
	if system, _ := r4.ValueSetOf(e.ValueSet).System("male"); system != "http://hl7.org/fhir/administrative-gender" {
		t.Errorf("Patient.gender: got system %q for male", system)
	}
	if e := r4.ElementAt("Observation.value"); e == nil || !e.Choice || len(e.Properties) != 11 {
		t.Errorf("Observation.value: got %+v, want a choice of 11", e)
	}
}

// Every type that an element names must be there, or paths would end silently.
func TestTypesAreLinked(t *testing.T) {
	for _, name := range r4.Resources() {
		for _, e := range r4.TypeOf(name).Elements {
			for _, p := range e.Properties {
				if p.Of == nil {
					t.Errorf("%s: no type %s", e.Path, p.Type)
				}
			}
			if len(e.Properties) == 0 {
				t.Errorf("%s: no property", e.Path)
			}
		}
	}
}

func TestSearchParams(t *testing.T) {
	if p := r4.LookupSearchParam("Patient", "birthdate"); p == nil || p.Type != "date" {
		t.Errorf("Patient:birthdate: got %+v", p)
	}
	if p := r4.LookupSearchParam("Bundle", "_id"); p == nil || p.Expression != "Resource.id" {
		t.Errorf("Bundle:_id: got %+v", p)
	}
	if p := r4.LookupSearchParam("Observation", "code-value-quantity"); p == nil || len(p.Components) != 2 {
		t.Errorf("Observation:code-value-quantity: got %+v", p)
	}
	if p := r4.LookupSearchParam("Patient", "Birthdate"); p != nil {
		t.Errorf("SRCH-010: Birthdate found %+v", p)
	}
	if p := r4.SearchParamByURL("http://hl7.org/fhir/SearchParameter/clinical-code"); p == nil || p.Code != "code" {
		t.Errorf("clinical-code: got %+v", p)
	}
}

func TestCompartment(t *testing.T) {
	got := r4.Compartment("Patient")["Observation"]
	slices.Sort(got)
	if !slices.Equal(got, []string{"performer", "subject"}) {
		t.Errorf("got %v, want performer and subject", got)
	}
	if len(r4.Compartment("Nobody")) != 0 {
		t.Error("a compartment of nobody has members")
	}
}
