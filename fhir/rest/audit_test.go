package rest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

const site = servertest.URL

// failing is an engine whose log can be made to fail, alone and in commits.
type failing struct {
	*storetest.Reference
	broken bool
}

var errFull = errors.Join(store.ErrUnavailable, errors.New("log full"))

func (f *failing) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if f.broken {
		return 0, errFull
	}
	return f.Reference.Append(ctx, payloads...)
}

func (f *failing) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if f.broken && len(b.Log) > 0 {
		return 0, errFull
	}
	return f.Reference.Commit(ctx, b)
}

// records is how many records the trail has.
func (f *failing) records(t *testing.T) uint64 {
	t.Helper()
	head, err := f.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return head.Pos
}

// handler serves the store to a feed of organisation G.
func handler(t *testing.T, f *failing) http.Handler {
	t.Helper()
	source := servertest.SourceSystem(t, "G")
	return servertest.Open(t, servertest.Config{Store: f, State: f, Audit: f, Policy: servertest.Policy(false, "G"), REST: func(c *rest.Config) {
		c.Verify = func(context.Context, http.Header, string) (consent.Principal, error) { return source, nil }
	}}).Handler()
}

func send(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, site+"/fhir"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const patient = `{"resourceType":"Patient","id":"g.1","name":[{"family":"Ely"}]}`

// TestAuditFails: without a durable record nothing leaves, nothing is acknowledged and nothing
// is stored (AUD-401, AUD-403).
func TestAuditFails(t *testing.T) {
	f := &failing{Reference: storetest.NewReference(time.Now)}
	h := handler(t, f)
	if w := send(h, "PUT", "/Patient/g.1", patient); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	f.broken = true
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/Patient/g.1", ""}, {"GET", "/Patient", ""}, {"GET", "/Patient/g.1/_history", ""}, {"GET", "/Patient/g.9", ""},
		{"PUT", "/Patient/g.2", strings.Replace(patient, "g.1", "g.2", 1)}, {"POST", "/Patient", patient}, {"DELETE", "/Patient/g.1", ""},
		{"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + patient + `,"request":{"method":"POST","url":"Patient"}}]}`},
	} {
		w := send(h, c.method, c.path, c.body)
		if w.Code != 503 || strings.Contains(w.Body.String(), "Ely") || w.Header().Get("Retry-After") == "" || w.Header().Get("ETag") != "" {
			t.Errorf("AUD-403: %s %s: got %d %s, want 503 without data", c.method, c.path, w.Code, w.Body)
		}
	}
	f.broken = false
	if w := send(h, "GET", "/Patient?_summary=count", ""); !strings.Contains(w.Body.String(), `"total":1`) {
		t.Errorf("AUD-403: something was stored or deleted without a record: %s", w.Body)
	}
}

// TestEveryRequestIsRecorded: one record for each, whatever its outcome
// (AUD-101).
func TestEveryRequestIsRecorded(t *testing.T) {
	f := &failing{Reference: storetest.NewReference(time.Now)}
	h := handler(t, f)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/Patient/g.1", patient, 201}, {"GET", "/Patient/g.1", "", 200}, {"HEAD", "/Patient/g.1", "", 200}, {"GET", "/Patient/g.9", "", 404},
		{"GET", "/Patient?family=ely", "", 200}, {"GET", "/Patient?family:foo=ely", "", 400}, {"GET", "/Nothing/1", "", 404}, {"GET", "/Patient/g.1/$everything", "", 200}, {"GET", "/Patient/g.1/$graphql", "", 404},
		{"PUT", "/Patient/other.1", strings.Replace(patient, "g.1", "other.1", 1), 403}, {"PUT", "/Patient/g.1", `{"resourceType":"Patient"}`, 400},
		{"DELETE", "/Patient/g.7", "", 204}, {"DELETE", "/Patient/g.1", "", 204}, {"GET", "/Patient/g.1", "", 410}, {"PATCH", "/Patient/g.1", "[]", 400},
		{"POST", "/Patient/$validate", patient, 200}, {"POST", "/Patient/g.1/$validate", `{"resourceType":"Patient","x":1}`, 200},
	} {
		before := f.records(t)
		if w := send(h, c.method, c.path, c.body); w.Code != c.status {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
		if got := f.records(t) - before; got != 1 {
			t.Errorf("AUD-101: %s %s: got %d records, want 1", c.method, c.path, got)
		}
	}
	if w := send(h, "GET", "/metadata", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"fhirVersion":"4.0.1"`) {
		t.Errorf("REST-250: got %d", w.Code)
	}
}

// TestNotBuiltIsRefused: what the standard knows and is not built is refused,
// under lenient handling too; only unknown names are ignored (SRCH-007, 009, 159).
func TestNotBuiltIsRefused(t *testing.T) {
	h := handler(t, &failing{Reference: storetest.NewReference(time.Now)})
	for _, q := range []string{"_include:recurse=Observation:subject", "_revinclude:recurse=Observation:subject",
		"_filter=code%20ew%20x", "_list=$current-problems", "_text=x", "_content=x", "_query=x", "_query=x&_query=y", "code:in=x", "code:below=x", "_contained=true"} {
		w := send(h, "GET", "/Observation?"+q, "", "Prefer: handling=lenient")
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"not-supported"`) {
			t.Errorf("%s: got %d %s, want 400 not-supported", q, w.Code, w.Body)
		}
	}
	if w := send(h, "GET", "/Observation?nonsense=x", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "nonsense. It was ignored") {
		t.Errorf("SRCH-007: got %d %s", w.Code, w.Body)
	}
	if w := send(h, "GET", "/Observation?nonsense=x", "", "Prefer: handling=strict"); w.Code != 400 {
		t.Errorf("SRCH-008: got %d, want 400", w.Code)
	}
}

