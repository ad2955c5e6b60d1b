package rest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestCriteria: criteria of conditional writes take the filters that a search
// takes, chains included, beside the one equality that is claimed; and what is
// deleted matches none (REST-128).
func TestCriteria(t *testing.T) {
	h := open(t)
	send(h, "PUT", "/Patient/1", `{"resourceType":"Patient","id":"1","name":[{"family":"Ely"}],"birthDate":"1980-05-01"}`)
	observation := func(id, code string) string {
		return `{"resourceType":"Observation",` + id + `"status":"final","code":{"coding":[{"system":"s","code":"` + code + `"}]},"identifier":[{"system":"s","value":"1"}],` +
			`"subject":{"reference":"Patient/1"},"effectiveDateTime":"2026-05-01","valueQuantity":{"value":7,"unit":"kg"}}`
	}
	send(h, "PUT", "/Observation/o", observation(`"id":"o",`, "c"))
	for criteria, finds := range map[string]bool{
		"identifier=s|1":                                          true,
		"identifier=s|1&status=final,amended":                     true,
		"identifier=s|1&date=ge2026-05-01&date=lt2026-06-01":      true,
		"identifier=s|1&date=gt2026-06-01":                        false,
		"identifier=s|1&value-quantity=gt5":                       true,
		"identifier=s|1&value-quantity=gt9":                       false,
		"identifier=s|1&code:not=s|other":                         true,
		"identifier=s|1&specimen:missing=true":                    true,
		"identifier=s|1&subject:Patient.name=ely":                 true,
		"identifier=s|1&subject:Patient.name=other":               false,
		"identifier=s|1&patient.birthdate=1980-05-01":             true,
		"identifier=s|1&_lastUpdated=gt2020-01-01&code=s|c":       true,
		"identifier=s|1&_lastUpdated=lt2020-01-01":                false,
		"subject=Patient/1&identifier=s|1&_id=o&code=s|c&code=s|": true,
	} {
		// A PUT by criteria: 200 where it finds the one, 201 for another, which
		// is taken away again.
		w := send(h, "PUT", "/Observation?"+strings.ReplaceAll(criteria, "|", "%7C"), observation("", "c"))
		body := w.Body.String()
		if found := w.Code == 200 && gjson.Get(body, "id").Str == "o"; found != finds || !found && w.Code != 201 {
			t.Errorf("REST-128: PUT Observation?%s: got %d %.200s, want it found: %v", criteria, w.Code, body, finds)
		}
		if w.Code == 201 {
			send(h, "DELETE", "/Observation/"+gjson.Get(body, "id").Str, "")
		}
	}
	for name, criteria := range map[string]string{"no equality": "status:not=final", "a date alone": "date=2026", "a chain alone": "subject:Patient.name=ely"} {
		if w := send(h, "PUT", "/Observation?"+criteria, observation("", "c")); w.Code != 400 || gjson.Get(w.Body.String(), "issue.0.code").Str != "required" {
			t.Errorf("REST-128: %s: got %d %s, want 400 required", name, w.Code, w.Body)
		}
	}
	if w := send(h, "DELETE", "/Observation?identifier=s%7C1&subject:Patient.name=ely", ""); w.Code != 204 {
		t.Fatalf("REST-128: DELETE by criteria: got %d %s", w.Code, w.Body)
	}
	if w := send(h, "GET", "/Observation/o", ""); w.Code != 410 {
		t.Errorf("REST-128: it is still there: %d", w.Code)
	}
	if w := send(h, "POST", "/Observation", observation("", "c"), "If-None-Exist: identifier=s|1&subject:Patient.name=ely"); w.Code != 201 {
		t.Errorf("REST-128: a deleted resource matched: got %d %s", w.Code, w.Body)
	}
	if w := send(h, "POST", "/Observation", observation("", "c"), "If-None-Exist: identifier=s|1&subject:Patient.name=ely"); w.Code != 200 {
		t.Errorf("REST-128: got %d %s, want 200 with the one that is there", w.Code, w.Body)
	}
}

// TestBundleTwice: a bundle of conditional creates that refer to each other
// changes nothing when it is loaded again (REST-231): no new resource, no new version.
func TestBundleTwice(t *testing.T) {
	h := open(t)
	var entries []string
	for i := range 40 {
		n := fmt.Sprintf("%02d", i)
		entries = append(entries,
			`{"fullUrl":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd91870000`+n+`","resource":{"resourceType":"Patient","identifier":[{"system":"s","value":"p`+n+`"}]},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=s|p`+n+`"}}`,
			`{"resource":{"resourceType":"Observation","identifier":[{"system":"s","value":"o`+n+`"}],"status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd91870000`+n+`"}},"request":{"method":"POST","url":"Observation","ifNoneExist":"identifier=s|o`+n+`"}}`)
	}
	bundle := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
	var histories, places [2]string
	for round, status := range []string{"201 Created", "200 OK"} {
		w := send(h, "POST", "", bundle)
		for i, got := range gjson.Get(w.Body.String(), "entry.#.response.status").Array() {
			if got.Str != status {
				t.Errorf("REST-231: round %d, entry %d: got %s, want %s", round+1, i, got, status)
			}
		}
		if n := gjson.Get(w.Body.String(), "entry.#").Int(); w.Code != 200 || n != 80 {
			t.Fatalf("REST-231: round %d: got %d with %d entries", round+1, w.Code, n)
		}
		places[round] = gjson.Get(w.Body.String(), "entry.#.response.location").Raw
		histories[round] = gjson.Get(send(h, "GET", "/_history?_count=1000", "").Body.String(), "entry").Raw
	}
	if n := gjson.Get(histories[0], "#").Int(); n != 80 || histories[0] != histories[1] {
		t.Errorf("REST-231: the first load made %d versions, want 80; the second made %d", n, gjson.Get(histories[1], "#").Int())
	}
	if places[0] != places[1] {
		t.Errorf("REST-231: the second load names other places:\n%s\n%s", places[1], places[0])
	}
}
