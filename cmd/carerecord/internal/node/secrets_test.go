package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/consent/audit/audittest"
	"carerecord/consent/policy"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/printed"
)

// collected is a text that several goroutines write.
type collected struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (c *collected) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

// String returns what was written.
func (c *collected) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// TestSMARTT14: neither the database nor the audit trail, the log, the traces and the metrics of a server have a token, an assertion or a secret
// after they were issued, used and refused, on all of its endpoints, by backends and by people (SMART-490, 495, SMART-T14). The documents of
// the database are those of the record, which no flow writes.
func TestSMARTT14(t *testing.T) {
	var log, traces collected
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { _, _ = io.Copy(&traces, q.Body) }))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	cfg := demoConfig(t, t.TempDir())
	cfg.Log = filtered(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var err error
	if cfg.observers, err = newObservers(t.Context(), cfg.Log, true); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	register := func(c clients.Client) string {
		t.Helper()
		added, err := n.smart.Clients.Add(t.Context(), "ann", c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.smart.Clients.Approve(t.Context(), "bob", added.ID, added.Digest()); err != nil {
			t.Fatal(err)
		}
		return added.ID
	}
	backend := register(clients.Client{Name: "Backend", Kind: clients.Backend, Organisation: synth.Acute, Purposes: []string{"TREAT"}, Scopes: "system/*.rs", Keys: set, Rights: []string{clients.RightIntrospect, clients.RightLaunch}, Flow: "ingest", IDPrefix: "xac01.t."})
	app := register(clients.Client{Name: "App", Kind: clients.Symmetric, Audience: []string{"patient"}, RedirectURIs: []string{"https://app.example/back"}, Purposes: []string{"PATRQT"}, Scopes: "patient/*.rs"})
	issued := map[string]string{}
	if issued["client secret"], err = n.smart.Clients.RotateSecret(t.Context(), "ann", app); err != nil {
		t.Fatal(err)
	}
	if issued["printed token"], _, err = n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "consultant", Client: "demo-ehr"}); err != nil {
		t.Fatal(err)
	}
	post := func(path string, form url.Values, change func(*http.Request)) string {
		q := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if change != nil {
			change(q)
		}
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, q)
		return w.Body.String()
	}
	assertion := func(id string) string {
		t.Helper()
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			t.Fatal(err)
		}
		object, err := signer.Sign([]byte(`{"iss":"` + backend + `","sub":"` + backend + `","aud":"http://127.0.0.1:8080/oauth/token","exp":` + jsonNumber(time.Now().Add(time.Minute)) + `,"jti":"` + id + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		text, err := object.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	credentials := func(name string) url.Values {
		issued[name] = assertion(name)
		return url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs __introspect __launch"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {issued[name]}}
	}
	form := credentials("assertion")
	if issued["access token"] = gjson.Get(post("/oauth/token", form, nil), "access_token").Str; issued["access token"] == "" {
		t.Fatal("there is no access token")
	}
	post("/oauth/token", form, nil) // a second use
	broken := credentials("broken assertion")
	broken.Set("client_assertion", issued["broken assertion"]+"x")
	post("/oauth/token", broken, nil)
	for _, bearer := range []string{issued["access token"], issued["printed token"], "cr_at_" + strings.Repeat("G", 43)} {
		for _, path := range []string{"/fhir/Observation?_count=1", "/fhir/Patient?access_token=" + bearer, "/my/apps", "/oauth/token?code=" + bearer, "/oauth/authorize?state=" + bearer, "/oauth/callback/sample-staff?code=x&state=" + bearer, "/admin/clients"} {
			q := httptest.NewRequest("GET", path, nil)
			q.Header.Set("Authorization", "Bearer "+bearer)
			q.Header.Set("Cookie", "carerecord-staff="+bearer)
			n.Handler().ServeHTTP(httptest.NewRecorder(), q)
			n.operatorHandler().ServeHTTP(httptest.NewRecorder(), q)
		}
		post("/oauth/introspect", url.Values{"token": {bearer}}, func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+issued["access token"]) })
		post("/oauth/revoke", url.Values{"token": {bearer}}, func(q *http.Request) { q.SetBasicAuth(app, issued["client secret"]) })
	}
	visitStaff(t, n, issued, register(clients.Client{Name: "Clinical", Kind: clients.Public, Audience: []string{"clinician"}, RedirectURIs: []string{"https://app.example/back"}, LaunchURLs: []string{"https://app.example/launch"}, Purposes: []string{"TREAT"}, Scopes: "user/*.rs", Offline: true}),
		func(body string) string {
			q := httptest.NewRequest("POST", "/oauth/launch", strings.NewReader(body))
			q.Header.Set("Authorization", "Bearer "+issued["access token"])
			w := httptest.NewRecorder()
			n.Handler().ServeHTTP(w, q)
			return gjson.Get(w.Body.String(), "launch").Str
		}, post)
	issued["guessed token"] = "cr_at_" + strings.Repeat("G", 43)
	n.cfg.observers.close(cfg.Log) // sends what waits
	metrics := httptest.NewRecorder()
	n.cfg.observers.metrics.Handler().ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
	var stored strings.Builder
	for v, err := range n.engine.Values(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		stored.WriteString(v.Key + " " + string(v.Value) + "\n")
	}
	records, _ := audittest.RecordsAfter(t, n.engine, 0)
	audited, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"database": stored.String(), "audit trail": string(audited), "log": log.String(), "traces": traces.String(), "metrics": metrics.Body.String()}
	for place, text := range places {
		if len(text) < 500 {
			t.Errorf("there is next to nothing in the %s: %q", place, text)
		}
		for what, value := range issued {
			if strings.Contains(text, value) || strings.HasPrefix(value, "ey") && strings.Contains(text, value[strings.LastIndexByte(value, '.'):]) {
				t.Errorf("SMART-490, 495, SMART-T14: the %s has the %s", place, what)
			}
		}
	}
}

