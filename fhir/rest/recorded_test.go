package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir/cors"
	"carerecord/fhir/rest"
	"carerecord/store/storetest"
)

// trailed is a server under a real guard, with a trail. The token "feed" is of the feed of
// practice G, "doctor" of a person of trust A who may break the glass, "clerk" of one who may
// not, and "writer" of a feed that may not search.
type trailed struct {
	*testing.T
	store   *storetest.Reference
	server  *rest.Server
	handler http.Handler
	audit   *audit.Writer
	now     time.Time
	met     uint64 // records that were read
}

// callers are the principals of the tokens.
func callers(t *testing.T) map[string]consent.Principal {
	t.Helper()
	scopes := func(text string) consent.Scopes {
		s, err := consent.ParseScopes(text, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	feed := consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Client: "feed", Organisation: "G", Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: "g.", Scopes: scopes("system/*.cruds"), Token: "id-of-feed"}
	doctor := consent.Principal{Kind: consent.Staff, Subject: "p", Organisation: "A", Role: "R", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass},
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: scopes("user/*.cruds"), Token: "id-of-doctor"}
	clerk, writer := doctor, feed
	clerk.Activities, clerk.Token = []string{policy.ActivityRead}, "id-of-clerk"
	writer.Scopes, writer.Token = scopes("system/*.cud"), "id-of-writer"
	patient := consent.Principal{Kind: consent.Patient, Subject: "q", Patient: "g.2", Client: "app", Purpose: "PATRQT", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.cruds"), Token: "id-of-patient"}
	return map[string]consent.Principal{"feed": feed, "doctor": doctor, "clerk": clerk, "writer": writer, "s3cret": doctor, "patient": patient}
}

func newTrailed(t *testing.T, change func(*rest.Config)) *trailed {
	t.Helper()
	w := &trailed{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.store = storetest.NewReference(func() time.Time { return w.now })
	s := servertest.Open(t, servertest.Config{Store: w.store, State: w.store, Audit: w.store, Clock: func() time.Time { return w.now },
		Policy: servertest.Policy(true, "A", "G"), Callers: callers(t), REST: change})
	w.audit, w.server, w.handler = s.Audit, s.Server, s.Handler()
	return w
}

func (w *trailed) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// ask sends a request from an address, with headers as "Name: value", and returns the answer
// and the records that it left.
func (w *trailed) ask(address, method, path, body string, header ...string) (*httptest.ResponseRecorder, []audit.Record) {
	w.Helper()
	r := httptest.NewRequest(method, site+"/fhir"+path, strings.NewReader(body))
	r.RemoteAddr = address + ":1"
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header.Add(name, value)
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r)
	return out, w.fresh()
}

// fresh are the records that were appended since it was asked last, their queries opened.
func (w *trailed) fresh() (out []audit.Record) {
	w.Helper()
	for stored, err := range w.store.Records(context.Background(), w.met+1) {
		w.must(err)
		var r audit.Record
		w.must(json.Unmarshal(stored.Payload, &r))
		if r.Query != "" {
			r.Query, err = w.audit.Query(r)
			w.must(err)
		}
		w.met = stored.Pos
		out = append(out, r)
	}
	return out
}

// filled is a record of practice G: a patient who has opted out, and another one.
func (w *trailed) filled() {
	w.Helper()
	const number = `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"999000000%d"},{"system":"http://local/%[1]d","value":"7"}]`
	for path, body := range map[string]string{
		"/Patient/g.1":     fmt.Sprintf(`{"resourceType":"Patient","id":"g.1",`+number+`}`, 1),
		"/Patient/g.2":     fmt.Sprintf(`{"resourceType":"Patient","id":"g.2",`+number+`,"meta":{"tag":[{"system":"t","code":"a"}]}}`, 2),
		"/Observation/g.1": `{"resourceType":"Observation","id":"g.1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"},"meta":{"tag":[{"system":"t","code":"a"}]}}`,
		"/Observation/g.2": `{"resourceType":"Observation","id":"g.2","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.2"},"meta":{"tag":[{"system":"t","code":"a"},{"system":"t","code":"b"}]}}`,
		"/Observation/g.3": `{"resourceType":"Observation","id":"g.3","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.2"}}`,
	} {
		if out, _ := w.ask("192.0.2.1", "PUT", path, body, "Authorization: Bearer feed"); out.Code != 201 {
			w.Fatalf("%s: %d %s", path, out.Code, out.Body)
		}
	}
	if out, _ := w.ask("192.0.2.1", "POST", "/Consent", fmt.Sprintf(optOut, "g.1"), "Authorization: Bearer feed"); out.Code != 201 {
		w.Fatalf("opt-out: %d %s", out.Code, out.Body)
	}
}

// TestEveryRouteIsRecorded walks the table of routes: each leaves a record, whoever asks, and
// whatever the answer is (AUD-101), with purpose, role and organisation (SMART-432). All but
// metadata need a token (SMART-414).
func TestEveryRouteIsRecorded(t *testing.T) {
	w := newTrailed(t, func(*rest.Config) {})
	w.filled()
	parameters := `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"t","code":"c"}]}}]}`
	batch := `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/g.2"}},{"request":{"method":"GET","url":"Nothing/1"}}]}`
	from := 0
	for _, route := range append(w.server.Routes(), rest.Route{Method: "GET", Path: "/none/of/these"}, rest.Route{Method: "PUT", Path: "/:type/:id/_history"}) {
		for _, typ := range []string{"Patient", "Observation", "Encounter", "Nothing"} {
			path := strings.NewReplacer(":type", typ, ":id", "g.2", ":vid", "1", ":member", "Condition").Replace(route.Path)
			body, header := "", "Accept: application/fhir+json"
			switch {
			case route.Method == "POST" && route.Path == "":
				body = batch
			case strings.HasSuffix(route.Path, "_search"):
				body, header = "code=x", "Content-Type: application/x-www-form-urlencoded"
			case strings.Contains(route.Path, "$") && route.Method == "POST":
				body = parameters
			case route.Method == "POST" || route.Method == "PUT":
				body = `{"resourceType":"` + typ + `","id":"g.2"}`
			}
			for _, who := range []string{"Bearer feed", "Bearer doctor", "Bearer writer", "Bearer unknown", ""} {
				from++
				out, records := w.ask(fmt.Sprintf("10.1.%d.%d", from/256, from%256), route.Method, path, body, header, "Authorization: "+who)
				want := 1
				known := slices.Contains([]string{"Bearer feed", "Bearer doctor", "Bearer writer"}, who)
				if needed := route.Path != "/metadata"; !known && (out.Code == 401) != needed {
					t.Errorf("SMART-414: %s %s by %q: got %d, a token is needed: %v", route.Method, path, who, out.Code, needed)
				}
				switch {
				case route.Path == "/metadata":
					want = 0
				case body == batch && known:
					want = 3
				}
				if len(records) != want {
					t.Errorf("AUD-101: %s %s by %q: got %d with %d records, want %d", route.Method, path, who, out.Code, len(records), want)
				}
				for _, r := range records {
					if r.Status == 0 || r.Interaction == "" || r.Decision.Outcome == "" || out.Code == 401 && r.Decision.Outcome != "refuse" {
						t.Errorf("AUD-101: %s %s by %q: the record says too little: %+v", route.Method, path, who, r)
					}
					if organisation, role := "G", ""; known {
						if who == "Bearer doctor" {
							organisation, role = "A", "R"
						}
						if a := r.Agent; a.Purpose != "TREAT" || a.Organisation != organisation || a.Role != role {
							t.Errorf("SMART-432: %s %s by %q: the record tells of %+v", route.Method, path, who, a)
						}
					}
				}
			}
		}
	}
}

// TestUnidentifiedRequests: of an address without a valid token one request a second has a
// record, the others are counted in the next one, and beyond the limit they are throttled;
// nothing of that touches who has a token (AUD-101, LIM-006).
func TestUnidentifiedRequests(t *testing.T) {
	var unidentified audit.UnidentifiedLimiter
	w := newTrailed(t, func(c *rest.Config) { c.Limits.UnidentifiedRate, c.Unidentified = 5, &unidentified })
	w.filled()
	told, sent := 0, 0
	tell := func(records []audit.Record) {
		for _, r := range records {
			told += r.More
			if r.Interaction != "unidentified" {
				told++
			}
		}
	}
	for second := range 3 {
		records := 0
		for n, path := range []string{"/Patient/g.1", "/Patient?_format=junk", "/Patient?%zz", "/Nothing/1", "/a/b/c/d/e", "/Patient/g.1", "/Patient/g.1"} {
			sent++
			out, left := w.ask("192.0.2.9", "GET", path, "", "Authorization: Bearer unknown")
			records += len(left)
			tell(left)
			if want := map[bool]int{true: 401, false: 429}[n < 5]; out.Code != want || want == 429 && out.Header().Get("Retry-After") == "" {
				t.Errorf("LIM-006: request %d of a second: got %d, want %d", n+1, out.Code, want)
			}
			if out, left := w.ask("192.0.2.9", "GET", "/Patient/g.2", "", "Authorization: Bearer feed"); out.Code != 200 || len(left) != 1 {
				t.Errorf("LIM-006: with a valid token: got %d with %d records, want 200 with one", out.Code, len(left))
			}
		}
		if records != 1 {
			t.Errorf("AUD-101: second %d: %d records of an address without a valid token, want 1", second, records)
		}
		w.now = w.now.Add(time.Second)
	}
	w.must(unidentified.Flush(context.Background(), w.audit, w.now))
	tell(w.fresh())
	if told != sent {
		t.Errorf("AUD-101: the records tell of %d requests, want %d", told, sent)
	}
}

// TestLeakedTokens: a token anywhere but in one Authorization header refuses the request,
// does nothing, and is recorded as leaked, never itself (SMART-410).
func TestLeakedTokens(t *testing.T) {
	const form, token = "Content-Type: application/x-www-form-urlencoded", "s3cret"
	feed := "Authorization: Bearer feed"
	bundle := func(typ, entry string) string {
		return `{"resourceType":"Bundle","type":"` + typ + `","entry":[{"resource":{"resourceType":"Patient","id":"g.9"},"request":{"method":"PUT","url":"Patient/g.9"}},` + entry + `]}`
	}
	get := `{"request":{"method":"GET","url":"Observation?access_token=s3cret&code=x"}}`
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		anonymous                bool // the leaked token says who it is
	}{
		{"URL", "GET", "/Patient/g.2?access_token=s3cret", "", []string{feed}, false},
		{"URL, without a header", "GET", "/Patient/g.2?access_token=s3cret", "", nil, true},
		{"URL, encoded name", "GET", "/Patient/g.2?a%63cess%5Ftoken=s3cret", "", []string{feed}, false},
		{"URL, capitals", "GET", "/Patient?Access_Token=s3cret", "", []string{feed}, false},
		{"URL that is malformed otherwise", "GET", "/Patient?x=%zz&access_token=s3cret", "", []string{feed}, false},
		{"URL of metadata", "GET", "/metadata?access_token=s3cret", "", []string{feed}, false},
		{"URL of metadata, without a header", "HEAD", "/metadata?access_token=s3cret", "", nil, true},
		{"two headers to metadata", "GET", "/metadata", "", []string{feed, "Authorization: Bearer s3cret"}, false},
		{"preflight of a registered page", "OPTIONS", "/Patient?access_token=s3cret", "", []string{"Origin: https://app.test", "Access-Control-Request-Method: GET"}, true},
		{"URL with two slashes", "GET", "//Patient?access_token=s3cret", "", []string{feed}, false},
		{"URL with dots", "PUT", "/Basic/..?access_token=s3cret", `{"resourceType":"Basic","id":".."}`, []string{feed}, false},
		{"URL of no route", "GET", "/a/b/c/d?access_token=s3cret", "", []string{feed}, false},
		{"URL of a write", "PUT", "/Patient/g.9?access_token=s3cret", `{"resourceType":"Patient","id":"g.9"}`, []string{feed}, false},
		{"form", "POST", "/Observation/_search", "code=x&access_token=s3cret", []string{feed, form}, false},
		{"form, without a header", "POST", "/Observation/_search", "code=x&access_token=s3cret", []string{form}, true},
		{"form that is malformed otherwise", "POST", "/_search", "x=%zz&access_token=s3cret", []string{feed, form}, false},
		{"form to a path that takes none", "POST", "/Patient", "access_token=s3cret", []string{form}, true},
		{"form to a path that takes none, with a header", "POST", "/Patient", "access_token=s3cret", []string{feed, form}, false},
		{"parameters of an operation", "POST", "/Patient/g.2/$everything", `{"resourceType":"Parameters","parameter":[{"name":"access_token","valueString":"s3cret"}]}`, []string{feed}, false},
		{"two headers", "GET", "/Patient/g.2", "", []string{feed, "Authorization: Bearer s3cret"}, false},
		{"entry of a batch", "POST", "", bundle("batch", get), []string{feed}, false},
		{"entry of a transaction", "POST", "", bundle("transaction", get), []string{feed}, false},
		{"criteria of an entry", "POST", "", bundle("transaction", `{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=1&access_token=s3cret"}}`), []string{feed}, false},
		{"URL of a conditional entry", "POST", "", bundle("batch", `{"request":{"method":"DELETE","url":"Patient?identifier=1&access_token=s3cret"}}`), []string{feed}, false},
	} {
		w := newTrailed(t, func(c *rest.Config) { c.CORS = &cors.Rules{Settings: []string{"https://app.test"}} })
		w.filled()
		out, records := w.ask("192.0.2.7", c.method, c.path, c.body, c.header...)
		if out.Code != 400 && out.Code != 401 {
			t.Errorf("SMART-410: %s: got %d %s, want 400 or 401", c.name, out.Code, out.Body)
		}
		if len(records) != 1 || records[0].Decision.Outcome != "refuse" || records[0].Decision.Reason != "TOKEN_LEAKED" {
			t.Errorf("SMART-410: %s: got the records %+v, want one that says that a token leaked", c.name, records)
			continue
		}
		r := records[0]
		if text, _ := json.Marshal(r); strings.Contains(string(text), token) || strings.Contains(r.Query, token) || strings.Contains(out.Body.String(), token) {
			t.Errorf("SMART-410: %s: the token stands in the record or in the answer: %+v %s", c.name, r, out.Body)
		}
		switch {
		case strings.HasPrefix(c.name, "two headers"):
		case c.anonymous && r.Agent.Token != "id-of-doctor", !c.anonymous && r.LeakedToken != "id-of-doctor":
			t.Errorf("SMART-410: %s: the record does not say whose token leaked: %+v", c.name, r)
		}
		if out, _ := w.ask("192.0.2.7", "GET", "/Patient/g.9", "", feed); out.Code != 404 {
			t.Errorf("SMART-410: %s: something was written: %d", c.name, out.Code)
		}
	}
}

