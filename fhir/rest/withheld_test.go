package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/store/storetest"
)

// TestEverythingWithheld: $everything of a patient who opts out between two
// pages, by who asks. The practice goes on with what it wrote, for whom nothing
// is left the record is absent, and who may break the glass is told so, on the
// later page as on the first (SMART-295, CON-1702, CON-1104, VIS-001).
func TestEverythingWithheld(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	put := func(who, path, body string) {
		t.Helper()
		if w := send(h, "PUT", path, body, "Authorization: "+who); w.Code != 201 {
			t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
		}
	}
	put("feed", "/Patient/g.1", registered(1))
	for i := range 4 {
		put("feed", fmt.Sprintf("/Observation/g.o%d", i), fmt.Sprintf(`{"resourceType":"Observation","id":"g.o%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"}}`, i))
	}
	put("feed", "/Observation/g.secret", `{"resourceType":"Observation","id":"g.secret","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"}}`)
	next := map[string]string{}
	for _, who := range []string{"gp", "clerk", "doctor"} {
		w := send(h, "GET", "/Patient/g.1/$everything?_count=2", "", "Authorization: "+who)
		body := w.Body.String()
		if rows, path := ids(body); w.Code != 200 || len(rows) != 2 || path == "" || gjson.Get(body, "total").Int() != 5 || !strings.Contains(body, "confidential-items") {
			t.Fatalf("SMART-295: %s: got %d %s", who, w.Code, w.Body)
		} else {
			next[who] = path
		}
	}
	if w := send(h, "GET", next["gp"], "", "Authorization: clerk"); w.Code != 400 || gjson.Get(w.Body.String(), "issue.0.code").Str != "invalid" {
		t.Errorf("SRCH-204: a page link of another is answered %d %s", w.Code, w.Body)
	}
	if w := send(h, "POST", "/Consent", fmt.Sprintf(optOut, "g.1"), "Authorization: gp"); w.Code != 201 {
		t.Fatalf("opt-out: %d %s", w.Code, w.Body)
	}
	for who, want := range map[string]int{"gp": 200, "clerk": 404, "doctor": 403} {
		for _, path := range []string{next[who], "/Patient/g.1/$everything"} {
			w := send(h, "GET", path, "", "Authorization: "+who)
			if w.Code != want || strings.Contains(w.Body.String(), "NO_PATIENT_CONSENT") != (want == 403) {
				t.Errorf("CON-1702: %s, %.40s: got %d %.300s, want %d", who, path, w.Code, w.Body, want)
			}
		}
	}
	hidden, never := send(h, "GET", "/Patient/g.1/$everything", "", "Authorization: clerk"), send(h, "GET", "/Patient/g.9/$everything", "", "Authorization: clerk")
	if hidden.Body.String() != never.Body.String() {
		t.Errorf("VIS-001: a hidden patient is answered %s, one who never was %s", hidden.Body, never.Body)
	}
}

// TestEverythingLetters: r on the owner, s on each type. A type without it is left
// out, as a row and as what a row refers to; one that is named is refused
// (SMART-295).
func TestEverythingLetters(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	for path, body := range map[string]string{
		"/Patient/g.1": registered(1), "/Practitioner/g.d": `{"resourceType":"Practitioner","id":"g.d"}`, "/Organization/g.org": `{"resourceType":"Organization","id":"g.org","name":"x"}`,
		"/Encounter/g.e":   `{"resourceType":"Encounter","id":"g.e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/g.1"},"serviceProvider":{"reference":"Organization/g.org"}}`,
		"/Observation/g.o": `{"resourceType":"Observation","id":"g.o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"},"encounter":{"reference":"Encounter/g.e"},"performer":[{"reference":"Practitioner/g.d"}]}`,
	} {
		if w := send(h, "PUT", path, body, "Authorization: feed"); w.Code != 201 {
			t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, c := range []struct{ scopes, path, want string }{
		{"user/Patient.r user/Observation.s user/Practitioner.s", "/Patient/g.1/$everything", "200 g.1 g.o g.d"},
		{"user/Patient.r user/Observation.s user/Practitioner.r", "/Patient/g.1/$everything", "200 g.1 g.o"},
		{"user/Patient.r", "/Patient/g.1/$everything", "200 g.1"},
		{"user/Patient.s user/Observation.s", "/Patient/g.1/$everything", "403"},
		{"user/Patient.r user/Observation.s", "/Patient/g.1/$everything?_type=Observation,Encounter", "403"},
		{"user/Patient.r user/Observation.s", "/Patient/g.1/$everything?_type=Observation", "200 g.o"},
		{"user/Patient.rs", "/Encounter/g.e/$everything", "403"},
		{"user/Encounter.r user/Observation.s user/Organization.s", "/Encounter/g.e/$everything", "200 g.e g.o g.org"},
	} {
		w := send(h, "GET", c.path, "", "Authorization: "+c.scopes)
		got := fmt.Sprint(w.Code)
		for _, id := range gjson.Get(w.Body.String(), "entry.#.resource.id").Array() {
			got += " " + id.Str
		}
		if got != c.want {
			t.Errorf("SMART-295: %s with %s: got %s, want %s\n%s", c.path, c.scopes, got, c.want, w.Body)
		}
	}
}

// TestRowsAboutNobody: a row about nobody is decided by role and scope, and what a join says of
// it by the rows that it joins: those that are hidden lead to none (CON-408).
func TestRowsAboutNobody(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	for path, body := range map[string]string{
		"/Patient/g.1": registered(1), "/Practitioner/g.d": `{"resourceType":"Practitioner","id":"g.d"}`,
		"/Observation/g.o": `{"resourceType":"Observation","id":"g.o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"},"performer":[{"reference":"Practitioner/g.d"}]}`,
		"/List/g.l":        `{"resourceType":"List","id":"g.l","status":"current","mode":"working","subject":{"reference":"Patient/g.1"},"entry":[{"item":{"reference":"Practitioner/g.d"}}]}`,
	} {
		if w := send(h, "PUT", path, body, "Authorization: feed"); w.Code != 201 {
			t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
		}
	}
	requested := []string{"_has:Observation:performer:status=final", "_list=g.l", "_id=g.d&_revinclude=Observation:performer"}
	found := func(q string) int {
		t.Helper()
		w := send(h, "GET", "/Practitioner?"+q, "", "Authorization: clerk")
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", q, w.Code, w.Body)
		}
		return int(gjson.Get(w.Body.String(), "entry.#").Int())
	}
	for _, q := range requested {
		if want := 1 + strings.Count(q, "_revinclude"); found(q) != want {
			t.Errorf("CON-408: Practitioner?%s: got %d, want %d", q, found(q), want)
		}
	}
	if w := send(h, "POST", "/Consent", fmt.Sprintf(optOut, "g.1"), "Authorization: gp"); w.Code != 201 {
		t.Fatalf("opt-out: %d %s", w.Code, w.Body)
	}
	for _, q := range requested {
		if want := strings.Count(q, "_revinclude"); found(q) != want {
			t.Errorf("CON-408: Practitioner?%s, while its rows are hidden: got %d, want %d", q, found(q), want)
		}
	}
	for scopes, want := range map[string]int{"user/Practitioner.r": 200, "user/Observation.rs": 403} {
		if w := send(h, "GET", "/Practitioner/g.d", "", "Authorization: "+scopes); w.Code != want {
			t.Errorf("CON-408: Practitioner/g.d with %s: got %d, want %d", scopes, w.Code, want)
		}
	}
}
