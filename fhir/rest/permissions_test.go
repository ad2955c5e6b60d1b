package rest_test

import (
	"strings"
	"testing"
	"time"

	"carerecord/store/storetest"
)

// TestLettersOfInteractions: an interaction needs its letters on the type. A conditional form
// and a conditional reference need s beside their own, $meta needs r and a change of it u; what
// is refused for want of a letter changes nothing (SMART-290, SMART-291, SMART-292, SMART-299).
func TestLettersOfInteractions(t *testing.T) {
	const body = `{"resourceType":"Basic","id":"g.1","identifier":[{"system":"s","value":"1"}],"code":{"text":"x"}}`
	const exist, jsonPatch = "If-None-Exist: identifier=s|1", "Content-Type: application/json-patch+json"
	patch := `[{"op":"replace","path":"/code/text","value":"y"}]`
	meta := `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"t"}]}}]}`
	reference := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Location","managingOrganization":{"reference":"Organization?identifier=s|1"}},"request":{"method":"POST","url":"Location"}}]}`
	for _, c := range []struct {
		id, method, path, body string
		header                 []string
		without, with          string // scopes by which it is refused, and by which it is carried out
	}{
		{"SMART-290", "POST", "/Basic", body, []string{exist}, "Basic.crud", "Basic.cs"},
		{"SMART-290", "POST", "/Basic", body, []string{exist}, "Basic.ruds", "Basic.cs"},
		{"SMART-291", "PUT", "/Basic?identifier=s|1", body, nil, "Basic.crud", "Basic.us"},
		{"SMART-291", "PATCH", "/Basic?identifier=s|1", patch, []string{jsonPatch}, "Basic.crud", "Basic.us"},
		{"SMART-291", "DELETE", "/Basic?identifier=s|1", "", nil, "Basic.crud", "Basic.ds"},
		{"SMART-291", "DELETE", "/Basic?identifier=s|1", "", nil, "Basic.crus", "Basic.ds"},
		{"SMART-292", "POST", "", reference, nil, "Location.cruds Organization.crud", "Location.c Organization.s"},
		{"SMART-299", "GET", "/Basic/g.1/$meta", "", nil, "Basic.cuds", "Basic.r"},
		{"SMART-299", "POST", "/Basic/g.1/$meta-add", meta, nil, "Basic.crds", "Basic.ru"},
		{"SMART-299", "POST", "/Basic/g.1/$meta-delete", meta, nil, "Basic.crds", "Basic.ru"},
	} {
		h := shared(t, storetest.NewReference(time.Now))
		for path, stored := range map[string]string{"/Basic/g.1": body, "/Organization/g.o": `{"resourceType":"Organization","id":"g.o","name":"O","identifier":[{"system":"s","value":"1"}]}`} {
			if w := send(h, "PUT", path, stored, "Authorization: feed"); w.Code != 201 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
		state := func() string {
			return send(h, "GET", "/_history", "", "Authorization: feed").Body.String()
		}
		as := func(scopes string) string {
			return "Authorization: system/" + strings.ReplaceAll(scopes, " ", " system/")
		}
		before := state()
		if w := send(h, c.method, c.path, c.body, append(c.header, as(c.without))...); w.Code != 403 || !strings.Contains(w.Body.String(), `"forbidden"`) || state() != before {
			t.Errorf("%s: %s %s with %s: got %d %s, want 403 and nothing changed", c.id, c.method, c.path, c.without, w.Code, w.Body)
		}
		if w := send(h, c.method, c.path, c.body, append(c.header, as(c.with))...); w.Code >= 300 {
			t.Errorf("%s: %s %s with %s: got %d %s, want it carried out", c.id, c.method, c.path, c.with, w.Code, w.Body)
		}
	}
}

// TestLettersOfIncludes: what matches point to is included with r or s on its type, and what
// points to them with s alone (SMART-281, SMART-282).
func TestLettersOfIncludes(t *testing.T) {
	h := shared(t, storetest.NewReference(time.Now))
	for path, body := range map[string]string{
		"/Patient/g.1":     registered(1),
		"/Observation/g.1": `{"resourceType":"Observation","id":"g.1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"}}`,
	} {
		if w := send(h, "PUT", path, body, "Authorization: feed"); w.Code != 201 {
			t.Fatalf("PUT %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, c := range []struct {
		id, path, scopes string
		included         bool
	}{
		{"SMART-281", "/Observation?_include=Observation:subject", "user/Observation.s user/Patient.r", true},
		{"SMART-281", "/Observation?_include=Observation:subject", "user/Observation.s user/Patient.s", true},
		{"SMART-281", "/Observation?_include=Observation:subject", "user/Observation.s user/Patient.cud", false},
		{"SMART-281", "/Observation?_include=Observation:subject", "user/Observation.s", false},
		{"SMART-282", "/Patient?_revinclude=Observation:subject", "user/Patient.s user/Observation.s", true},
		{"SMART-282", "/Patient?_revinclude=Observation:subject", "user/Patient.s user/Observation.crud", false},
		{"SMART-282", "/Patient?_revinclude=Observation:subject", "user/Patient.s", false},
	} {
		w := send(h, "GET", c.path, "", "Authorization: "+c.scopes)
		if got := strings.Contains(w.Body.String(), `"mode":"include"`); w.Code != 200 || got != c.included {
			t.Errorf("%s: %s with %s: got %d, included %v, want %v\n%s", c.id, c.path, c.scopes, w.Code, got, c.included, w.Body)
		}
	}
}
