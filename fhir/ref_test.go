package fhir_test

import (
	"strings"
	"testing"

	"carerecord/fhir"
)

func TestParseRef(t *testing.T) {
	const base = "http://record.test/fhir"
	for in, want := range map[string]string{
		"Patient/1":                          "Patient/1",
		base + "/Patient/1":                  "Patient/1",
		"Patient/1/_history/2":               "Patient/1/_history/2",
		"Patient/a-B.9":                      "Patient/a-B.9",
		"http://other/fhir/Patient/1":        "",
		"urn:uuid:a":                         "",
		"#p1":                                "",
		"Patient?identifier=1":               "",
		"Patient/":                           "",
		"patient/1":                          "Patient/1",
		"/Patient/1":                         "Patient/1",
		"Patient/1/":                         "Patient/1",
		"Patient//1":                         "Patient/1",
		"./Patient/1":                        "Patient/1",
		"../Patient/1":                       "Patient/1",
		"Patient/x/../1":                     "Patient/1",
		" Patient/1 ":                        "Patient/1",
		"Patient/1#part":                     "Patient/1",
		"Patient/a%2Eb":                      "Patient/a.b",
		"Patient%2F1":                        "Patient/1",
		"Patient/%zz":                        "",
		"https://record.test/fhir/Patient/1": "Patient/1",
		"HTTP://Record.Test/fhir/Patient/1":  "Patient/1",
		base + "//Patient/1/_history/2/":     "Patient/1/_history/2",
		"http://record.test/fhirs/Patient/1": "",
		"ftp://record.test/fhir/Patient/1":   "",
		"http://record.test/fhir":            "",
		"observation/1":                      "",
		"PATIENT/1":                          "Patient/1",
		"Patient/ 1":                         "Patient/1",
		"Patient/1?_format=json":             "Patient/1",
		"Patient/?identifier=1":              "",
		base + "/Patient?identifier=1":       "",
		"urn:oid:1.2/Patient/1":              "",
		"P/1":                                "",
		"Patient/1_2":                        "",
		"Patient/1/_history/":                "",
		"Patient/1/x/2":                      "",
		"Patient/" + strings.Repeat("a", 65): "",
	} {
		ref, ok := fhir.ParseRef(base, in)
		if ok != (want != "") || ok && ref.String() != want {
			t.Errorf("SRCH-100: %q: got %v, %v, want %q", in, ref, ok, want)
		}
	}
}
