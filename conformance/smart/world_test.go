package smart

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/conformance/capability"
	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/rest"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/keys"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/secret"
	"carerecord/store"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

const (
	site     = servertest.URL
	base     = servertest.Base
	redirect = "https://app.example/back"
	nhs      = "https://fhir.nhs.uk/Id/nhs-number"
	// The NHS numbers of the patients.
	annsNumber, bobsNumber = "9990000018", "9990000026"
)

// engine is what the servers of a world share.
type engine interface {
	store.Store
	store.State
	store.Log
}

// world is one or more servers over one store, with a record, and clients of each kind.
type world struct {
	testing.TB
	engine   engine
	now      time.Time
	servers  []http.Handler
	smart    []*smart.Server
	turn     int // of the servers: each request goes to the next
	policy   *policy.Folder
	key      *ecdsa.PrivateKey // of the clients that sign
	ids      map[string]string // of clients, by name
	secrets  map[string]string
	requests int
	log      bytes.Buffer // of all servers
	counted  *counts
}

// counts are what the servers count for their metrics.
type counts struct {
	mu  sync.Mutex
	all map[string]int // by what and label
}

func (c *counts) add(what, label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]int{}
	}
	c.all[what+" "+label]++
}

// refused counts a refusal, whose endpoint and reason must be of the lists.
func (c *counts) refused(endpoint, reason string) {
	if slices.Contains(smart.Refusals()[endpoint], reason) {
		c.add("refused", endpoint+" "+reason)
	} else {
		c.add("refused otherwise", endpoint+" "+reason)
	}
}

// contain reports whether a count has a text in its name.
func (c *counts) contain(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(slices.Collect(maps.Keys(c.all)), func(name string) bool { return strings.Contains(name, text) })
}

func (c *counts) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[name]
}

// serverKeys returns the keys of all servers of the process: making them takes longer than most journeys.
func serverKeys() (*keys.Keys, *rsa.PrivateKey, error) {
	made := makeServerKeys()
	return made.signing, made.sample, made.err
}

type madeKeys struct {
	signing *keys.Keys
	sample  *rsa.PrivateKey
	err     error
}

var makeServerKeys = sync.OnceValue(func() (made madeKeys) {
	dir, err := os.MkdirTemp("", "smart-keys-")
	if err != nil {
		return madeKeys{err: err}
	}
	defer os.RemoveAll(dir)
	made.signing, made.err = keys.Load(dir, true, time.Now)
	if made.err == nil {
		made.sample, made.err = rsa.GenerateKey(rand.Reader, 2048)
	}
	return made
})

// region is the policy of the worlds.
func region() *policy.Folder {
	f := servertest.Policy(true, "T1", "G1")
	f.Organisations = []policy.Organisation{{ODS: "T1", Name: "Trust", Kind: "acute"}, {ODS: "G1", Name: "Practice", Kind: "gp"}, {ODS: "X1", Name: "Outside", Kind: "acute"}}
	f.Roles = []policy.Role{{Code: "R1", Name: "Consultant", Activities: []string{policy.ActivityRead}}, {Code: "R3", Name: "General practitioner", Activities: []string{policy.ActivityRead}},
		{Code: "A1", Name: "Administrator", Activities: []string{policy.ActivityClients, policy.ActivityOperations}}, {Code: "A2", Name: "Operator", Activities: []string{policy.ActivityOperations}}}
	f.People = []policy.Person{
		{User: "doctor", Subject: "900000000102", Kind: "clinician", Organisation: "T1", Role: "R1", Level: 3},
		{User: "nurse", Subject: "900000000103", Kind: "clinician", Organisation: "T1", Role: "R1", Level: 3},
		{User: "outsider", Subject: "900000000104", Kind: "clinician", Organisation: "X1", Role: "R1", Level: 3},
		{User: "locum", Subject: "900000000105", Kind: "clinician", Organisation: "T1", Role: "R1", Roles: []policy.RoleAt{{Organisation: "G1", Role: "R3"}, {Organisation: "X1", Role: "R1"}}, Level: 3},
		{User: "newcomer", Subject: "900000000106", Kind: "clinician", Level: 3},
		{User: "carer", Subject: "nhs-login-4", Kind: "proxy", Level: 9},
		{User: "ann", Subject: "nhs-login-1", Kind: "patient", Patient: annsNumber, BirthDate: "1960-01-02", Level: 9},
		{User: "bob", Subject: "nhs-login-3", Kind: "patient", Patient: bobsNumber, BirthDate: "1970-03-04", Level: 9},
		{User: "admin", Subject: "900000000301", Kind: "administrator", Role: "A1", Level: 3},
		{User: "operator", Subject: "900000000302", Kind: "administrator", Role: "A2", Level: 3},
		{User: "stranger", Subject: "nhs-login-2", Kind: "patient", Patient: "9990000034", Level: 9},
	}
	f.Clients = []policy.Client{{ID: "feed", Name: "Feed", Kind: "backend", Organisation: "T1", Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: "t1."},
		{ID: "practice-feed", Name: "Feed of the practice", Kind: "backend", Organisation: "G1", Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: "g1."}}
	return f
}

