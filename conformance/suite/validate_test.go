package suite

import (
	"testing"
)

// TestValidateOperation: $validate reports the same issues as the interaction that it checks, and writes nothing (OPER-020,
// 022, SMART-300, VIS-009).
func TestValidateOperation(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	const (
		good = `{"resourceType":"Basic","id":"xac01.op","code":{"text":"x"}}`
		bad  = `{"resourceType":"Basic","foo":"","created":"x"}`
		all  = "structure Basic.foo\nvalue Basic.created\nrequired Basic.code"
		none = "informational "
	)
	with := func(parts string) string {
		return `{"resourceType":"Parameters","parameter":[` + parts + `]}`
	}
	resource := func(body string) string { return `{"name":"resource","resource":` + body + `}` }
	mode := func(code string) string { return `,{"name":"mode","valueCode":"` + code + `"}` }
	profile := func(url string) string { return `,{"name":"profile","valueUri":"` + url + `"}` }
	for _, c := range []struct {
		name, who, path, body string
		status                int
		want                  string
	}{
		{"OPER-020 valid", trustClient, "Basic/$validate", good, 200, none},
		{"OPER-020 invalid: 200 as well", trustClient, "Basic/$validate", bad, 200, all},
		{"OPER-020 Parameters", trustClient, "Basic/$validate", with(resource(bad)), 200, all},
		{"OPER-020 a broken rule", trustClient, "Basic/$validate", with(resource(`{"resourceType":"Basic","code":{"id":"x"}}`)), 200, "invariant Basic.code"},
		{"OPER-020 another type", trustClient, "Basic/$validate", `{"resourceType":"Patient"}`, 200, "invalid resourceType"},
		{"OPER-020 create", trustClient, "Basic/$validate", with(resource(good) + mode("create")), 200, none},
		{"OPER-020 update of an instance", trustClient, "Basic/xac01.op/$validate", with(resource(good) + mode("update")), 200, none},
		{"OPER-022 update with another id", trustClient, "Basic/xac01.other/$validate", with(resource(good) + mode("update")), 200, "invalid Basic.id"},
		{"OPER-022 update without an id", trustClient, "Basic/xac01.op/$validate", with(resource(`{"resourceType":"Basic","code":{"text":"x"}}`) + mode("update")), 200, "required Basic.id"},
		{"OPER-020 update on the type", trustClient, "Basic/$validate", with(resource(good) + mode("update")), 400, "invalid "},
		{"OPER-020 delete of an instance", trustClient, "Basic/xac01.op/$validate", with(`{"name":"mode","valueCode":"delete"}`), 200, none},
		{"OPER-020 delete on the type", trustClient, "Basic/$validate", with(`{"name":"mode","valueCode":"delete"}`), 400, "invalid "},
		{"OPER-020 mode in the URL", trustClient, "Basic/$validate?mode=update", good, 400, "invalid "},
		{"OPER-020 unknown mode", trustClient, "Basic/$validate", with(resource(good) + mode("destroy")), 400, "code-invalid "},
		{"OPER-020 unknown profile", trustClient, "Basic/$validate", with(resource(good) + profile("http://x/P")), 404, "not-found "},
		{"OPER-020 the base as profile", trustClient, "Basic/$validate", with(resource(good) + profile("http://hl7.org/fhir/StructureDefinition/Basic")), 200, none},
		{"OPER-020 mode profile without a profile", trustClient, "Basic/$validate", with(resource(good) + mode("profile")), 400, "required "},
		{"OPER-020 no resource", trustClient, "Basic/$validate", with(`{"name":"mode","valueCode":"create"}`), 400, "required "},
		{"OPER-020 no body", trustClient, "Basic/$validate", "", 400, "required "},
		{"OPER-020 unknown parameter", trustClient, "Basic/$validate", with(resource(good) + `,{"name":"x","valueCode":"y"}`), 400, "not-supported "},
		{"OPER-020 bad Parameters", trustClient, "Basic/$validate", `{"resourceType":"Parameters","parameter":[{"value":1}]}`, 400, "structure Parameters.parameter[0].value\nrequired Parameters.parameter[0].name"},
		{"OPER-020 no JSON", trustClient, "Basic/$validate", `{"resourceType":"Basic"`, 400, "structure Basic.resourceType"},
		{"OPER-001 unknown operation", trustClient, "Basic/$valid", good, 404, "not-supported "},
		{"OPER-001 unknown operation on an instance", trustClient, "Basic/xac01.op/$valid", good, 404, "not-supported "},
		{"REST-014 unknown type", trustClient, "Basics/$validate", good, 404, "not-supported "},
		{"OPER-022 staff may not create", "gp", "Basic/$validate", with(resource(good) + mode("create")), 200, "forbidden "},
		{"SMART-300 staff may validate", "gp", "Basic/$validate", good, 200, none},
	} {
		r := s.do(c.who, "POST", c.path, c.body)
		if got := issuesOf(r, "issue"); r.status != c.status || got != c.want {
			t.Errorf("%s: got %d %q, want %d %q\n%s", c.name, r.status, got, c.status, c.want, r.body)
		}
	}
	wantStatus(t, "OPER-020 stores nothing", s.get(trustClient, "Basic/xac01.op"), 404, "not-found")
	r := s.get(trustClient, "Basic/$validate")
	wantStatus(t, "OPER-001 GET", r, 405, "not-supported")
	if r.header.Get("Allow") != "POST" {
		t.Errorf("OPER-001: Allow is %q", r.header.Get("Allow"))
	}
	wantStatus(t, "OPER-001 GET of an unknown operation", s.get(trustClient, "Basic/$valid"), 404, "not-supported")
	wantStatus(t, "no token", s.do("", "POST", "Basic/$validate", good), 401, "login")
	here := s.do("gp", "POST", "Patient/xgp01.r1/$validate", `{"resourceType":"Patient"}`)
	deleted := s.do("gp", "POST", "Patient/xgp01.nobody/$validate", `{"resourceType":"Patient"}`)
	if here.status != 200 || here.body != deleted.body {
		t.Errorf("VIS-009: got %d %s, and %s for an id that is not there", here.status, here.body, deleted.body)
	}
	batch := s.do(trustClient, "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":`+bad+`,"request":{"method":"POST","url":"Basic/$validate"}}]}`)
	wantStatus(t, "REST-083 a bad bundle", batch, 400, "structure") // an empty string is invalid in FHIR JSON
	batch = s.do(trustClient, "POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Basic"},"request":{"method":"POST","url":"Basic/$validate"}}]}`)
	if got := issuesOf(batch, "entry.0.resource.issue"); got != "required Basic.code" && issuesOf(batch, "entry.0.response.outcome.issue") != "required Basic.code" {
		t.Errorf("REST-235: got %s", batch.body)
	}
	if op := s.get("", "metadata").get(`rest.0.resource.#(type=="Basic").operation.0`); op.Get("name").Str != "validate" {
		t.Errorf("REST-250: got %s", op.Raw)
	}
}
