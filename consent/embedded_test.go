package consent_test

import (
	"encoding/base64"
	"testing"

	"carerecord/consent/policy"
)

// TestBinaryIsAboutWhomItHolds: a Binary that holds FHIR is about whom that is about,
// beside whom its document is about; one that cannot be read is its source's alone
// (SMART-257; item 5).
func TestBinaryIsAboutWhomItHolds(t *testing.T) {
	condition := func(patient string) string {
		return `{"resourceType":"Condition","subject":{"reference":"Patient/` + patient + `"}}`
	}
	for _, c := range []struct {
		name, contentType, data string
		context                 string
		seen                    int // by a clinician of another organisation
	}{
		{"a letter", "text/plain", "a letter", "", 1},
		{"about the patient of its document", "application/fhir+json", condition("G.1"), "", 1},
		{"about somebody who has opted out", "application/fhir+json", condition("G.2"), "", 0},
		{"about somebody who is not there", "application/fhir+json", condition("G.3"), "", 0},
		{"unreadable", "application/fhir+json", "a letter", "", 0},
		{"a letter with a context", "text/plain", "a letter", "Patient/G.1", 1},
		{"unreadable, with a context", "application/fhir+json", "a letter", "Patient/G.1", 0},
		{"about somebody who has opted out, with a context", "text/plain", condition("G.2"), "Patient/G.1", 0},
		{"about somebody who is not there, with a context", "text/plain", condition("G.3"), "Patient/G.1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			g := r.feed("G")
			r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
			r.mustPut(g, `{"resourceType":"Patient","id":"G.2"}`)
			r.mustPut(g, optOut("G.c", "G.2"))
			if c.context != "" {
				c.context = `"securityContext":{"reference":"` + c.context + `"},`
			}
			r.mustPut(g, `{"resourceType":"Binary","id":"G.b",`+c.context+`"contentType":"`+c.contentType+`","data":"`+base64.StdEncoding.EncodeToString([]byte(c.data))+`"}`)
			r.mustPut(g, `{"resourceType":"DocumentReference","id":"G.d","status":"current","subject":{"reference":"Patient/G.1"},"content":[{"attachment":{"url":"Binary/G.b"}}]}`)
			if n, _, err := r.count(r.clinician("A"), "Binary", ""); err != nil || n != c.seen {
				t.Errorf("got %d, %v, want %d", n, err, c.seen)
			}
			r.verified()
		})
	}
}
