package browser

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/docs/examples"
	"carerecord/docs/examples/ehr"
	"carerecord/fhir/rest"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/keys"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

const annsNumber = "9990000018"

// world is a record with its authorization server, the examples, and another site, each at an address of its own.
type world struct {
	testing.TB
	site, examples, other string // addresses
	clock                 atomic.Pointer[time.Time]
	smart                 *smart.Server
	client                string           // id of a client whose redirect URI is on the other site
	arrived               chan *url.URL    // requests to /end of the site to which that redirect URI leads on
	told                  sync.Map         // addresses of the record that a request to another site named in Referer
	end                   *httptest.Server // that site: another origin again
}

// now is the time of the world, which stands still unless a test moves it.
func (w *world) now() time.Time { return *w.clock.Load() }

func (w *world) move(by time.Duration) {
	at := w.now().Add(by)
	w.clock.Store(&at)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// serverKeys returns the keys of all servers of the process: making them takes longer than opening one.
var serverKeys = sync.OnceValues(func() (*keys.Keys, *rsa.PrivateKey) {
	dir, err := newFolder()
	if err != nil {
		panic(err)
	}
	signing, err := keys.Load(dir, true, time.Now)
	if err != nil {
		panic(err)
	}
	sample, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return signing, sample
})

func region() *policy.Folder {
	f := servertest.Policy(true, "T1")
	f.Organisations = []policy.Organisation{{ODS: "T1", Name: "Trust", Kind: "acute"}}
	f.Roles = []policy.Role{{Code: "R1", Name: "Consultant", Activities: []string{policy.ActivityRead}}}
	f.People = []policy.Person{
		{User: "doctor", Subject: "900000000102", Kind: "clinician", Organisation: "T1", Role: "R1", Level: 3},
		{User: "ann", Subject: "nhs-login-1", Kind: "patient", Patient: annsNumber, BirthDate: "1960-01-02", Level: 9},
	}
	f.Clients = []policy.Client{{ID: "feed", Name: "Feed", Kind: "backend", Organisation: "T1", Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: "t1."}}
	return f
}

// local returns the address of a server under the name localhost.
func local(s *httptest.Server) string { return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) }

// newWorld opens a world.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{TB: t, arrived: make(chan *url.URL, 4)}
	began := time.Now().UTC()
	w.clock.Store(&began)
	var record, site http.Handler // set below, before the first request
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { record.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	demo := httptest.NewServer(w.elsewhere(func(rw http.ResponseWriter, r *http.Request) { site.ServeHTTP(rw, r) }))
	t.Cleanup(demo.Close)
	other := httptest.NewServer(w.elsewhere(w.serveOther))
	t.Cleanup(other.Close)
	w.end = httptest.NewServer(w.elsewhere(w.serveEnd))
	t.Cleanup(w.end.Close)
	w.site, w.examples, w.other = server.URL, local(demo), local(other)
	record = w.openRecord(t)
	w.fill(record)
	site = w.openExamples()
	return w
}

// elsewhere is the handler of a site that is not the record's. It notes what it learns of the addresses of the record.
func (w *world) elsewhere(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if from := r.Referer(); strings.HasPrefix(from, w.site+"/") && from != w.site+"/" {
			w.told.Store(from, r.URL.Path)
		}
		h(rw, r)
	})
}

func (w *world) openRecord(t *testing.T) http.Handler {
	t.Helper()
	engine := storetest.NewReference(w.now)
	signing, sample := serverKeys()
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	w.must(err)
	f := region()
	s := servertest.Open(t, servertest.Config{Store: engine, State: engine, Audit: engine, URL: w.site, Clock: w.now, Policy: f,
		Guard: func(c *consent.Config) { c.State = engine },
		REST: func(c *rest.Config) {
			w.smart, err = smart.New(smart.Config{Site: w.site, Loopback: true, State: engine, Commit: engine, Audit: c.Audit, Policy: f, Guard: c.Guard, Keys: signing, Secrets: digests, Clock: w.now,
				Log: slog.New(slog.DiscardHandler), Epoch: &ledger.Epoch{}, SampleKey: sample, Demo: true, Failures: 600, EHR: w.examples + examples.EHRPath, App: w.examples + examples.StartPath})
			w.must(err)
			w.must(w.smart.Import(t.Context(), "test"))
			c.Verify, c.CORS = w.smart.Verify, w.smart.CORS
		}})
	fhir := s.Handler()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.smart.Owns(r.URL.Path) && !rest.HasLeakedToken(r) {
			w.smart.ServeHTTP(rw, r)
			return
		}
		fhir.ServeHTTP(rw, r)
	})
}

