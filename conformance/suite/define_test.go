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

// operator is the client that defines search parameters.
const operator = "demo-operator"

// defining is a SearchParameter.
func defining(id, status, code, base, kind, expression string) string {
	if id != "" {
		id = `"id":"` + id + `",`
	}
	return fmt.Sprintf(`{"resourceType":"SearchParameter",%s"url":"http://a.test/SearchParameter/%s","name":"N","status":%q,"description":"d","code":%q,"base":[%q],"type":%q,"expression":%q}`,
		id, code, status, code, base, kind, expression)
}

// TestDefinedParameters: an operator defines parameters. They are indexed while requests are served, also if
// the server is killed meanwhile, and then give every caller the same answers as standard parameters with the
// same expressions (SRCH-240 to 245).
func TestDefinedParameters(t *testing.T) {
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); definedParameters(t, onPebble(t), func() {}) })
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		m := mongotest.StartOwn(t)
		definedParameters(t, onServer(t, m), func() {
			if !m.Real() { // see TestReindex
				m.Kill(t)
				m.Restart(t)
			}
		}, "--lease", lease.String())
	})
}

func definedParameters(t *testing.T, s *server, killed func(), args ...string) {
	args = append(args, "--demo", "--public-url", "http://record.test")
	s, at := admin(s, append(args, "--reindex-rate", "1")...)
	twins := []string{"code", "subject", "date", "value-quantity"}
	expressions := []string{"Observation.code", "Observation.subject", "Observation.effective", "(Observation.value as Quantity) | (Observation.value as SampledData)"}
	before := s.get("", "metadata").header.Get("ETag")
	first := s.defineTwins(t, twins, expressions)

	asks := []string{"Observation?x-code=1", "Observation?_sort=-x-date", "Observation?_include=Observation:x-subject", "Patient?_has:Observation:x-subject:status=final", "Observation?x-subject.family=a"}
	for _, ask := range asks {
		wantBody(t, "SRCH-243 "+ask, s.get("consultant", ask), 400, "indexing")
	}
	if etag := s.get("", "metadata").header.Get("ETag"); etag != before {
		t.Errorf("SRCH-243: metadata changed before the index was complete: %s, was %s", etag, before)
	}
	s.mayRead(t, at)
	for i := range 3 { // written meanwhile
		want(t, "SRCH-242 a write while documents are walked", s.do(feed, "PUT", fmt.Sprintf("Observation/xac01.d%d", i),
			fmt.Sprintf(`{"resourceType":"Observation","id":"xac01.d%d","status":"final","code":{"coding":[{"system":"http://a.test","code":"late"}]}}`, i)), 201, "")
	}
	s.kill()
	killed()
	s, at = admin(s, args...)
	s.awaitIndexed(t, at)
	people := []string{"consultant", "gp", "nurse", "patient", feed}
	if s.onMongo() { // the stand-in is slow
		people = []string{"consultant", feed}
	}
	for _, who := range people {
		s.twinsAnswer(t, who, twins)
	}
	if n := s.get(feed, "Observation?x-code=late&_summary=count").get("total").Int(); n != 3 {
		t.Errorf("SRCH-244: %d of 3 are found that were written meanwhile", n)
	}
	m := s.get("", "metadata")
	if def := m.get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="x-code").definition`).Str; def != "http://a.test/SearchParameter/x-code" || m.header.Get("ETag") == before {
		t.Errorf("SRCH-243: complete, metadata says %q, ETag %s", def, m.header.Get("ETag"))
	}
	want(t, "SRCH-245 retiring", s.do(operator, "PUT", "SearchParameter/"+first, defining(first, "retired", "x-code", "Observation", "token", expressions[0])), 200, "")
	wantBody(t, "SRCH-245 retired", s.get("consultant", "Observation?x-code=1", "Prefer: handling=strict"), 400, "has no search parameter")
	if s.get("", "metadata").get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="x-code").definition`).Exists() {
		t.Error("SRCH-245: metadata lists a retired parameter")
	}
	s.stop()
	s.loadsDefinition(t)
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify with a parameter that is indexing: %v\n%s", err, out)
	}
	s, at = admin(s, args...)
	s.awaitIndexed(t, at)
	wantBody(t, "SRCH-240 load --store defines", s.get("consultant", "Patient?x-loaded=female&_count=1"), 200, `"resourceType":"Patient"`)
	s.stop()
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// wantBody compares an answer with a status and a part of its body.
func wantBody(t *testing.T, name string, r reply, status int, part string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.body, part) {
		t.Errorf("%s: got %d %.300s, want %d that says %s", name, r.status, r.body, status, part)
	}
}

