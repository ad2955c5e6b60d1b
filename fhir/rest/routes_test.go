package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"carerecord/conformance/validate"
	"carerecord/fhir/r4"
	"carerecord/fhir/rest"
)

// oneOfEach stores one resource of every type that a feed may write, and Encounters whose
// subject is named in every form.
func (w *trailed) oneOfEach() {
	w.Helper()
	w.filled()
	encounter := `,"status":"finished","class":{"code":"AMB"},"subject":`
	stored := 0
	for _, typ := range r4.Resources() {
		rest := ""
		if typ == "Encounter" {
			rest = encounter + `{"reference":"Patient/g.2","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000002"}}`
		}
		out, _ := w.ask("192.0.2.1", "PUT", "/"+typ+"/g.5", fmt.Sprintf(`{"resourceType":%q,"id":"g.5"%s}`, typ, rest), "Authorization: Bearer feed")
		if out.Code == 201 {
			stored++
		}
	}
	if stored < 140 { // all but AuditEvent, Consent, OperationOutcome, Parameters and SearchParameter
		w.Fatalf("%d types were stored, want 140 at least", stored)
	}
	for n, subject := range []string{`{"identifier":{"value":"7"}}`, `{"identifier":{"system":"http://local/1","value":"7"}}`, `{"identifier":{"system":"a|b,c$d\\","value":" \\|,$ "}}`,
		`{"identifier":{"system":"http://local/1"}}`, `{"reference":"Group/g.5"}`, `{"reference":"urn:uuid:1d2c"}`, `{"display":"x"}`, `{"reference":"Patient/absent"}`} {
		body := fmt.Sprintf(`{"resourceType":"Encounter","id":"g.6%d"%s%s}`, n, encounter, subject)
		if out, _ := w.ask("192.0.2.1", "PUT", fmt.Sprint("/Encounter/g.6", n), body, "Authorization: Bearer feed"); out.Code != 201 {
			w.Fatalf("%s: %d %s", body, out.Code, out.Body)
		}
	}
}

// TestEveryTypeWithin: no compartment search, $everything or $lastn fails, whatever types
// the store holds and whoever asks (SRCH-153, OPER-010, 011, 014, 040).
func TestEveryTypeWithin(t *testing.T) {
	w := newTrailed(t, func(c *rest.Config) { c.Validation = validate.Lenient })
	w.oneOfEach()
	var paths []string
	for _, of := range []string{"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"} {
		for _, member := range append(r4.Resources(), "*") {
			paths = append(paths, "/"+of+"/g.5/"+member)
		}
	}
	for _, typ := range r4.Resources() {
		paths = append(paths, "/Patient/g.2/$everything?_type="+typ, "/Encounter/g.5/$everything?_type="+typ)
	}
	everything := []string{"/Patient/g.2/$everything", "/Patient/$everything"}
	for _, id := range []string{"5", "60", "61", "62", "63", "64", "65", "66", "67"} {
		everything = append(everything, "/Encounter/g."+id+"/$everything")
	}
	for _, path := range everything {
		for _, query := range []string{"", "?_count=3", "?_count=0", "?_since=2020-01-01T00:00:00Z", "?start=2020&end=2030"} {
			paths = append(paths, path+query)
		}
	}
	for _, whose := range []string{"patient=g.2", "subject=Patient/g.2", "subject=Group/g.5", "subject=Device/g.5", "patient:identifier=9990000002", "subject:identifier=http://x%7C1"} {
		for _, what := range []string{"code=x", "category=x", "combo-code=x", "component-code=x", "code:text=x", "max=3&code=x"} {
			paths = append(paths, "/Observation/$lastn?"+whose+"&"+what)
		}
	}
	answered := map[string]int{}
	for _, who := range []string{"feed", "doctor", "clerk", "patient"} {
		for _, path := range paths {
			out, _ := w.ask("192.0.2.7", "GET", path, "", "Authorization: Bearer "+who)
			if out.Code >= 500 {
				t.Errorf("%s asks %s: got %d %s, want no failure", who, path, out.Code, out.Body)
			}
			if out.Code == 200 {
				answered[who]++
			}
		}
	}
	for _, who := range []string{"feed", "clerk", "patient"} {
		if answered[who] < 100 {
			t.Errorf("%s: %d of %d requests were answered, want 100 at least: %v", who, answered[who], len(paths), answered)
		}
	}
	if body, _ := w.ask("192.0.2.7", "GET", "/Encounter/g.5/$everything", "", "Authorization: Bearer feed"); !strings.Contains(body.Body.String(), `"Encounter"`) {
		t.Errorf("OPER-014: the Encounter is not in its $everything: %s", body.Body)
	}
}