// TestRefusalsNameThePatient: the record of a request that names a patient by number or by a
// chain says whom, be it refused, empty or answered (AUD-303).
func TestRefusalsNameThePatient(t *testing.T) {
	w := newTrailed(t, func(*rest.Config) {})
	w.filled()
	const nhs = "https://fhir.nhs.uk/Id/nhs-number%7C"
	for _, c := range []struct {
		who, method, path string
		status            int
		named             string
	}{
		{"doctor", "GET", "/Patient?identifier=" + nhs + "9990000001", 403, "g.1"},
		{"doctor", "GET", "/Observation?patient.identifier=" + nhs + "9990000001", 403, "g.1"},
		{"doctor", "GET", "/Observation?patient:identifier=" + nhs + "9990000001", 403, "g.1"},
		{"doctor", "GET", "/Observation?patient=Patient/g.1", 403, "g.1"},
		{"doctor", "GET", "/Patient/g.1/$everything", 403, "g.1"},
		{"clerk", "GET", "/Patient?identifier=" + nhs + "9990000001", 200, "g.1"},
		{"clerk", "GET", "/Observation?patient.identifier=" + nhs + "9990000001", 200, "g.1"},
		{"clerk", "GET", "/Observation?patient.identifier=" + nhs + "9990000002", 200, "g.2"},
		{"clerk", "GET", "/Patient/g.1", 404, "g.1"},
		{"writer", "GET", "/Patient?identifier=" + nhs + "9990000002", 403, "g.2"},
		{"writer", "GET", "/Observation?patient.identifier=" + nhs + "9990000002", 403, "g.2"},
		{"writer", "GET", "/Patient/g.2/$everything?_type=Observation", 403, "g.2"},
		{"writer", "GET", "/Patient/g.2/Observation", 403, "g.2"},
		{"writer", "PUT", "/Patient?identifier=" + nhs + "9990000002", 403, "g.2"},
		{"doctor", "DELETE", "/Patient/g.2", 403, "g.2"},
		{"doctor", "GET", "/Patient?identifier=" + nhs + "9990000003", 200, ""},
		{"doctor", "GET", "/Patient?identifier=" + nhs, 200, ""},
		{"doctor", "GET", "/Patient?identifier=http://local/1%7C7", 403, "g.1"},
		{"doctor", "GET", "/Patient?identifier=http://local/1%7C", 200, ""}, // the system alone names nobody, though one Patient has it (CON-1702)
	} {
		body := ""
		if c.method == "PUT" {
			body = `{"resourceType":"Patient"}`
		}
		out, records := w.ask("192.0.2.7", c.method, c.path, body, "Authorization: Bearer "+c.who)
		if out.Code != c.status || len(records) != 1 || records[0].Named != c.named {
			t.Errorf("AUD-303: %s asks %s %s: got %d %s with %+v, want %d with a record that names %q", c.who, c.method, c.path, out.Code, out.Body, records, c.status, c.named)
		}
	}
}

// TestMetaIsDisclosed: $meta of a type or of the system records from which resources it took
// what it told (AUD-201).
func TestMetaIsDisclosed(t *testing.T) {
	w := newTrailed(t, func(*rest.Config) {})
	w.filled()
	for _, path := range []string{"/Observation/$meta", "/$meta"} {
		out, records := w.ask("192.0.2.7", "GET", path, "", "Authorization: Bearer clerk")
		var refs []string
		for _, item := range records[0].Disclosed {
			refs = append(refs, item.Ref)
			if item.Version != 1 || !slices.Equal(item.Owners, []string{"g.2"}) {
				t.Errorf("AUD-201: %s: got %+v, want version 1 of what is about g.2", path, item)
			}
		}
		if !strings.Contains(out.Body.String(), `"code":"b"`) || !slices.Contains(refs, "Observation/g.2") || slices.Contains(refs, "Observation/g.1") || slices.Contains(refs, "Observation/g.3") {
			t.Errorf("AUD-201: %s tells %s and records %v, want Observation/g.2 among them and none that is hidden or has no tag", path, out.Body, refs)
		}
	}
}