// fill stores the record of Ann.
func (w *world) fill(record http.Handler) {
	w.Helper()
	token, _, err := w.smart.Printed.Issue(w.Context(), "test", printed.Request{Client: "feed"})
	w.must(err)
	put := func(typ, id, body string) {
		w.Helper()
		r := httptest.NewRequest("PUT", w.site+"/fhir/"+typ+"/t1."+id, strings.NewReader(`{"resourceType":"`+typ+`","id":"t1.`+id+`",`+body+`}`))
		r.Header.Set("Content-Type", "application/fhir+json")
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		if record.ServeHTTP(rec, r); rec.Code != 201 {
			w.Fatalf("put %s: %d %s", id, rec.Code, rec.Body)
		}
	}
	const subject = `"subject":{"reference":"Patient/t1.ann"}`
	put("Patient", "ann", `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`+annsNumber+`"}],"birthDate":"1960-01-02","name":[{"given":["Ann"],"family":"Other"}]`)
	put("Encounter", "visit", `"status":"finished","class":{"code":"AMB"},`+subject)
	put("Medication", "drug", `"code":{"text":"Amlodipine 5mg tablets"}`)
	put("MedicationRequest", "order", `"status":"active","intent":"order","medicationReference":{"reference":"Medication/t1.drug"},"authoredOn":"2026-05-01","dosageInstruction":[{"text":"One tablet daily"}],`+subject)
	put("AllergyIntolerance", "allergy", `"code":{"text":"Allergy to penicillin"},"patient":{"reference":"Patient/t1.ann"}`)
	put("Condition", "problem", `"code":{"text":"Hypertensive disorder"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"onsetDateTime":"2020-02-03",`+subject)
	for i, category := range []string{"laboratory", "laboratory", "vital-signs", "vital-signs", "vital-signs"} {
		name := map[string]string{"laboratory": "Haemoglobin", "vital-signs": "Body weight"}[category]
		put("Observation", fmt.Sprint("o", i), fmt.Sprintf(`"status":"final","code":{"text":%q},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":%q}]}],"effectiveDateTime":"2025-0%d-01","valueQuantity":{"value":%d,"unit":"u"},`+subject,
			name, category, i+1, 60+i))
	}
}

// openExamples registers the clients of the examples and one of the other site, and returns the site of the examples.
func (w *world) openExamples() http.Handler {
	w.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	w.must(err)
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig", Algorithm: string(jose.ES384)}}})
	w.must(err)
	for _, c := range examples.Clients(w.examples, "T1", public) {
		w.must(w.smart.Clients.Import(w.Context(), "test", c))
	}
	w.client = "other"
	w.must(w.smart.Clients.Import(w.Context(), "test", clients.Client{ID: w.client, Name: "The other app", Kind: clients.Public, Audience: []string{clients.ForPatients, clients.ForClinicians}, Purposes: []string{"PATRQT", "TREAT"},
		Scopes: "patient/*.rs", Offline: true, RedirectURIs: []string{w.other + "/back"}, LaunchURLs: []string{w.other + "/launch"}, Logo: drawn(w)}))
	launcher, err := ehr.New(ehr.Config{Record: w.site + "/fhir", ClientID: examples.EHRClient, Key: key, KeyID: "k", App: ehr.App{ClientID: examples.StaffApp, Name: "the example app"},
		Users: []ehr.User{{Name: "doctor", Role: "Consultant"}}, Patients: []ehr.Patient{{ID: "t1.ann", Name: "Ann Other", BirthDate: "1960-01-02", Encounters: []ehr.Encounter{{ID: "t1.visit", Text: "today"}}}}})
	w.must(err)
	return examples.Site(w.site, launcher)
}

// serveOther is the other site: its page /frame shows another page in a frame, and its redirect URI /back sends the browser on to
// a third origin, as apps do whose back channel ends on another host than their pages.
func (w *world) serveOther(rw http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/frame":
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, "<!DOCTYPE html><title>Frame</title><h1>Around</h1><iframe title=inside src=%q></iframe>", r.URL.Query().Get("of"))
	case "/back", "/launch":
		rw.Header().Set("Location", w.end.URL+"/end?"+r.URL.RawQuery)
		rw.WriteHeader(http.StatusFound)
	default:
		http.NotFound(rw, r)
	}
}

func (w *world) serveEnd(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/end" {
		http.NotFound(rw, r)
		return
	}
	w.arrived <- r.URL
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(rw, "<!DOCTYPE html><html lang=en><title>Arrived</title><main><h1>Arrived</h1></main>")
}