// visitStaff goes through the flows of a member of staff: sign-in, a launch, a standalone launch with tokens, their refresh and reuse, the
// page of apps, revocation, the sign-out, and a request that is refused.
func visitStaff(t *testing.T, n *Node, issued map[string]string, app string, launch func(body string) string, post func(string, url.Values, func(*http.Request)) string) {
	t.Helper()
	staff := slices.IndexFunc(n.policy.People, func(p policy.Person) bool { return p.User == "consultant" })
	person := n.policy.People[staff]
	v := &visitor{TB: t, node: n, name: person.User, cookies: map[string]string{}, issued: issued}
	handle := launch(`{"client_id":"` + app + `","user":"` + person.User + `"}`)
	if issued["launch handle"] = handle; handle == "" {
		t.Fatal("there is no launch handle")
	}
	tokens := func(name, code string) string {
		answer := post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://app.example/back"}, "code_verifier": {v.verifier()}, "client_id": {app}}, nil)
		for _, kind := range []string{"access_token", "refresh_token", "id_token"} {
			if issued[kind+" "+name] = gjson.Get(answer, kind).Str; issued[kind+" "+name] == "" {
				t.Fatalf("%s: there is no %s: %s", name, kind, answer)
			}
		}
		return issued["refresh_token "+name]
	}
	tokens("of the launch", v.authorize(app, "launch openid fhirUser user/Observation.rs online_access", person.Subject, url.Values{"launch": {handle}}))
	code := v.authorize(app, "openid user/Condition.rs offline_access", person.Subject, nil)
	refresh := tokens("of the app", code)
	for _, path := range []string{"/fhir/Observation?_count=1", "/fhir/Condition?_count=1", "/oauth/authorize?code=" + code, "/my/apps?code=" + code} {
		q := httptest.NewRequest("GET", path, nil)
		q.Header.Set("Authorization", "Bearer "+issued["access_token of the app"])
		n.Handler().ServeHTTP(httptest.NewRecorder(), q)
	}
	renew := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {app}}
	if issued["second access token"] = gjson.Get(post("/oauth/token", renew, nil), "access_token").Str; issued["second access token"] == "" {
		t.Fatal("there is no refreshed token")
	}
	v.visit("GET", "/my/apps", nil)
	v.visit("GET", "/my/sessions", nil)
	post("/oauth/token", renew, nil) // a second use, which ends the grant with an alert
	post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://app.example/back"}, "code_verifier": {v.verifier()}, "client_id": {app}}, nil)
	post("/oauth/revoke", url.Values{"token": {issued["refresh_token of the launch"]}, "client_id": {app}}, nil)
	v.visit("GET", "/my/sign-out", nil)
	if f, ok := v.form("csrf", ""); ok {
		v.visit("POST", f.action, f.fields)
	}
	v.visit("GET", "/oauth/callback/sample-staff?code="+code+"&state="+code, nil)
}

// jsonNumber returns an instant in seconds.
func jsonNumber(at time.Time) string {
	text, _ := json.Marshal(at.Unix())
	return string(text)
}
