package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestSettings: types may need If-Match, and be closed to deletion, in every
// form of writing (REST-048, REST-184).
func TestSettings(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) {
		c.Limits.NeedIfMatch, c.Limits.NoDelete = []string{"Patient"}, []string{"Patient"}
	})
	const patient = `{"resourceType":"Patient","id":"1","identifier":[{"system":"s","value":"1"}]}`
	if w := send(h, "PUT", "/Patient/1", patient, "If-None-Match: *"); w.Code != 201 {
		t.Fatalf("create: got %d %s", w.Code, w.Body)
	}
	bundle := func(entry string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[` + entry + `]}`
	}
	for _, c := range []struct {
		number, method, path, body string
		status                     int
		code                       string
	}{
		{"REST-048", "PUT", "/Patient/1", patient, 400, "required"},
		{"REST-048", "PUT", "/Patient?identifier=s%7C1", patient, 400, "required"},
		{"REST-048", "PATCH", "/Patient/1", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.photo"}]}]}`, 400, "required"},
		{"REST-048", "POST", "", bundle(`{"resource":` + patient + `,"request":{"method":"PUT","url":"Patient/1"}}`), 400, "required"},
		{"REST-184", "DELETE", "/Patient/1", "", 405, "not-supported"},
		{"REST-184", "DELETE", "/Patient?identifier=s%7C1", "", 405, "not-supported"},
		{"REST-184", "POST", "", bundle(`{"request":{"method":"DELETE","url":"Patient/1"}}`), 405, "not-supported"},
	} {
		w := send(h, c.method, c.path, c.body)
		if w.Code != c.status || gjson.Get(w.Body.String(), "issue.0.code").Str != c.code {
			t.Errorf("%s: %s %s: got %d %s, want %d %s", c.number, c.method, c.path, w.Code, w.Body, c.status, c.code)
		}
	}
	if w := send(h, "PUT", "/Patient/1", strings.Replace(patient, `"id"`, `"gender":"other","id"`, 1), `If-Match: W/"1"`); w.Code != 200 {
		t.Errorf("REST-048: with If-Match: got %d %s", w.Code, w.Body)
	}
}

// TestBundleLimits: more entries or bytes than the limits are refused before
// anything is written (REST-241, LIM-002).
func TestBundleLimits(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Limits.Entries, c.Limits.Bundle = 3, 2000 })
	entry := `{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}`
	for name, body := range map[string]string{
		"entries": strings.Repeat(entry+",", 3) + entry,
		"bytes":   strings.Replace(entry, `"Patient"}`, `"Patient","name":[{"text":"`+strings.Repeat("x", 2000)+`"}]}`, 1),
	} {
		for _, kind := range []string{"transaction", "batch"} {
			w := send(h, "POST", "", `{"resourceType":"Bundle","type":"`+kind+`","entry":[`+body+`]}`)
			if w.Code != 413 || gjson.Get(w.Body.String(), "issue.0.code").Str != "too-long" {
				t.Errorf("REST-241: too many %s in a %s: got %d %.200s, want 413 too-long", name, kind, w.Code, w.Body)
			}
		}
	}
	if w := send(h, "GET", "/Patient?_summary=count", ""); gjson.Get(w.Body.String(), "total").Int() != 0 {
		t.Errorf("REST-241: something was written: %s", w.Body)
	}
}

// rival is a store in which another write is always faster.
type rival struct{ *storetest.Reference }

func (rival) Commit(context.Context, store.Batch) (uint64, error) { return 0, store.ErrConflict }

// TestLostRaces: a write that loses every race says that it may be repeated
// (REST-242).
func TestLostRaces(t *testing.T) {
	h := handlerWith(t, rival{storetest.NewReference(time.Now)}, func(c *rest.Config) {
		c.Limits.Deadline, c.Limits.BundleDeadline = 300*time.Millisecond, 300*time.Millisecond
	})
	for path, body := range map[string]string{
		"/Patient": `{"resourceType":"Patient"}`,
		"":         `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}`,
	} {
		w := send(h, "POST", path, body)
		code := gjson.Get(w.Body.String(), "issue.0.code").Str
		if w.Code != http.StatusServiceUnavailable || code != "transient" && code != "timeout" || w.Header().Get("Retry-After") == "" {
			t.Errorf("REST-242: POST %s: got %d %s, want 503 transient with Retry-After", path, w.Code, w.Body)
		}
	}
}

