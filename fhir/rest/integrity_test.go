package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir/rest"
	"carerecord/store/storetest"
)

// TestIntegrity: with integrity on, references to what is absent, deleted or
// hidden are refused with one text; what the same bundle writes is there
// (REST-096, VIS-009).
func TestIntegrity(t *testing.T) {
	observation := func(subject string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"` + subject + `"},"performer":[{"reference":"http://elsewhere/fhir/Patient/1"}]}`
	}
	transaction := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + observation("Patient/new") + `,"request":{"method":"POST","url":"Observation"}},{"resource":{"resourceType":"Patient","id":"new"},"request":{"method":"PUT","url":"Patient/new"}}]}`
	for _, on := range []bool{false, true} {
		var h http.Handler = guarded(t, storetest.NewReference(time.Now), func(c *consent.Config) { c.Integrity = on }, func(*rest.Config) {})
		send(h, "PUT", "/Patient/gone", `{"resourceType":"Patient","id":"gone"}`)
		send(h, "DELETE", "/Patient/gone", "")
		var texts []string
		for _, subject := range []string{"Patient/absent", "Patient/gone"} {
			w := send(h, "POST", "/Observation", observation(subject))
			if want := map[bool]int{false: 201, true: 422}[on]; w.Code != want {
				t.Errorf("REST-096: integrity %v, %s: got %d %s, want %d", on, subject, w.Code, w.Body, want)
			}
			texts = append(texts, strings.ReplaceAll(w.Body.String(), subject, ""))
			if path := gjson.Get(w.Body.String(), "issue.0.expression.0").Str; on && path != "Observation.subject.reference" {
				t.Errorf("REST-096: the place is %q", path)
			}
		}
		if on && texts[0] != texts[1] {
			t.Errorf("REST-096: absent and deleted are told apart: %v", texts)
		}
		if w := send(h, "POST", "", transaction); w.Code != 200 {
			t.Errorf("REST-096: integrity %v, a reference within a bundle: got %d %s", on, w.Code, w.Body)
		}
	}
}
