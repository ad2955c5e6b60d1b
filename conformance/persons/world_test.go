package persons

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

// The organisations, and what a Patient of each knows of the person.
var (
	organisations = []policy.Organisation{
		{ODS: "XGP", Kind: "gp"}, {ODS: "XAC", Kind: "acute"}, {ODS: "XCO", Kind: "community"}, {ODS: "XMH", Kind: "mental-health"}, {ODS: "XSC", Kind: "social-care"},
		{ODS: "XUN", Kind: "acute"}, {ODS: "XPI", Kind: "index"},
	}
	sources = []string{"XGP", "XAC", "XCO", "XMH", "XSC"} // with a Patient of the person each; all trace
)

const (
	nhs    = "https://fhir.nhs.uk/Id/nhs-number"
	number = "9990000018"
	second = "9990000026"
)

// region is a server with source systems and staff of all organisations.
type region struct {
	*testing.T
	server *servertest.Server
	open   func() *servertest.Server
	now    time.Time
	fixed  time.Time // the clock stands here, if it is set
}

// engines are the stores on which the tests run.
func engines(t *testing.T) map[string]func(*testing.T) store.Engine {
	server := mongotest.Start(t)
	return map[string]func(*testing.T) store.Engine{
		"reference": func(*testing.T) store.Engine { return nil },
		"pebble": func(t *testing.T) store.Engine {
			p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 8 << 20})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		},
		"mongo": func(t *testing.T) store.Engine {
			uri, name := server.Database(t)
			s, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		},
	}
}

// newRegion opens a server over an engine; nil is the reference store. index says whether there is a patient index.
func newRegion(t *testing.T, engine store.Engine, index bool) *region {
	r := &region{T: t, now: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)}
	var ods []string
	callers := map[string]consent.Principal{}
	for _, o := range organisations {
		ods = append(ods, o.ODS)
		callers["source "+o.ODS] = servertest.SourceSystem(t, o.ODS)
		callers["staff "+o.ODS] = consent.Principal{Kind: consent.Staff, Subject: "staff " + o.ODS, Organisation: o.ODS, Role: "R1", Activities: []string{policy.ActivityRead, policy.ActivityOptOut},
			Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: servertest.Scopes(t, "user/*.cruds")}
	}
	folder := servertest.Policy(true, ods...)
	folder.Organisations = organisations
	folder.Identity = policy.DefaultIdentity(sources...)
	if index {
		folder.Identity.Index = "XPI"
	}
	clock := func() time.Time {
		if !r.fixed.IsZero() {
			return r.fixed
		}
		r.now = r.now.Add(time.Second)
		return r.now
	}
	reference := storetest.NewReference(clock)
	r.open = func() *servertest.Server {
		cfg := servertest.Config{Store: reference, State: reference, Clock: clock, Policy: folder, Callers: callers}
		if engine != nil {
			cfg.Store, cfg.State = engine, engine
		}
		cfg.Guard = func(g *consent.Config) { g.State = cfg.State }
		return servertest.Open(t, cfg)
	}
	r.server = r.open()
	return r
}

// send sends a request and returns the status and the body. headers are names and values.
func (r *region) send(caller, method, path, body string, headers ...string) (int, string) {
	r.Helper()
	return sendTo(r.server, caller, method, path, body, headers...)
}

func sendTo(server *servertest.Server, caller, method, path, body string, headers ...string) (int, string) {
	req := httptest.NewRequest(method, servertest.Base+"/"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+caller)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for n := 0; n+1 < len(headers); n += 2 {
		req.Header.Set(headers[n], headers[n+1])
	}
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// put stores a resource as its source system. body is what follows the id.
func (r *region) put(ods, typ, id, body string) {
	r.Helper()
	id = strings.ToLower(ods) + "." + id
	text := `{"resourceType":"` + typ + `","id":"` + id + `"` + body + `}`
	if !json.Valid([]byte(text)) {
		r.Fatalf("the test writes no JSON: %s", text)
	}
	if code, answer := r.send("source "+ods, http.MethodPut, typ+"/"+id, text); code != 200 && code != 201 {
		r.Fatalf("put %s/%s: %d %s", typ, id, code, answer)
	}
}

func (r *region) delete(ods, typ, id string) {
	r.Helper()
	if code, answer := r.send("source "+ods, http.MethodDelete, typ+"/"+strings.ToLower(ods)+"."+id, ""); code != 204 && code != 200 {
		r.Fatalf("delete %s/%s: %d %s", typ, id, code, answer)
	}
}

// rows returns the sorted Type/id of all matches of a search, over all pages; what names the search in messages. With
// included, included resources count too.
func (r *region) rows(caller, path string, included bool) []string {
	r.Helper()
	var out []string
	for path != "" {
		code, body := r.send(caller, http.MethodGet, path, "")
		if code != 200 {
			r.Fatalf("%s: GET %s: %d %s", caller, path, code, body)
		}
		for _, e := range gjson.Get(body, "entry").Array() {
			if included || e.Get("search.mode").Str == "match" {
				out = append(out, e.Get("resource.resourceType").Str+"/"+e.Get("resource.id").Str)
			}
		}
		path = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, servertest.Base+"/")
	}
	slices.Sort(out)
	return out
}

// caughtUp lets the background rekey everything, and checks the memory.
func (r *region) caughtUp() {
	r.Helper()
	if err := r.server.Guard.CatchUp(r.Context(), func(ctx context.Context, _ int) error { return ctx.Err() }); err != nil {
		r.Fatal(err)
	}
	if err := r.server.Guard.CheckMemory(r.Context()); err != nil {
		r.Error(err)
	}
}

// restart opens the server again over the same store.
func (r *region) restart() { r.server = r.open() }

func identifier(values ...string) string {
	var list []string
	for _, value := range values {
		list = append(list, `{"system":"`+nhs+`","value":"`+value+`"}`)
	}
	return `,"identifier":[` + strings.Join(list, ",") + `]`
}

func about(patient string) string { return `,"subject":{"reference":"Patient/` + patient + `"}` }

func byNumber(value string) string {
	return `,"subject":{"identifier":{"system":"` + nhs + `","value":"` + value + `"}}`
}

func observation(code string) string {
	return `,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"` + code + `"}]}`
}

func directive(kind, patient, status string) string {
	category := `{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}`
	return `,"status":"` + status + `","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[` + category + `],` +
		`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + kind + `"}]},"dateTime":"2026-05-01","patient":` + patient
}

func sprint(list []string) string { return fmt.Sprintf("%d: %s", len(list), strings.Join(list, " ")) }