// newWorld opens some servers over one engine; nil is the reference store.
func newWorld(t testing.TB, over engine, servers int) *world {
	t.Helper()
	return openWorld(t, func(clock func() time.Time) engine {
		if over == nil {
			return storetest.NewReference(clock)
		}
		return over
	}, servers)
}

// openWorld opens some servers over the engine that open returns. clock is the clock of the world. configure may change the settings of
// the servers.
func openWorld(t testing.TB, open func(clock func() time.Time) engine, servers int, configure ...func(*smart.Config)) *world {
	t.Helper()
	w := &world{TB: t, counted: &counts{}, now: time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC), policy: region(), ids: map[string]string{}, secrets: map[string]string{}}
	clock := func() time.Time { return w.now }
	t.Cleanup(func() {
		if w.counted.contain("refused otherwise") {
			t.Errorf("SMART-497: smart.Refusals lacks the reason of a refusal: %v", w.counted.all)
		}
	})
	w.engine = open(clock)
	signing, sample, err := serverKeys()
	w.must(err)
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	w.must(err)
	logger := slog.New(slog.NewTextHandler(&w.log, nil))
	var epoch *ledger.Epoch // several servers stand for several processes, and keep nothing
	if servers == 1 {
		epoch = &ledger.Epoch{}
	}
	for range servers {
		var as *smart.Server
		s := servertest.Open(t, servertest.Config{Store: w.engine, State: w.engine, Audit: w.engine, Clock: clock, Policy: w.policy,
			Guard: func(c *consent.Config) { c.State = w.engine },
			REST: func(c *rest.Config) {
				cfg := smart.Config{Site: site, State: w.engine, Commit: w.engine, Audit: c.Audit, Policy: w.policy, Guard: c.Guard, Keys: signing, Secrets: digests, Clock: clock,
					Log: logger, Epoch: epoch, SampleKey: sample, Demo: true, Failures: 600, Introspections: 600,
					Observer: smart.Observer{Count: w.counted.add, Refused: w.counted.refused, Upstream: func(_ time.Duration, ok bool) {
						w.counted.add("upstream", map[bool]string{true: "answered", false: "failed"}[ok])
					}}}
				for _, f := range configure {
					f(&cfg)
				}
				if cfg.Unidentified != nil {
					c.Unidentified = cfg.Unidentified
				}
				as, err = smart.New(cfg)
				w.must(err)
				w.must(as.Import(context.Background(), "test"))
				c.Verify, c.CORS, c.Security = as.Verify, as.CORS, capability.Security(as.Endpoints())
			}})
		w.smart = append(w.smart, as)
		fhir := s.Handler()
		as.ServeFHIR(fhir)
		w.servers = append(w.servers, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if as.Owns(r.URL.Path) && !rest.HasLeakedToken(r) {
				as.ServeHTTP(rw, r)
				return
			}
			fhir.ServeHTTP(rw, r)
		}))
	}
	all := w.servers
	w.servers = all[:1] // configure may have changed the others
	w.fill()
	w.register()
	w.servers = all
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// fill stores the record: two patients with observations, an encounter of each, and the doctor.
func (w *world) fill() {
	w.Helper()
	token, _, err := w.smart[0].Printed.Issue(w.Context(), "test", printed.Request{Client: "feed"})
	w.must(err)
	put := func(typ, id, body string) {
		w.Helper()
		r := w.request("PUT", base+"/"+typ+"/t1."+id, `{"resourceType":"`+typ+`","id":"t1.`+id+`",`+body+`}`)
		r.Header.Set("Content-Type", "application/fhir+json")
		r.Header.Set("Authorization", "Bearer "+token)
		if a := w.do(r); a.Code != 201 {
			w.Fatalf("put %s/%s: %d %s", typ, id, a.Code, a.Body)
		}
	}
	for name, p := range map[string][3]string{"ann": {annsNumber, "1960-01-02", "Ann Other"}, "bob": {bobsNumber, "1970-03-04", "Bob Other"}} {
		put("Patient", name, fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"birthDate":%q,"name":[{"text":%q,"family":"Other"}]`, nhs, p[0], p[1], p[2]))
		subject := `"subject":{"reference":"Patient/t1.` + name + `"}`
		put("Encounter", name+"-e", `"status":"finished","class":{"code":"AMB"},`+subject)
		for _, category := range []string{"laboratory", "vital-signs"} {
			put("Observation", name+"-"+category, `"status":"final","code":{"text":"x"},"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"`+category+`"}]}],`+subject)
		}
		put("Condition", name+"-c", `"code":{"text":"x"},`+subject)
	}
	put("Practitioner", "doctor", `"identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"900000000102"}]`)
}