// TestScanMaximum: a query that says nothing of what must be there is refused
// when it would look at too much, and one that says something is not (LIM-004).
func TestScanMaximum(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.ScanMaximum = 10 })
	for i := range 12 {
		send(h, "PUT", fmt.Sprintf("/Patient/%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"%d","gender":"male"}`, i))
		send(h, "PUT", fmt.Sprintf("/Observation/%d", i), fmt.Sprintf(`{"resourceType":"Observation","id":"%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}}`, i))
	}
	for query, status := range map[string]int{
		"Patient?gender:not=male": 400, "Patient?gender:missing=true": 400, "Patient?name:contains=x": 400, "Patient?gender:not=male&_total=accurate": 400,
		"Patient?gender:not=female&_count=5": 200, "Patient?gender=male": 200, "Patient?gender:not=female&gender=male": 200,
		"Patient": 200, "Observation?status:not=final&patient=Patient/1": 200, "Observation?status:not=final": 400, "Patient/1/Observation?status:not=final": 200,
	} {
		if w := send(h, "GET", "/"+query, ""); w.Code != status || status == 400 && gjson.Get(w.Body.String(), "issue.0.code").Str != "too-costly" {
			t.Errorf("LIM-004: %s: got %d %.200s, want %d", query, w.Code, w.Body, status)
		}
	}
}

// TestBareIDs: an id without a type that fits references of several types is
// refused (SRCH-103). A url with a version tests the business version
// (SRCH-116).
func TestBareIDs(t *testing.T) {
	h := open(t)
	for id, subject := range map[string]string{"1": "Patient/a", "2": "Group/a", "3": "Patient/b"} {
		send(h, "PUT", "/Observation/"+id, `{"resourceType":"Observation","id":"`+id+`","status":"final","code":{"text":"x"},"subject":{"reference":"`+subject+`"}}`)
	}
	if w := send(h, "GET", "/Observation?subject=a", ""); w.Code != 400 || gjson.Get(w.Body.String(), "issue.0.code").Str != "multiple-matches" {
		t.Errorf("SRCH-103: got %d %s, want 400 multiple-matches", w.Code, w.Body)
	}
	for _, query := range []string{"subject=b", "subject=Patient/a", "patient=a", "subject:Group=a"} {
		if w := send(h, "GET", "/Observation?"+query, ""); gjson.Get(w.Body.String(), "total").Int() != 1 {
			t.Errorf("SRCH-103: %s: got %d %s, want one match", query, w.Code, w.Body)
		}
	}
	for id, version := range map[string]string{"1": "1.0", "2": "2.0"} {
		send(h, "PUT", "/ValueSet/"+id, `{"resourceType":"ValueSet","id":"`+id+`","url":"http://v","version":"`+version+`","status":"active"}`)
	}
	for query, want := range map[string]int64{"url=http://v": 2, "url=http://v%7C1.0": 1, "url=http://v%7C3.0": 0} {
		if w := send(h, "GET", "/ValueSet?"+query, ""); gjson.Get(w.Body.String(), "total").Int() != want {
			t.Errorf("SRCH-116: %s: got %s, want %d", query, w.Body, want)
		}
	}
}

// TestExpansionMaximum: a set of codes that is larger is an error, never fewer rows
// (SRCH-051, SRCH-052, LIM-001).
func TestExpansionMaximum(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.ExpansionMaximum = 8 })
	const hl7 = "http://terminology.hl7.org/"
	for query, status := range map[string]int{
		"code:in=http://hl7.org/fhir/ValueSet/observation-status":     200, // eight codes
		"code:in=" + hl7 + "ValueSet/v3-ActMood":                      400,
		"code:not-in=" + hl7 + "ValueSet/v3-ActMood":                  400,
		"code:below=" + hl7 + "CodeSystem/v3-RoleCode%7CPRN":          400,
		"code:below=" + hl7 + "CodeSystem/v3-RoleCode%7CNMTH":         200,
		"_filter=code%20in%20" + hl7 + "ValueSet/v3-ActMood":          400,
		"_filter=subject:Patient.language%20ss%20" + hl7 + "x%7Cpart": 400,
	} {
		w := send(h, "GET", "/Observation?"+query, "")
		code := "too-costly"
		if strings.HasSuffix(query, "part") {
			code = "not-supported"
		}
		if w.Code != status || status == 400 && gjson.Get(w.Body.String(), "issue.0.code").Str != code {
			t.Errorf("SRCH-051: %s: got %d %s, want %d %s", query, w.Code, w.Body, status, code)
		}
	}
}
