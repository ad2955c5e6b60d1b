package suite

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/wait"
	"carerecord/store/mongo/mongotest"
)

// operatorClient is the client that defines search parameters.
const operatorClient = "demo-operator"

// searchParameter returns a SearchParameter that defines a parameter.
func searchParameter(id, status, code, base, kind, expression string) string {
	if id != "" {
		id = `"id":"` + id + `",`
	}
	return fmt.Sprintf(`{"resourceType":"SearchParameter",%s"url":"http://a.test/SearchParameter/%s","name":"N","status":%q,"description":"d","code":%q,"base":[%q],"type":%q,"expression":%q}`,
		id, code, status, code, base, kind, expression)
}

// TestDefinedParameters: an operator defines parameters. They are indexed while requests are served, also if the
// server is killed meanwhile. Then every requester gets the same answers as with standard parameters of the same
// expressions (SRCH-240 to 245).
func TestDefinedParameters(t *testing.T) {
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); testDefinedParameters(t, onPebble(t), func() {}) })
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		m := mongotest.StartOwn(t)
		testDefinedParameters(t, onServer(t, m), func() {
			if !m.Real() { // see TestReindex
				m.Kill(t)
				m.Restart(t)
			}
		}, "--lease", lease.String())
	})
}

func testDefinedParameters(t *testing.T, s *server, killed func(), args ...string) {
	args = append(args, "--demo", "--public-url", "http://127.0.0.1:1")
	s, at := startWithAdmin(s, append(args, "--reindex-rate", "1")...)
	copied := []string{"code", "subject", "date", "value-quantity"}
	expressions := []string{"Observation.code", "Observation.subject", "Observation.effective", "(Observation.value as Quantity) | (Observation.value as SampledData)"}
	before := s.get("", "metadata").header.Get("ETag")
	first := s.defineCopies(t, copied, expressions)

	queries := []string{"Observation?x-code=1", "Observation?_sort=-x-date", "Observation?_include=Observation:x-subject", "Patient?_has:Observation:x-subject:status=final", "Observation?x-subject.family=a"}
	for _, query := range queries {
		wantBody(t, "SRCH-243 "+query, s.get("consultant", query), 400, "indexing")
	}
	if etag := s.get("", "metadata").header.Get("ETag"); etag != before {
		t.Errorf("SRCH-243: metadata changed before the index was complete: %s, was %s", etag, before)
	}
	s.checkProgressAccess(t, at)
	for i := range 3 { // written during the indexing
		wantStatus(t, "SRCH-242 a write during the indexing", s.do(trustClient, "PUT", fmt.Sprintf("Observation/xac01.d%d", i),
			fmt.Sprintf(`{"resourceType":"Observation","id":"xac01.d%d","status":"final","code":{"coding":[{"system":"http://a.test","code":"late"}]}}`, i)), 201, "")
	}
	s.kill()
	killed()
	s, at = startWithAdmin(s, args...)
	s.awaitIndexed(t, at)
	people := []string{"consultant", "gp", "nurse", "patient", trustClient}
	if s.onMongo() { // the stand-in is slow
		people = []string{"consultant", trustClient}
	}
	for _, who := range people {
		s.checkCopies(t, who, copied)
	}
	if n := s.get(trustClient, "Observation?x-code=late&_summary=count").get("total").Int(); n != 3 {
		t.Errorf("SRCH-244: %d of the 3 Observations that were written during the indexing are found", n)
	}
	m := s.get("", "metadata")
	if def := m.get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="x-code").definition`).Str; def != "http://a.test/SearchParameter/x-code" || m.header.Get("ETag") == before {
		t.Errorf("SRCH-243: complete, metadata says %q, ETag %s", def, m.header.Get("ETag"))
	}
	wantStatus(t, "SRCH-245 retiring", s.do(operatorClient, "PUT", "SearchParameter/"+first, searchParameter(first, "retired", "x-code", "Observation", "token", expressions[0])), 200, "")
	wantBody(t, "SRCH-245 retired", s.get("consultant", "Observation?x-code=1", "Prefer: handling=strict"), 400, "has no search parameter")
	if s.get("", "metadata").get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="x-code").definition`).Exists() {
		t.Error("SRCH-245: metadata lists a retired parameter")
	}
	s.stop()
	s.loadDefinition(t)
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify with a parameter that is indexing: %v\n%s", err, out)
	}
	s, at = startWithAdmin(s, args...)
	s.awaitIndexed(t, at)
	wantBody(t, "SRCH-240 load --store defines", s.get("consultant", "Patient?x-loaded=female&_count=1"), 200, `"resourceType":"Patient"`)
	s.stop()
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// wantBody checks the status of an answer, and that its body contains part.
func wantBody(t *testing.T, name string, r reply, status int, part string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		t.Errorf("%s: got %d %.300s, want %d and a body with %s", name, r.status, r.body, status, part)
	}
}