// register registers a client of each kind.
func (w *world) register() {
	w.Helper()
	var err error
	w.key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	w.must(err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k"}}})
	w.must(err)
	both := []string{clients.ForPatients, clients.ForClinicians}
	limited := "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory user/Condition.rs"
	wide := "patient/*.cruds user/*.cruds"
	for name, c := range map[string]clients.Client{
		"app":      {Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: wide, Purposes: []string{"PATRQT"}, Offline: true, Origins: []string{"https://app.example"}},
		"clinical": {Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: wide, Purposes: []string{"TREAT"}, LaunchURLs: []string{"https://app.example/launch?x=1"}, Intents: []string{"order-review"}},
		"both":     {Kind: clients.Public, Audience: both, Scopes: wide, Purposes: []string{"PATRQT", "TREAT"}},
		"limited":  {Kind: clients.Public, Audience: both, Scopes: limited, Purposes: []string{"PATRQT", "TREAT"}},
		"secret":   {Kind: clients.Symmetric, Audience: []string{clients.ForPatients}, Scopes: wide, Purposes: []string{"PATRQT"}, Offline: true},
		"signer":   {Kind: clients.Asymmetric, Review: w.now.AddDate(7000, 0, 0), Audience: []string{clients.ForClinicians}, Scopes: wide, Purposes: []string{"TREAT"}, Keys: set, LaunchURLs: []string{"https://app.example/launch"}},
		"ehr":      {Kind: clients.Backend, Organisation: "T1", Scopes: "system/Patient.rs", Purposes: []string{"TREAT"}, Keys: set, Rights: []string{clients.RightLaunch, clients.RightIntrospect}},
		"loader":   {Kind: clients.Backend, Organisation: "T1", Scopes: "system/*.rs", Purposes: []string{"TREAT"}, Keys: set, Flow: consent.FlowIngest, IDPrefix: "t1."},
	} {
		c.Name = "The " + name
		if c.Kind != clients.Backend {
			c.RedirectURIs = []string{redirect}
		}
		added, err := w.smart[0].Clients.Add(w.Context(), "ann", c)
		w.must(err)
		_, err = w.smart[0].Clients.Approve(w.Context(), "bob", added.ID, added.Digest())
		w.must(err)
		w.ids[name] = added.ID
	}
	w.secrets["secret"], err = w.smart[0].Clients.RotateSecret(w.Context(), "ann", w.ids["secret"])
	w.must(err)
	for _, organisation := range []string{"T1", "G1"} {
		w.approve("signer", organisation, everything)
	}
	w.now = w.now.Add(time.Second)
}

func (w *world) request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	w.requests++
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:9", w.requests%250)
	return r
}

// do sends a request to the server whose turn it is.
func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	w.turn++
	rec := httptest.NewRecorder()
	w.servers[w.turn%len(w.servers)].ServeHTTP(rec, r)
	return rec
}

// answer is an answer of an OAuth endpoint or of the record.
type answer struct {
	code   int
	header http.Header
	text   string
	body   map[string]any
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

func read(rec *httptest.ResponseRecorder) answer {
	text, _ := io.ReadAll(rec.Body)
	a := answer{code: rec.Code, header: rec.Header(), text: string(text)}
	_ = json.Unmarshal(text, &a.body) // pages have none
	return a
}

// post sends a form to an endpoint. change may change the request.
func (w *world) post(path string, form url.Values, change ...func(*http.Request)) answer {
	w.Helper()
	r := w.request("POST", site+path, form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, f := range change {
		f(r)
	}
	return read(w.do(r))
}

// get sends a request with a token to the record.
func (w *world) get(token, path string) answer {
	w.Helper()
	r := w.request("GET", base+"/"+path, "")
	r.Header.Set("Authorization", "Bearer "+token)
	return read(w.do(r))
}

// as authenticates a request as a client.
func (w *world) as(name string, form url.Values) (url.Values, func(*http.Request)) {
	w.Helper()
	out := url.Values{}
	for k, v := range form {
		out[k] = v
	}
	id := w.ids[name]
	switch {
	case w.secrets[name] != "":
		return out, func(r *http.Request) { r.SetBasicAuth(id, w.secrets[name]) }
	case name == "signer" || name == "ehr" || name == "loader":
		out.Set("client_assertion_type", clientauth.AssertionType)
		out.Set("client_assertion", w.assertion(id))
	default:
		out.Set("client_id", id)
	}
	return out, func(*http.Request) {}
}

func (w *world) assertion(id string) string {
	w.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: w.key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
	w.must(err)
	w.requests++
	payload, err := json.Marshal(map[string]any{"iss": id, "sub": id, "aud": site + "/oauth/token", "exp": w.now.Add(time.Minute).Unix(), "jti": fmt.Sprint("j", w.requests)})
	w.must(err)
	object, err := signer.Sign(payload)
	w.must(err)
	text, err := object.CompactSerialize()
	w.must(err)
	return text
}

// token sends a token request as a client.
func (w *world) token(name string, form url.Values) answer {
	w.Helper()
	form, change := w.as(name, form)
	return w.post("/oauth/token", form, change)
}

// backend returns an access token of a backend client.
func (w *world) backend(name, scope string) string {
	w.Helper()
	a := w.token(name, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if a.code != 200 {
		w.Fatalf("token of %s: %d %s", name, a.code, a.text)
	}
	return a.str("access_token")
}
