package payload_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"carerecord/fhir/payload"
)

func TestRead(t *testing.T) {
	const patient = `{"resourceType":"Patient","id":"1"}`
	std := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		name, contentType, data string
		want                    string // the resources, one a line
		readable                bool
	}{
		{"FHIR as JSON", "application/fhir+json", std([]byte(patient)), patient, true},
		{"of another content type", "text/plain", std([]byte(patient)), patient, true},
		{"without a content type", "", std([]byte(patient)), patient, true},
		{"with white space and a byte order mark", "", std([]byte("\ufeff\n " + patient + "\n")), patient, true},
		{"behind much white space", "", std([]byte(strings.Repeat(" ", 1000) + patient)), patient, true},
		{"wrapped base64", "", "\n" + std([]byte(patient))[:20] + "\r\n " + std([]byte(patient))[20:], patient, true},
		{"without padding, in the other alphabet", "", base64.RawURLEncoding.EncodeToString([]byte(`{"resourceType":"Patient","x":"???>>>"}`)), `{"resourceType":"Patient","x":"???>>>"}`, true},
		{"one resource a line", "application/fhir+ndjson", std([]byte(patient + "\n\n" + patient + "\n")), patient + "\n" + patient, true},
		{"FHIR as XML", "application/xml", std([]byte(`<?xml version="1.0"?><Patient xmlns="http://hl7.org/fhir"><id value="1"/></Patient>`)), patient, true},
		{"a long one", "", std([]byte(`{"resourceType":"Patient","x":"` + strings.Repeat("y", 5000) + `"}`)), `{"resourceType":"Patient","x":"` + strings.Repeat("y", 5000) + `"}`, true},

		{"a picture", "image/png", std([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 3000))), "", true},
		{"text", "text/plain", std([]byte("a letter")), "", true},
		{"other JSON", "application/json", std([]byte(`{"a":null}`)), "", true},
		{"other XML", "text/xml", std([]byte(`<ClinicalDocument xmlns="urn:hl7-org:v3"/>`)), "", true},
		{"no base64", "text/plain", "?", "", true},
		{"nothing", "", "", "", true},

		{"claims FHIR and is no base64", "application/fhir+json", "?", "", false},
		{"claims FHIR and is text", "application/fhir+json", std([]byte("a letter")), "", false},
		{"claims FHIR and is empty", "application/fhir+json", "", "", false},
		{"claims FHIR in another letter case", "Application/FHIR+JSON; charset=utf-8", std([]byte("x")), "", false},
		{"looks like FHIR and cannot be read", "", std([]byte(`{"resourceType":"Patient","id":null}`)), "", false},
		{"FHIR within other JSON", "", std([]byte(`{"bundle":` + patient + `}`)), "", false},
		{"a list", "", std([]byte(`[` + patient + `]`)), "", false},
		{"whose name is escaped", "", std([]byte(`{"x":{"resource\u0054ype":"Patient"}}`)), "", false},
		{"FHIR within other XML", "", std([]byte(`<feed><Patient xmlns="http://hl7.org/fhir"/></feed>`)), "", false},
		{"cut off", "", std([]byte(patient[:30])), "", false},
	} {
		resources, readable := payload.Read(c.contentType, c.data)
		if got := string(bytes.Join(resources, []byte("\n"))); got != c.want || readable != c.readable {
			t.Errorf("%s: got %q %v, want %q %v", c.name, got, readable, c.want, c.readable)
		}
	}
}

func TestDataURL(t *testing.T) {
	for _, c := range []struct {
		url, contentType, data string
		ok                     bool
	}{
		{"data:application/fhir+json;base64,e30=", "application/fhir+json", "e30=", true},
		{"DATA:;base64,e30=", "", "e30=", true},
		{"data:application/json,{}", "application/json", "e30=", true},
		{"http://x/data:", "", "", false},
		{"", "", "", false},
	} {
		contentType, data, ok := payload.DataURL(c.url)
		if contentType != c.contentType || data != c.data || ok != c.ok {
			t.Errorf("%q: got %q %q %v, want %q %q %v", c.url, contentType, data, ok, c.contentType, c.data, c.ok)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("application/fhir+json", "e30=")
	f.Add("", base64.StdEncoding.EncodeToString([]byte(`{"resourceType":"Patient"}`)))
	f.Add("", base64.StdEncoding.EncodeToString([]byte(`<Patient xmlns="http://hl7.org/fhir"/>`)))
	f.Fuzz(func(t *testing.T, contentType, data string) {
		resources, readable := payload.Read(contentType, data)
		if !readable && len(resources) > 0 && resources[0] != nil {
			t.Errorf("unreadable, with %d resources", len(resources))
		}
	})
}
