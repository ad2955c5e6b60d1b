package suite

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestProtocol tests REST and search over HTTP, with one function for each topic.
func TestProtocol(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	t.Run("versions", func(t *testing.T) { testVersions(t, s) })
	t.Run("pages", func(t *testing.T) { testPages(t, s) })
	t.Run("bundles", func(t *testing.T) { testBundles(t, s) })
	t.Run("conditional creates", func(t *testing.T) { testConditionalCreates(t, s) })
	t.Run("tokens", func(t *testing.T) { testTokens(t, s) })
	t.Run("patient", func(t *testing.T) { testPatientView(t, s) })
	t.Run("load", func(t *testing.T) { testLoadTwice(t, s) })
	t.Run("metadata", func(t *testing.T) { testMetadata(t, s) })
}

func wantStatus(t *testing.T, what string, r reply, status int, code string) {
	t.Helper()
	if r.status != status || code != "" && r.get("issue.0.code").Str != code {
		t.Errorf("%s: got %d %.300s, want %d %s", what, r.status, r.body, status, code)
	}
}

const trustClient = "demo-feed"

func basic(id, text string) string {
	return fmt.Sprintf(`{"resourceType":"Basic","id":"%s","code":{"text":"%s"}}`, id, text)
}

func testVersions(t *testing.T, s *server) {
	path := "Basic/xac01.v"
	wantStatus(t, "REST-142 a source system creates with its id prefix", s.do(trustClient, "PUT", path, basic("xac01.v", "1")), 201, "")
	wantStatus(t, "REST-141 no id", s.do(trustClient, "PUT", path, `{"resourceType":"Basic","code":{"text":"x"}}`), 400, "required")
	wantStatus(t, "REST-141 another id", s.do(trustClient, "PUT", path, basic("other", "x")), 400, "invalid")
	wantStatus(t, "REST-045 stale If-Match", s.do(trustClient, "PUT", path, basic("xac01.v", "2"), `If-Match: W/"9"`), 412, "conflict")
	wantStatus(t, "REST-046 malformed If-Match", s.do(trustClient, "PUT", path, basic("xac01.v", "2"), `If-Match: 1`), 400, "value")
	r := s.do(trustClient, "PUT", path, basic("xac01.v", "2"), `If-Match: W/"1"`)
	wantStatus(t, "REST-140 the next version", r, 200, "")
	if r.header.Get("ETag") != `W/"2"` || r.header.Get("Last-Modified") == "" || r.get("meta.versionId").Str != "2" {
		t.Errorf("REST-040: got %v %s", r.header, r.body)
	}
	wantStatus(t, "REST-043 unchanged", s.get(trustClient, path, `If-None-Match: W/"2"`), 304, "")
	head := s.do(trustClient, "HEAD", path, "")
	if head.status != 200 || head.body != "" || head.header.Get("ETag") != `W/"2"` {
		t.Errorf("REST-016: got %d %v", head.status, head.header)
	}
	wantStatus(t, "REST-112 vread", s.get(trustClient, path+"/_history/1"), 200, "")
	wantStatus(t, "REST-112 a version that never existed", s.get(trustClient, path+"/_history/7"), 404, "not-found")
	wantStatus(t, "REST-180 delete", s.do(trustClient, "DELETE", path, ""), 204, "")
	wantStatus(t, "REST-181 delete again", s.do(trustClient, "DELETE", path, ""), 204, "")
	deleted := s.get(trustClient, path)
	wantStatus(t, "REST-111 read", deleted, 410, "deleted")
	if deleted.header.Get("ETag") != `W/"3"` {
		t.Errorf("REST-111: got ETag %q, want the tombstone's", deleted.header.Get("ETag"))
	}
	h := s.get(trustClient, path+"/_history")
	if h.get("total").Int() != 3 || h.get("entry.0.request.method").Str != "DELETE" || h.get("entry.0.resource").Exists() || h.get("entry.2.response.status").Str != "201 Created" {
		t.Errorf("REST-200 to 203: got %s", h.body)
	}
	wantStatus(t, "REST-143 update of a deleted resource", s.do(trustClient, "PUT", path, basic("xac01.v", "4")), 201, "")
	p := s.do(trustClient, "PUT", path+"/_history", "{}")
	wantStatus(t, "REST-014 an unsupported verb", p, 405, "not-supported")
	if allow := p.header.Get("Allow"); !strings.Contains(allow, "HEAD") || !strings.Contains(allow, "GET") {
		t.Errorf("REST-014: Allow is %q", allow)
	}
	wantStatus(t, "REST-032 XML", s.get(trustClient, path, "Accept: application/fhir+xml"), 406, "not-supported")
	wantStatus(t, "REST-013 an invalid id", s.get(trustClient, "Basic/a_b"), 404, "not-found")
	wantStatus(t, "REST-011 case", s.get(trustClient, "basic/xac01.v"), 404, "not-supported")
	wantStatus(t, "REST-060 minimal", s.do(trustClient, "PUT", path, basic("xac01.v", "5"), "Prefer: return=minimal"), 200, "")
}

