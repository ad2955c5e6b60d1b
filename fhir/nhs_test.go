package fhir_test

import (
	"testing"

	"carerecord/fhir"
)

func TestNHSNumberSystems(t *testing.T) {
	for system, want := range map[string]bool{
		"https://fhir.nhs.uk/Id/nhs-number":            true,
		"http://fhir.nhs.uk/Id/nhs-number":             true,
		"https://fhir.nhs.uk/Id/nhs-number/":           true,
		" HTTPS://FHIR.NHS.UK/ID/NHS-NUMBER ":          true,
		"http://fhir.nhs.net/Id/nhs-number":            true,
		"urn:oid:2.16.840.1.113883.2.1.4.1":            true,
		"2.16.840.1.113883.2.1.4.1":                    true,
		"https://fhir.nhs.uk/Id/ods-organization-code": false,
		"http://hospital.example/number":               false,
		"https://fhir.hl7.org.uk/Id/chi-number":        false,
		"":                                             false,
	} {
		if got := fhir.LooksLikeNHSNumberSystem(system); got != want {
			t.Errorf("%q: got %v, want %v", system, got, want)
		}
	}
}

func TestNHSNumbers(t *testing.T) {
	for value, want := range map[string]struct {
		digits         string
		clean, checked bool
	}{
		"9000000009":    {"9000000009", true, true},
		"900 000 0009":  {"9000000009", true, true},
		"900-000-0009 ": {"9000000009", true, true},
		"9000000008":    {"9000000008", true, false}, // wrong check digit
		"1111111111":    {"1111111111", true, false}, // one digit ten times
		"900000000":     {"", false, false},
		"90000000090":   {"", false, false},
		"900000000x":    {"", false, false},
		"":              {"", false, false},
	} {
		digits, clean := fhir.CleanNHSNumber(value)
		if digits != want.digits || clean != want.clean || fhir.ValidNHSNumber(digits) != want.checked {
			t.Errorf("%q: got %q %v, check digit %v; want %+v", value, digits, clean, fhir.ValidNHSNumber(digits), want)
		}
	}
}

func TestNHSNumberOf(t *testing.T) {
	for _, c := range []struct {
		name, system, value, digits string
		ok                          bool
	}{
		{"the system says so: the check digit is not tested", fhir.NHSNumberSystem, "900 000 0008", "9000000008", true},
		{"a likely spelling of the system", "http://fhir.nhs.uk/id/nhs-number/", "9000000009", "9000000009", true},
		{"no system and the right check digit", "", "9000000009", "9000000009", true},
		{"no system and a wrong check digit", "", "9000000008", "9000000008", false},
		{"another system", "http://hospital.example/number", "9000000009", "9000000009", false},
		{"too short", fhir.NHSNumberSystem, "900000000", "", false},
	} {
		if digits, ok := fhir.NHSNumberOf(c.system, c.value); digits != c.digits || ok != c.ok {
			t.Errorf("%s: got %q %v, want %q %v", c.name, digits, ok, c.digits, c.ok)
		}
	}
}