// defineCopies defines a copy of each parameter as the operator: x-code has the expression of code. It checks
// that other requesters may not define, and returns the id of the first definition.
func (s *server) defineCopies(t *testing.T, copied, expressions []string) (first string) {
	t.Helper()
	for i, code := range copied {
		kind := s.get("", "metadata").get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="` + code + `").type`).Str
		body := searchParameter("", "active", "x-"+code, "Observation", kind, expressions[i])
		for _, who := range []string{"gp", "consultant", "patient", trustClient} {
			wantStatus(t, "SRCH-240 a definition of "+who, s.do(who, "POST", "SearchParameter", body), 403, "forbidden")
		}
		r := s.do(operatorClient, "POST", "SearchParameter", body)
		wantStatus(t, "SRCH-240 a definition of the operator", r, 201, "")
		if first == "" {
			first = r.id()
		}
	}
	path := "SearchParameter/" + first
	other := searchParameter(first, "retired", "x-code", "Observation", "token", expressions[0])
	entry := func(method, url, body string) string {
		if body != "" {
			body = `"resource":` + body + `,`
		}
		return `{"resourceType":"Bundle","type":"transaction","entry":[{` + body + `"request":{"method":"` + method + `","url":"` + url + `"}}]}`
	}
	for _, who := range []string{trustClient, "gp"} {
		for _, r := range []reply{
			s.do(who, "PUT", path, other), s.do(who, "PUT", "SearchParameter/xac01.p", strings.Replace(other, first, "xac01.p", 1)),
			s.do(who, "PUT", "SearchParameter?url=http://a.test/SearchParameter/x-code", other),
			s.do(who, "PATCH", path, `[{"op":"replace","path":"/status","value":"retired"}]`, "Content-Type: application/json-patch+json"),
			s.do(who, "DELETE", path, ""), s.do(who, "DELETE", "SearchParameter?url=http://a.test/SearchParameter/x-code", ""),
			s.do(who, "POST", path+"/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`),
			s.do(who, "POST", "", entry("PUT", path, other)), s.do(who, "POST", "", entry("POST", "SearchParameter", other)), s.do(who, "POST", "", entry("DELETE", path, "")),
		} {
			wantStatus(t, "SRCH-240 only the operator writes definitions, not "+who, r, 403, "forbidden")
		}
	}
	wantBody(t, "a definition can be read with a scope", s.get("gp", path), 200, "x-code")
	for _, path := range []string{"Patient", "Observation?status=final", "Patient/1", "SearchParameter?_include=*"} {
		if r := s.get(operatorClient, path); r.status == 200 && (r.get("total").Int() > 0 && path[:1] != "S") {
			t.Errorf("the operator reads %s: %.200s", path, r.body)
		}
	}
	return first
}

// checkProgressAccess checks that only the operator may read the progress of the indexing.
func (s *server) checkProgressAccess(t *testing.T, at string) {
	t.Helper()
	wantStatus(t, "no token", s.get("", at+"/admin/reindex"), 401, "login")
	wantBody(t, "no scope", s.get("gp", at+"/admin/reindex"), 403, "__operations")
	r := s.get(operatorClient, at+"/admin/reindex")
	wantBody(t, "SRCH-242 progress", r, 200, `"phase":"indexing"`)
	for _, count := range []string{"read", "rekeyed", "changed", "after"} {
		if r.get("indexing."+count).Exists() || r.get("reindex."+count).Exists() {
			t.Errorf("CON-206: the operator reads %q of documents: %s", count, r.body)
		}
	}
	if n := len(r.get("parameters").Array()); n != 4 {
		t.Errorf("SRCH-242: %d parameters are listed: %s", n, r.body)
	}
	if out, err := s.run("reindex", "--status"); err != nil || !strings.Contains(out, "x-code of Observation is indexing") {
		t.Errorf("SRCH-242: reindex --status: %v\n%s", err, out)
	}
}

