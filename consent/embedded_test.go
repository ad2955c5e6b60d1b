package consent_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
)

// TestOwnersOfEmbeddedResources: a Binary with FHIR content has the owners of the content in addition to those
// of its document. Only its source sees one that cannot be read (SMART-257; item 5).
func TestOwnersOfEmbeddedResources(t *testing.T) {
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
			g := r.source("G")
			r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
			r.mustPut(g, `{"resourceType":"Patient","id":"G.2"}`)
			r.mustPut(g, optOut("G.c", "G.2"))
			if c.context != "" {
				c.context = `"securityContext":{"reference":"` + c.context + `"},`
			}
			r.mustPut(g, `{"resourceType":"Binary","id":"G.b",`+c.context+`"contentType":"`+c.contentType+`","data":"`+base64.StdEncoding.EncodeToString([]byte(c.data))+`"}`)
			r.mustPut(g, `{"resourceType":"DocumentReference","id":"G.d","status":"current","subject":{"reference":"Patient/G.1"},"content":[{"attachment":{"url":"Binary/G.b"}}]}`)
			if n, _, err := r.count(r.staff("A"), "Binary", ""); err != nil || n != c.seen {
				t.Errorf("got %d, %v, want %d", n, err, c.seen)
			}
			r.verified()
		})
	}
}

// TestPatientsGetNoEmbeddedDocuments: unstructured content is cut for a patient wherever
// it is embedded (CON-1102).
func TestPatientsGetNoEmbeddedDocuments(t *testing.T) {
	const (
		head  = `{"resourceType":"Parameters","id":"G.p"`
		about = `{"name":"a","valueReference":{"reference":"Patient/G.1"}}`
		told  = `"valueBase64Binary":"dG9sZA=="`
	)
	for _, c := range []struct{ name, parameter string }{
		{"base64", `{"name":"b",` + told + `}`},
		{"in an extension", `{"name":"b","extension":[{"url":"u",` + told + `}],"valueMarkdown":"dG9sZA=="}`},
		{"in a part", `{"name":"b","part":[{"name":"c",` + told + `}]}`},
		{"an attachment in a part", `{"name":"b","part":[{"name":"c","valueAttachment":{"data":"dG9sZA=="}}]}`},
		{"a Binary", `{"name":"b","resource":{"resourceType":"Binary","contentType":"text/plain","data":"dG9sZA=="}}`},
		{"a document in a Bundle", `{"name":"b","resource":{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/G.1"},"description":"dG9sZA==","content":[{"attachment":{"title":"x"}}]}}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			g := r.source("G")
			r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
			r.mustPut(g, head+`,"parameter":[`+about+`,`+c.parameter+`]}`)
			req := consent.Request{Interaction: consent.Read, Type: "Parameters", Permission: consent.PermitRead}
			err := r.guard.Read(context.Background(), r.patient("G.1"), req, func(v *consent.View) error {
				d, err := v.Get(context.Background(), store.Ref{Type: "Parameters", ID: "G.p"})
				if err == nil && (strings.Contains(string(d.Body), "dG9sZA==") || !strings.Contains(string(d.Body), about)) {
					t.Errorf("the patient gets %s", d.Body)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