// testPages: the pages of a search, sorted or not, have every row once.
func testPages(t *testing.T, s *server) {
	for _, query := range []string{"Observation?patient=Patient/xgp01.r7&_count=5", "Observation?patient=Patient/xgp01.r7&_count=5&_sort=-date", "Observation?patient=Patient/xgp01.r7&_count=5&_sort=code"} {
		seen := map[string]bool{}
		last, n := "", 0
		for url := query; url != ""; n++ {
			r := s.get("consultant", url)
			wantStatus(t, query, r, 200, "")
			for _, e := range r.get("entry").Array() {
				id, date := e.Get("resource.id").Str, e.Get("resource.effectiveDateTime").Str
				if seen[id] {
					t.Errorf("SRCH-203: %s: %s is on two pages", query, id)
				}
				seen[id] = true
				if strings.Contains(query, "-date") && last != "" && date > last {
					t.Errorf("SRCH-190: %s: %s is after %s", query, date, last)
				}
				last = date
			}
			url = r.get(`link.#(relation=="next").url`).Str
		}
		if len(seen) != 57 || n != 12 {
			t.Errorf("SRCH-202: %s: got %d rows on %d pages, want 57 on 12", query, len(seen), n)
		}
	}
	next := s.get("consultant", "Observation?_count=1").get(`link.#(relation=="next").url`).Str
	wantStatus(t, "SRCH-204 a page link of another caller", s.get("clerk", next), 400, "invalid")
	wantStatus(t, "SRCH-204 an altered page link", s.get("consultant", next[:len(next)-3]+"AAA"), 400, "invalid")
	wantStatus(t, "SRCH-200 _count", s.get("consultant", "Observation?_count=-1"), 400, "value")
}