// awaitIndexed waits until all parameters are complete.
func (s *server) awaitIndexed(t *testing.T, at string) {
	t.Helper()
	var r reply
	if !wait.Until(func() bool {
		r = s.get(operatorClient, at+"/admin/reindex")
		wantBody(t, "SRCH-242 progress", r, 200, "")
		return !strings.Contains(r.body, `"phase":"indexing"`)
	}) {
		t.Fatalf("SRCH-242: not complete: %s\n%s", r.body, s.output)
	}
}

// checkCopies checks that a defined parameter finds the same rows as the standard parameter with its expression.
func (s *server) checkCopies(t *testing.T, who string, copied []string) {
	t.Helper()
	var values [4][]string
	page, rows := "12", "200"
	if s.onMongo() {
		page, rows = "3", "20"
	}
	for _, e := range s.get(who, "Observation?_count="+page).get("entry").Array() {
		o := e.Get("resource")
		values[0] = append(values[0], o.Get("code.coding.0.code").Str, o.Get("code.coding.0.system").Str+"|"+o.Get("code.coding.0.code").Str)
		values[1] = append(values[1], o.Get("subject.reference").Str)
		values[2] = append(values[2], "ge"+o.Get("effectiveDateTime").Str, o.Get("effectiveDateTime").Str)
		if q := o.Get("valueQuantity"); q.Exists() {
			values[3] = append(values[3], "gt"+q.Get("value").Raw, q.Get("value").Raw+"|"+q.Get("system").Str+"|"+q.Get("code").Str)
		}
	}
	ids := func(path string) []string {
		var out []string
		for _, e := range s.get(who, path).get(`entry`).Array() {
			out = append(out, e.Get("fullUrl").Str)
		}
		return out
	}
	n := 0
	for i, code := range copied {
		slices.Sort(values[i])
		for _, value := range slices.Compact(values[i]) {
			if value == "" || value == "|" || value == "ge" {
				continue
			}
			for _, rest := range []string{"", "&_sort=-date"} {
				query := "=" + url.QueryEscape(value) + "&_count=" + rows + rest
				want, got := ids("Observation?"+code+query), ids("Observation?x-"+code+strings.Replace(query, "-date", "-x-date", 1))
				if n += len(want); !slices.Equal(got, want) {
					t.Errorf("SRCH-244: %s searches x-%s%s: got %d rows, the standard parameter has %d", who, code, query, len(got), len(want))
				}
			}
		}
	}
	if n == 0 && who != "patient" {
		t.Errorf("%s finds nothing to compare", who)
	}
	t.Logf("%s: %d rows are equal", who, n)
}

// loadDefinition loads a definition into the store while no server runs.
func (s *server) loadDefinition(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definition.json")
	if err := os.WriteFile(file, []byte(searchParameter("xgp01.p", "active", "x-loaded", "Patient", "token", "Patient.gender")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run("load", "--source", "XGP01", file); err != nil {
		t.Fatalf("load a definition: %v\n%s", err, out)
	}
}

// TestDraftsDefineNothing: the definitions of the standard's package are drafts. All are stored, and none defines
// a parameter (SRCH-240).
func TestDraftsDefineNothing(t *testing.T) {
	t.Parallel()
	s, at := startWithAdmin(onPebble(t), "--auth", "off")
	before := s.get("", "metadata").header.Get("ETag")
	refused, n := exclusions(t), 0
	examples(t, func(name string, body []byte) {
		if gjson.GetBytes(body, "resourceType").Str != "SearchParameter" || refused[name] {
			return
		}
		if status := gjson.GetBytes(body, "status").Str; status != "draft" {
			return
		}
		r := s.do("", "PUT", "SearchParameter/"+gjson.GetBytes(body, "id").Str, string(body))
		wantStatus(t, name, r, 201, "")
		n++
	})
	if n < 1380 {
		t.Errorf("%d definitions were stored, want nearly 1400", n)
	}
	r := s.get("", at+"/admin/reindex")
	wantStatus(t, "without tokens every caller is an operator", r, 200, "")
	if len(r.get("parameters").Array()) > 0 || s.get("", "metadata").header.Get("ETag") != before {
		t.Errorf("SRCH-240: a draft defines a parameter: %s", r.body)
	}
	t.Logf("%d drafts", n)
}
