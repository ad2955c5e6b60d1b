package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/conformance/validate"
)

// TestValidation: every interaction refuses a resource that is invalid by its type, and reports all faults with
// their expressions (REST-002, 003, 080 to 088).
func TestValidation(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	t.Run("strict", func(t *testing.T) { testStrict(t, s) })
	t.Run("transaction", func(t *testing.T) { testFaultyTransaction(t, s) })
	t.Run("batch", func(t *testing.T) { testFaultyBatch(t, s) })
	t.Run("own resources", func(t *testing.T) { testOwnResources(t, s) })
	t.Run("load", func(t *testing.T) { testLoadModes(t, s) })
}

// issuesOf returns the issues of an outcome as lines "code expression".
func issuesOf(r reply, path string) string {
	var out []string
	for _, i := range r.get(path).Array() {
		severity := ""
		if i.Get("severity").Str == "warning" {
			severity = "?"
		}
		out = append(out, severity+i.Get("code").Str+" "+i.Get("expression.0").Str)
	}
	return strings.Join(out, "\n")
}

func testStrict(t *testing.T, s *server) {
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"REST-082 unknown element", `{"resourceType":"Basic","code":{"text":"x"},"cod":1}`, 400, "structure Basic.cod"},
		{"REST-083 wrong JSON type", `{"resourceType":"Basic","code":[{"text":"x"}]}`, 400, "structure Basic.code"},
		{"REST-085 twin", `{"resourceType":"Basic","code":{"text":"x"},"_created":[null]}`, 400, "structure Basic.created"},
		{"REST-086 bad primitive", `{"resourceType":"Basic","code":{"text":"x"},"created":"2023-02-29"}`, 400, "value Basic.created"},
		{"REST-087 missing", `{"resourceType":"Basic"}`, 400, "required Basic.code"},
		{"REST-087 unknown code", `{"resourceType":"Basic","code":{"text":"x"},"identifier":[{"use":"x"}]}`, 400, "code-invalid Basic.identifier[0].use"},
		{"REST-002 an invariant", `{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"a"}]}`, 422, "invariant Basic.extension[0]"},
		{"REST-003 all faults", `{"resourceType":"Basic","created":"x","subject":"","author":null,"foo":1}`, 400,
			"value Basic.created\nstructure Basic.subject\nstructure Basic.author\nstructure Basic.foo\nrequired Basic.code"},
		{"REST-088 another type", `{"resourceType":"Patient","foo":1}`, 400, "invalid resourceType"},
	} {
		r := s.do(trustClient, "POST", "Basic", c.body)
		if got := issuesOf(r, "issue"); r.status != c.status || got != c.want {
			t.Errorf("%s: got %d %s, want %d %s", c.name, r.status, got, c.status, c.want)
		}
	}
	r := s.do(trustClient, "PUT", "Basic/xac01.val", `{"resourceType":"Basic","id":"xac01.val"}`)
	if got := issuesOf(r, "issue"); r.status != 400 || got != "required Basic.code" {
		t.Errorf("REST-087 PUT: got %d %s", r.status, got)
	}
	wantStatus(t, "a refused PUT wrote nothing", s.get(trustClient, "Basic/xac01.val"), 404, "not-found")
}

// bundleOf returns a Bundle of the given type that creates resources.
func bundleOf(typ string, resources ...string) string {
	var entries []string
	for i, r := range resources {
		entries = append(entries, fmt.Sprintf(`{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-55600000000%d","resource":%s,"request":{"method":"POST","url":"Basic"}}`, i, r))
	}
	return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
}