// defineTwins defines twins of parameters as the operator, and checks that other callers may not. It returns
// the id of the first.
func (s *server) defineTwins(t *testing.T, twins, expressions []string) (first string) {
	t.Helper()
	for i, code := range twins {
		kind := s.get("", "metadata").get(`rest.0.resource.#(type=="Observation").searchParam.#(name=="` + code + `").type`).Str
		body := defining("", "active", "x-"+code, "Observation", kind, expressions[i])
		for _, who := range []string{"gp", "consultant", "patient", feed} {
			want(t, "SRCH-240 a definition of "+who, s.do(who, "POST", "SearchParameter", body), 403, "forbidden")
		}
		r := s.do(operator, "POST", "SearchParameter", body)
		want(t, "SRCH-240 a definition of the operator", r, 201, "")
		if first == "" {
			first = r.id()
		}
	}
	path := "SearchParameter/" + first
	other := defining(first, "retired", "x-code", "Observation", "token", expressions[0])
	entry := func(method, url, body string) string {
		if body != "" {
			body = `"resource":` + body + `,`
		}
		return `{"resourceType":"Bundle","type":"transaction","entry":[{` + body + `"request":{"method":"` + method + `","url":"` + url + `"}}]}`
	}
	for _, who := range []string{feed, "gp"} {
		for _, r := range []reply{
			s.do(who, "PUT", path, other), s.do(who, "PUT", "SearchParameter/xac01.p", strings.Replace(other, first, "xac01.p", 1)),
			s.do(who, "PUT", "SearchParameter?url=http://a.test/SearchParameter/x-code", other),
			s.do(who, "PATCH", path, `[{"op":"replace","path":"/status","value":"retired"}]`, "Content-Type: application/json-patch+json"),
			s.do(who, "DELETE", path, ""), s.do(who, "DELETE", "SearchParameter?url=http://a.test/SearchParameter/x-code", ""),
			s.do(who, "POST", path+"/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`),
			s.do(who, "POST", "", entry("PUT", path, other)), s.do(who, "POST", "", entry("POST", "SearchParameter", other)), s.do(who, "POST", "", entry("DELETE", path, "")),
		} {
			want(t, "SRCH-240 a definition is written by the operator alone, not by "+who, r, 403, "forbidden")
		}
	}
	wantBody(t, "a definition is read with scope", s.get("gp", path), 200, "x-code")
	for _, path := range []string{"Patient", "Observation?status=final", "Patient/1", "SearchParameter?_include=*"} {
		if r := s.get(operator, path); r.status == 200 && (r.get("total").Int() > 0 && path[:1] != "S") {
			t.Errorf("the operator reads %s: %.200s", path, r.body)
		}
	}
	return first
}

// mayRead: how far the index is, the operator alone may read.
func (s *server) mayRead(t *testing.T, at string) {
	t.Helper()
	want(t, "no token", s.get("", at+"/admin/reindex"), 401, "login")
	wantBody(t, "no scope", s.get("gp", at+"/admin/reindex"), 403, "carerecord/operations")
	r := s.get(operator, at+"/admin/reindex")
	wantBody(t, "SRCH-242 progress", r, 200, `"phase":"indexing"`)
	for _, count := range []string{"read", "rekeyed", "changed", "after"} {
		if r.get("indexing."+count).Exists() || r.get("reindex."+count).Exists() {
			t.Errorf("CON-206: the operator sees %q of documents: %s", count, r.body)
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
		r = s.get(operator, at+"/admin/reindex")
		wantBody(t, "SRCH-242 progress", r, 200, "")
		return !strings.Contains(r.body, `"phase":"indexing"`)
	}) {
		t.Fatalf("SRCH-242: not complete: %s\n%s", r.body, s.output)
	}
}

// twinsAnswer: a defined parameter finds the same rows as the standard parameter with its expression.
func (s *server) twinsAnswer(t *testing.T, who string, twins []string) {
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
	for i, code := range twins {
		slices.Sort(values[i])
		for _, value := range slices.Compact(values[i]) {
			if value == "" || value == "|" || value == "ge" {
				continue
			}
			for _, rest := range []string{"", "&_sort=-date"} {
				ask := "=" + url.QueryEscape(value) + "&_count=" + rows + rest
				want, got := ids("Observation?"+code+ask), ids("Observation?x-"+code+strings.Replace(ask, "-date", "-x-date", 1))
				if n += len(want); !slices.Equal(got, want) {
					t.Errorf("SRCH-244: %s searches x-%s%s: got %d rows, the standard's has %d", who, code, ask, len(got), len(want))
				}
			}
		}
	}
	if n == 0 && who != "patient" {
		t.Errorf("%s finds nothing to compare", who)
	}
	t.Logf("%s: %d rows are the same", who, n)
}

// loadsDefinition loads a definition into the store at rest.
func (s *server) loadsDefinition(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definition.json")
	if err := os.WriteFile(file, []byte(defining("xgp01.p", "active", "x-loaded", "Patient", "token", "Patient.gender")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run("load", "--source", "XGP01", file); err != nil {
		t.Fatalf("load a definition: %v\n%s", err, out)
	}
}

// TestDraftsDefineNothing: all definitions of the standard's package, which are
// drafts, are stored and do nothing (SRCH-240).
func TestDraftsDefineNothing(t *testing.T) {
	t.Parallel()
	s, at := admin(onPebble(t), "--auth", "off")
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
		want(t, name, r, 201, "")
		n++
	})
	if n < 1380 {
		t.Errorf("%d definitions were stored, want nearly 1400", n)
	}
	r := s.get("", at+"/admin/reindex")
	want(t, "without tokens everybody operates the record", r, 200, "")
	if len(r.get("parameters").Array()) > 0 || s.get("", "metadata").header.Get("ETag") != before {
		t.Errorf("SRCH-240: drafts define something: %s", r.body)
	}
	t.Logf("%d drafts", n)
}