// TestStrictByDefault: a setting makes strict the handling of requests that name none; one
// that says lenient is read so (SRCH-007, 008, REST-018).
func TestStrictByDefault(t *testing.T) {
	for _, c := range []struct {
		strict bool
		prefer string
		status int
	}{{false, "", 200}, {false, "handling=strict", 400}, {false, "handling=x", 200}, {true, "", 400}, {true, "return=minimal", 400}, {true, "handling=x", 400}, {true, "handling=lenient", 200}, {true, "handling=strict", 400}} {
		h := handlerWith(t, storetest.NewReference(time.Now), func(g *rest.Config) { g.Strict = c.strict })
		put(t, h, "Patient", "p", `"gender":"male"`)
		for _, path := range []string{"/Patient?nonsense=x", "/Patient/p?nonsense=x"} {
			if w := send(h, "GET", path, "", "Prefer: "+c.prefer); w.Code != c.status {
				t.Errorf("SRCH-007: %s with Prefer %q, strict by default %v: got %d, want %d", path, c.prefer, c.strict, w.Code, c.status)
			}
		}
	}
}

// TestDotSegments: no resource has the id "." or "..", since its URL would be that of another
// one for clients and proxies. They are answered like every text that is no id (REST-013).
func TestDotSegments(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(*rest.Config) {})
	for _, id := range []string{".", "..", "%2e%2e", "a_b"} {
		plain := strings.ReplaceAll(id, "%2e", ".")
		body := `{"resourceType":"Basic","id":"` + plain + `","code":{"text":"x"}}`
		batch := `{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + body + `,"request":{"method":"PUT","url":"Basic/` + id + `"}}]}`
		if w := send(h, "PUT", "/Basic/"+id, body); w.Code != 400 || !strings.Contains(w.Body.String(), `"code":"value"`) {
			t.Errorf("REST-013: PUT Basic/%s: got %d %s, want 400 value", id, w.Code, w.Body)
		}
		if w := send(h, "POST", "", batch); !strings.Contains(w.Body.String(), `"status":"400 Bad Request"`) {
			t.Errorf("REST-013: PUT Basic/%s in a batch: got %s, want 400", id, w.Body)
		}
		for _, method := range []string{"GET", "DELETE"} {
			if w := send(h, method, "/Basic/"+id, ""); w.Code != 404 && (method != "DELETE" || w.Code != 204) {
				t.Errorf("REST-013: %s Basic/%s: got %d %s, want it unknown", method, id, w.Code, w.Body)
			}
		}
	}
	if w := send(h, "PUT", "/Basic/..a", `{"resourceType":"Basic","id":"..a","code":{"text":"x"}}`); w.Code != 201 {
		t.Errorf("REST-013: PUT Basic/..a: got %d %s, want 201", w.Code, w.Body)
	}
}