func testBundles(t *testing.T, s *server) {
	entry := func(full, method, url, more, body string) string {
		return fmt.Sprintf(`{"fullUrl":"%s","request":{"method":"%s","url":"%s"%s},"resource":%s}`, full, method, url, more, body)
	}
	bundle := func(typ string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	org := func(id string) string {
		return `{"resourceType":"Organization","name":"O","identifier":[{"system":"s","value":"` + id + `"}]}`
	}
	exist := `,"ifNoneExist":"identifier=s|1"`
	first := s.do(trustClient, "POST", "", bundle("transaction", entry("urn:uuid:a", "POST", "Organization", exist, org("1")),
		entry("urn:uuid:b", "POST", "Location", "", `{"resourceType":"Location","managingOrganization":{"reference":"urn:uuid:a"}}`),
		entry("urn:uuid:c", "POST", "Location", "", `{"resourceType":"Location","managingOrganization":{"reference":"Organization?identifier=s|1"}}`)))
	wantStatus(t, "REST-226, 232", first, 200, "")
	where := strings.TrimPrefix(strings.Split(first.get("entry.0.response.location").Str, "/_history")[0], s.base+"/")
	if n := s.get(trustClient, "Location?organization="+where+"&_summary=count").get("total").Int(); n != 2 {
		t.Errorf("REST-226, 232: %d Locations refer to %s, want 2: %s", n, where, first.body)
	}
	again := s.do(trustClient, "POST", "", bundle("transaction", entry("urn:uuid:a", "POST", "Organization", exist, org("1")),
		entry("urn:uuid:b", "POST", "Location", "", `{"resourceType":"Location","managingOrganization":{"reference":"urn:uuid:a"}}`)))
	if again.get("entry.0.response.status").Str != "200 OK" || s.get(trustClient, "Location?organization="+where+"&_summary=count").get("total").Int() != 3 {
		t.Errorf("REST-231: got %s", again.body)
	}
	bad := s.do(trustClient, "POST", "", bundle("transaction", entry("urn:uuid:d", "POST", "Basic", "", basic("x", "undone")), entry("urn:uuid:e", "PUT", "Basic/foreign", "", basic("foreign", "x"))))
	wantStatus(t, "VIS-012, REST-222, SMART-294 one forbidden entry fails all", bad, 403, "forbidden")
	if !strings.HasPrefix(bad.get("issue.0.expression.0").Str, "Bundle.entry[1]") {
		t.Errorf("REST-222: the expression is %s", bad.get("issue.0.expression.0"))
	}
	wantStatus(t, "REST-224 a repeated resource", s.do(trustClient, "POST", "", bundle("transaction", entry("urn:uuid:f", "PUT", "Basic/xac01.t", "", basic("xac01.t", "1")), entry("urn:uuid:g", "PUT", "Basic/xac01.t", "", basic("xac01.t", "2")))), 400, "invalid")
	batch := s.do(trustClient, "POST", "", bundle("batch", entry("urn:uuid:h", "POST", "Location", "", `{"resourceType":"Location","managingOrganization":{"reference":"Organization?identifier=s|1"}}`),
		entry("urn:uuid:i", "POST", "Basic", "", basic("x", "ok")), `{"request":{"method":"GET","url":"`+where+`"}}`))
	if st := batch.get("entry.#.response.status").String(); batch.status != 200 || st != `["400 Bad Request","201 Created","200 OK"]` {
		t.Errorf("REST-233, 235: got %d %s", batch.status, batch.body)
	}
	wantStatus(t, "REST-127 a typo in If-None-Exist", s.do(trustClient, "POST", "Organization", org("2"), "If-None-Exist: identifer=s|2"), 400, "not-supported")
	wantStatus(t, "REST-233 outside a transaction", s.do(trustClient, "POST", "Location", `{"resourceType":"Location","managingOrganization":{"reference":"Organization?identifier=s|1"}}`), 400, "invalid")
}

// testConditionalCreates: of many identical conditional creates, only one creates (REST-126).
func testConditionalCreates(t *testing.T, s *server) {
	s.token(trustClient)
	var mu sync.Mutex
	var group sync.WaitGroup
	got := map[int]int{}
	for range 50 {
		group.Go(func() {
			r := s.do(trustClient, "POST", "Organization", `{"resourceType":"Organization","name":"R","identifier":[{"system":"s","value":"race"}]}`, "If-None-Exist: identifier=s|race")
			mu.Lock()
			defer mu.Unlock()
			got[r.status]++
		})
	}
	group.Wait()
	if got[201] != 1 || got[200] != 49 {
		t.Errorf("REST-126: got %v, want one 201 and 49 times 200", got)
	}
}

func testTokens(t *testing.T, s *server) {
	none := s.get("", "Patient")
	wantStatus(t, "SMART-412 no token", none, 401, "login")
	if h := none.header.Get("WWW-Authenticate"); h != `Bearer realm="carerecord"` {
		t.Errorf("SMART-412: WWW-Authenticate is %q", h)
	}
	s.tokens["nobody"] = "made-up"
	wantStatus(t, "SMART-412 an unknown token", s.get("nobody", "Patient"), 401, "login")
	wantStatus(t, "SMART-410 in the URL", s.get("", "Patient?access_token=x"), 400, "invalid")
	for _, args := range [][]string{{"--client", "demo-backend"}, {"--client", "demo-ehr", "--user", "privacy"}} {
		if out, err := s.run(append([]string{"token"}, args...)...); err == nil || !strings.Contains(out, "not built yet") {
			t.Errorf("token %v: got %v %s, want not built yet", args, err, out)
		}
	}
	out, err := s.run("token", "--client", "demo-ehr", "--user", "consultant", "--scope", "user/Observation.rs")
	if err != nil {
		t.Fatal(out)
	}
	s.tokens["narrow"] = strings.TrimSpace(out)
	wantStatus(t, "SMART-253 no scope for the type", s.get("narrow", "Condition"), 403, "forbidden")
	r := s.get("narrow", "Observation?patient=Patient/xgp01.r1&_count=1&_include=Observation:subject")
	if r.get(`entry.#(search.mode=="include")`).Exists() || !strings.Contains(r.body, "Patient is not included") {
		t.Errorf("SMART-281: got %s", r.body)
	}
}

// testPatientView: a patient sees only the own record, without notes and documents (CON-1102).
func testPatientView(t *testing.T, s *server) {
	wantStatus(t, "a resource with a note", s.do(trustClient, "PUT", "MedicationRequest/xac01.noted", `{"resourceType":"MedicationRequest","id":"xac01.noted",`+
		`"status":"active","intent":"order","medicationCodeableConcept":{"text":"a"},"subject":{"reference":"Patient/xac01.r0"},"note":[{"text":"Review in six months."}]}`), 201, "")
	all := s.get("consultant", "MedicationRequest?patient=Patient/xgp01.r0")
	if !strings.Contains(all.body, "Review in six months") {
		t.Fatalf("the region has no notes to cut: %s", all.body)
	}
	r := s.get("patient", "MedicationRequest")
	if r.get("total").Int() < 2 || r.get("total").Int() != all.get("total").Int() || strings.Contains(r.body, "Review in six months") {
		t.Errorf("CON-1102: got %s", r.body)
	}
	if r := s.get("consultant", "DocumentReference?patient=Patient/xgp01.r0"); r.get("total").Int() == 0 {
		t.Fatalf("the region has no documents to hide: %s", r.body)
	}
	if r := s.get("patient", "DocumentReference"); r.get("total").Int() != 0 {
		t.Errorf("CON-1102: got %s", r.body)
	}
	other, never := s.get("patient", "Patient/xgp01.r1"), s.get("patient", "Patient/never")
	if other.status != 404 || other.body != never.body {
		t.Errorf("CON-205: got %d %s, want %d %s", other.status, other.body, never.status, never.body)
	}
}

// testLoadTwice: a repeated load skips the stored bundles.
func testLoadTwice(t *testing.T, s *server) {
	dir := t.TempDir()
	if out, err := s.runWithoutStore("synth", "--patients", "2", "--seed", "9", "--out", dir); err != nil {
		t.Fatal(out)
	}
	files, err := filepath.Glob(dir + "/XGP01/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %v, %v, want bundles of the practice", files, err)
	}
	bundles := fmt.Sprintf("bundles %d,", len(files))
	for _, skipped := range []string{"as stored before 0", fmt.Sprintf("as stored before %d", len(files))} {
		out, err := s.run("load", "--source", "XGP01", dir+"/XGP01")
		if err != nil || !strings.Contains(out, bundles) || !strings.Contains(out, skipped) || !strings.Contains(out, "refused 0") {
			t.Errorf("load: got %v %s, want %q", err, out, skipped)
		}
	}
}