func testFaultyTransaction(t *testing.T, s *server) {
	const mark = `{"resourceType":"Basic","code":{"coding":[{"system":"urn:val","code":"tx"}]}%s}`
	good := fmt.Sprintf(mark, "")
	r := s.do(trustClient, "POST", "", bundleOf("transaction", good, fmt.Sprintf(mark, `,"foo":1`), `{"resourceType":"Basic","created":"x"}`))
	wantFaults := "structure Bundle.entry[1].resource.foo\nvalue Bundle.entry[2].resource.created\nrequired Bundle.entry[2].resource.code"
	if got := issuesOf(r, "issue"); r.status != 400 || got != wantFaults {
		t.Errorf("REST-003: got %d %s, want %s", r.status, got, wantFaults)
	}
	if n := s.get(trustClient, "Basic?code=urn:val|tx").get("entry.#").Int(); n != 0 {
		t.Errorf("REST-221: a refused transaction wrote %d resources", n)
	}
	wantStatus(t, "REST-223 a valid transaction", s.do(trustClient, "POST", "", bundleOf("transaction", good)), 200, "")
	r = s.do(trustClient, "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"SEND","url":"Basic"},"x":1}]}`)
	if got := issuesOf(r, "issue"); r.status != 400 || got != "code-invalid Bundle.entry[0].request.method\nstructure Bundle.entry[0].x" {
		t.Errorf("REST-003: got %d %s for the envelope", r.status, got)
	}
}

func testFaultyBatch(t *testing.T, s *server) {
	r := s.do(trustClient, "POST", "", bundleOf("batch", `{"resourceType":"Basic","foo":1}`, `{"resourceType":"Basic","code":{"text":"x"}}`))
	if got := r.get("entry.#.response.status").Raw; r.status != 200 || got != `["400 Bad Request","201 Created"]` {
		t.Errorf("REST-235: got %d %s, want the second entry written", r.status, got)
	}
	wantFaults := "structure Bundle.entry[0].resource.foo\nrequired Bundle.entry[0].resource.code"
	if got := issuesOf(r, "entry.0.response.outcome.issue"); got != wantFaults {
		t.Errorf("REST-003: got %s, want %s", got, wantFaults)
	}
}

// testOwnResources: the resources that the server makes are valid.
func testOwnResources(t *testing.T, s *server) {
	for _, path := range []string{"metadata", "Patient?_count=3", "Observation?patient=Patient/xgp01.r1", "Patient/xgp01.r1", "Patient/xgp01.r1/_history", "Patient?x=1", "Nothing"} {
		r := s.get("consultant", path)
		for _, i := range validate.Resource([]byte(r.body), validate.Strict) {
			t.Errorf("%s: got %s at %s: %s", path, i.Code, i.Expression, i.Text)
		}
	}
}

// testLoadModes: the flag --validation of the command load selects the mode.
func testLoadModes(t *testing.T, s *server) {
	file := filepath.Join(t.TempDir(), "basic.json")
	if err := os.WriteFile(file, []byte(bundleOf("transaction", `{"resourceType":"Basic","author":{"display":"x"}}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run("load", "--source", "XAC01", file); err == nil || !strings.Contains(out, "Basic.code is mandatory") {
		t.Errorf("a load with a missing element: got %v\n%s", err, out)
	}
	if out, err := s.run("load", "--source", "XAC01", "--validation", "lenient", file); err != nil {
		t.Errorf("a lenient load with a missing element: got %v\n%s", err, out)
	}
	if out, err := s.runWithoutStore("load", "--to", s.base, "--validation", "lenient", file); err == nil || !strings.Contains(out, "--store") {
		t.Errorf("--validation with --to: got %v\n%s", err, out)
	}
	if out, err := s.run("load", "--source", "XAC01", "--validation", "some", file); err == nil || !strings.Contains(out, "strict or lenient") {
		t.Errorf("--validation some: got %v\n%s", err, out)
	}
}

// TestValidationLenient: resources with missing elements and unknown codes are accepted. These faults are listed
// if the client prefers an OperationOutcome. Other faults are refused.
func TestValidationLenient(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--auth", "off", "--validation", "lenient")
	const outcome = "Prefer: return=OperationOutcome"
	r := s.do("", "POST", "Patient", `{"resourceType":"Patient","gender":"x","link":[{"type":"seealso"}]}`, outcome)
	if got := issuesOf(r, "issue"); r.status != 201 || got != "informational \n?code-invalid Patient.gender\n?required Patient.link[0].other" {
		t.Errorf("create: got %d %s", r.status, got)
	}
	wantStatus(t, "without Prefer the resource returns", s.do("", "POST", "Patient", `{"resourceType":"Patient","gender":"x"}`), 201, "")
	for _, body := range []string{`{"resourceType":"Patient","x":1}`, `{"resourceType":"Patient","active":"true"}`, `{"resourceType":"Patient","birthDate":"x"}`, `{"resourceType":"Patient","name":{}}`} {
		wantStatus(t, body, s.do("", "POST", "Patient", body), 400, "")
	}
	r = s.do("", "POST", "", bundleOf("transaction", `{"resourceType":"Basic","author":{"display":"x"}}`), outcome)
	if got := issuesOf(r, "entry.0.response.outcome.issue"); r.status != 200 || got != "informational \n?required Bundle.entry[0].resource.code" {
		t.Errorf("transaction: got %d %s", r.status, r.body)
	}
	r = s.do("", "POST", "", bundleOf("batch", `{"resourceType":"Basic","author":{"display":"x"}}`), outcome)
	if got := issuesOf(r, "entry.0.response.outcome.issue"); r.status != 200 || got != "informational \n?required Bundle.entry[0].resource.code" {
		t.Errorf("batch: got %d %s", r.status, r.body)
	}
}