// testMetadata: the server supports the interactions and parameters that metadata lists.
func testMetadata(t *testing.T, s *server) {
	m := s.get("", "metadata")
	if m.status != 200 || m.get("fhirVersion").Str != "4.0.1" {
		t.Fatalf("REST-250: got %d", m.status)
	}
	wantStatus(t, "REST-251", s.get("", "metadata", "If-None-Match: "+m.header.Get("ETag")), 304, "")
	if m.get(`rest.0.resource.#(type=="AuditEvent")`).Exists() {
		t.Error("AUD-601: AuditEvent is claimed and not served")
	}
	for _, res := range m.get("rest.0.resource").Array() {
		typ := res.Get("type").Str
		if r := s.get("consultant", typ+"?_summary=count"); r.status != 200 {
			t.Errorf("REST-250: search of %s is claimed: got %d %s", typ, r.status, r.body)
		}
	}
	for _, p := range m.get(`rest.0.resource.#(type=="Observation").searchParam`).Array() {
		name := p.Get("name").Str
		if p.Get("type").Str == "composite" { // these have no modifiers, and a value with one component is invalid
			wantStatus(t, "REST-250: the parameter "+name+" is claimed", s.get("consultant", "Observation?"+name+"=x"), 400, "value")
		} else if r := s.get("consultant", "Observation?_summary=count&"+name+":missing=true"); r.status != 200 {
			t.Errorf("REST-250: the parameter %s is claimed: got %d %s", name, r.status, r.body)
		}
	}
}
