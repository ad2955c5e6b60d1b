package idp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/idp"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/store/storetest"
)

const origin = "http://127.0.0.1:8080"

var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 2 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// server is one of two servers over one State: all pages, the provider and the sign-in.
type server struct {
	http.Handler
	provider *idp.Provider
	upstream *signin.Upstream
}

// world has two servers, which take turns, and a browser.
type world struct {
	*testing.T
	now     time.Time
	servers []server
	turn    int
	cookies map[string]string
	got     []signin.Identity
	edit    func(form url.Values) // of token requests
	config  idp.Config            // of the last server
	plain   *pages.Renderer       // not of a demonstration
}

func people() *policy.Folder {
	return &policy.Folder{
		Roles:         []policy.Role{{Code: "R0260", Name: "General medical practitioner"}},
		Organisations: []policy.Organisation{{ODS: "A81001", Name: "The Practice"}},
		People: []policy.Person{
			{User: "gp", Subject: "900000000101", Kind: "clinician", Organisation: "A81001", Role: "R0260", Level: 3},
			{User: "patient", Subject: "nhs-login-201", Kind: "patient", Patient: "9990001111", BirthDate: "1980-03-31", Level: 9},
			{User: "weak", Subject: "nhs-login-202", Kind: "patient", Patient: "9990001112", BirthDate: "1980-03-31"},
		},
	}
}

func newWorld(t *testing.T, kind session.Kind) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), cookies: map[string]string{}}
	clock := func() time.Time { return w.now }
	state := storetest.NewReference(clock)
	digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		sessions, err := session.New(session.Config{State: state, Digests: digests, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		p, err := pages.New(pages.Config{Origin: origin, Digests: digests, Demonstration: true, Browser: sessions.Browser, Reference: func(*http.Request) string { return "R" },
			Log: func(_ *http.Request, _ string, err error) { t.Logf("logged: %v", err) }})
		if err != nil {
			t.Fatal(err)
		}
		w.plain, err = pages.New(pages.Config{Origin: origin, Digests: digests, Browser: sessions.Browser, Reference: func(*http.Request) string { return "R" }})
		if err != nil {
			t.Fatal(err)
		}
		w.config = idp.Config{Origin: origin, Name: "sample", Kind: kind, People: idp.PeopleOf(people(), kind),
			ClientKey: jose.JSONWebKey{Key: testKeys()[0], KeyID: "client", Algorithm: "RS384"}, Key: testKeys()[1], State: state, Digests: digests, Clock: clock, Pages: p, Browser: sessions.Browser}
		provider, err := idp.New(w.config)
		if err != nil {
			t.Fatal(err)
		}
		s := server{provider: provider}
		s.upstream, err = signin.New(signin.Config{Origin: origin, Issuers: []signin.Issuer{provider.Issuer(&http.Client{Transport: edited{w, idp.Client(provider).Transport}})}, State: state, Digests: digests, Clock: clock,
			Sessions: sessions, Demonstration: true, Continue: func(transaction string) string { return "/oauth/continue/" + transaction },
			Verified: func(answer http.ResponseWriter, r *http.Request, _ string, id signin.Identity) error {
				w.got = append(w.got, id)
				_, _, err := sessions.SignIn(answer, r, session.Identity{User: id.User, AuthTime: id.AuthTime, Level: id.Level})
				return err
			}})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle(idp.Path+"sample/", provider.Handler())
		mux.Handle(signin.CallbackPath, p.Handle(s.upstream.Callback))
		mux.Handle("/start", p.Handle(func(w http.ResponseWriter, r *http.Request) error {
			return s.upstream.Start(w, r, signin.Request{Transaction: "cr_tx_1", Kind: kind})
		}))
		mux.Handle("/session", p.Handle(func(w http.ResponseWriter, r *http.Request) error {
			current, err := sessions.Current(r, kind)
			if err != nil {
				return pages.Fail(pages.Ended, err)
			}
			return p.Render(w, r, http.StatusOK, pages.Apps{Action: "/apps"}, pages.Options{Binding: current.Binding, Account: current.Subject, SignOut: "/sign-out"})
		}))
		s.Handler = mux
		w.servers = append(w.servers, s)
	}
	return w
}

// send sends a request of the browser to the servers in turn.
func (w *world) send(method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	w.turn++
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	w.servers[w.turn%2].ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		w.cookies[c.Name] = c.Value
	}
	return answer
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// form returns the hidden fields of the first form of a page.
func form(page string) url.Values {
	out := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		if !out.Has(m[1]) {
			out.Set(m[1], m[2])
		}
	}
	return out
}

// pick runs a sign-in up to the answer of the provider and returns its address.
func (w *world) pick(subject string) (authorize, callback string) {
	w.Helper()
	authorize = w.send(http.MethodGet, origin+"/start", nil).Header().Get("Location")
	page := w.send(http.MethodGet, authorize, nil)
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "takes the role of an identity provider") {
		w.Fatalf("the page of the provider: got %d\n%s", page.Code, page.Body)
	}
	fields := form(page.Body.String())
	fields.Set("person", subject)
	chosen := w.send(http.MethodPost, authorize, fields)
	if chosen.Code != http.StatusSeeOther {
		w.Fatalf("the choice: got %d\n%s", chosen.Code, chosen.Body)
	}
	return authorize, chosen.Header().Get("Location")
}

// TestSampleSignIn: a sample person of each kind signs in; each request goes to another server.
func TestSampleSignIn(t *testing.T) {
	for kind, c := range map[session.Kind]struct {
		subject string
		level   int
		claims  map[signin.Claim]string
	}{
		session.Staff:   {"900000000101", 3, map[signin.Claim]string{signin.ClaimName: "gp"}},
		session.Patient: {"nhs-login-201", 9, map[signin.Claim]string{signin.ClaimName: "patient", signin.ClaimNHSNumber: "9990001111", signin.ClaimBirthDate: "1980-03-31"}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, kind)
			_, callback := w.pick(c.subject)
			done := w.send(http.MethodGet, callback, nil)
			if done.Code != http.StatusSeeOther || done.Header().Get("Location") != origin+"/oauth/continue/cr_tx_1" {
				t.Fatalf("the callback: got %d to %q\n%s", done.Code, done.Header().Get("Location"), done.Body)
			}
			id := w.got[0]
			if id.Kind != kind || id.Subject != c.subject || id.Level != c.level || id.Issuer != origin+"/sample-sign-in/sample" || !id.AuthTime.Equal(w.now) || len(id.Claims) != len(c.claims) {
				t.Errorf("the identity is %+v", id)
			}
			for name, value := range c.claims {
				if id.Claims[name] != value {
					t.Errorf("claim %s: got %q, want %q", name, id.Claims[name], value)
				}
			}
			for range 2 {
				if page := w.send(http.MethodGet, origin+"/session", nil); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), c.subject) {
					t.Errorf("the session on a server: got %d", page.Code)
				}
			}
			if again := w.send(http.MethodGet, callback, nil); again.Code != http.StatusBadRequest || len(w.got) != 1 {
				t.Errorf("the answer a second time: got %d", again.Code)
			}
		})
	}
}

// TestLevels: a person without a level is not signed in.
func TestLevels(t *testing.T) {
	w := newWorld(t, session.Patient)
	_, callback := w.pick("nhs-login-202")
	if got := w.send(http.MethodGet, callback, nil); got.Code != http.StatusForbidden || len(w.got) != 0 {
		t.Errorf("got %d and the identities %v, want 403", got.Code, w.got)
	}
}

// TestAuthorize: wrong authorization requests give a page, or an error at the registered redirect URI.
func TestAuthorize(t *testing.T) {
	w := newWorld(t, session.Staff)
	location, err := url.Parse(w.send(http.MethodGet, origin+"/start", nil).Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		parameter, value string
		want             string // error code in a redirect; empty: a page with 400
	}{
		"another client":       {"client_id", "other", ""},
		"another redirect URI": {"redirect_uri", origin + "/elsewhere", ""},
		"no redirect URI":      {"redirect_uri", "", ""},
		"the implicit flow":    {"response_type", "token", "unsupported_response_type"},
		"no openid":            {"scope", "profile", "invalid_scope"},
		"no state":             {"state", "", "invalid_request"},
		"no nonce":             {"nonce", "", "invalid_request"},
		"no PKCE":              {"code_challenge", "", "invalid_request"},
		"plain PKCE":           {"code_challenge_method", "plain", "invalid_request"},
		"no page":              {"prompt", "none", "login_required"},
	} {
		q := location.Query()
		q.Set(c.parameter, c.value)
		got := w.send(http.MethodGet, origin+location.Path+"?"+q.Encode(), nil)
		if c.want == "" && (got.Code != http.StatusBadRequest || got.Header().Get("Location") != "") {
			t.Errorf("%s: got %d to %q, want a page with 400", name, got.Code, got.Header().Get("Location"))
		}
		to := got.Header().Get("Location")
		if c.want != "" && (got.Code != http.StatusSeeOther || !strings.HasPrefix(to, origin+"/oauth/callback/sample?") || !strings.Contains(to, "error="+c.want)) {
			t.Errorf("%s: got %d to %q, want the error %s", name, got.Code, to, c.want)
		}
	}
	page := w.send(http.MethodGet, location.String(), nil)
	fields := form(page.Body.String())
	if got := w.send(http.MethodPost, location.String(), fields); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), "Select a person") {
		t.Errorf("no choice: got %d", got.Code)
	}
	fields.Set("person", "900000000101")
	if got := w.send(http.MethodPost, location.String(), fields, "Origin", "https://evil.example"); got.Code != http.StatusForbidden {
		t.Errorf("a post of another origin: got %d, want 403", got.Code)
	}
	w.cookies = map[string]string{}
	if got := w.send(http.MethodPost, location.String(), fields); got.Code != http.StatusForbidden {
		t.Errorf("a post of another browser: got %d, want 403", got.Code)
	}
}

// TestToken: the token endpoint refuses clients that are not authenticated, wrong codes and wrong proofs; a code works
// once.
func TestToken(t *testing.T) {
	w := newWorld(t, session.Staff)
	authorize, callback := w.pick("900000000101")
	q := parse(t, callback).Query()
	challenge := parse(t, authorize).Query().Get("code_challenge")
	token := origin + "/sample-sign-in/sample/token"
	good := func() url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {origin + "/oauth/callback/sample"}, "code_verifier": {challenge},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	}
	for name, c := range map[string]struct {
		change func(v url.Values)
		want   string
	}{
		"no assertion":     {func(url.Values) {}, "invalid_client"},
		"a wrong one":      {func(v url.Values) { v.Set("client_assertion", "x.y.z") }, "invalid_client"},
		"a client secret":  {func(v url.Values) { v.Set("client_secret", "secret") }, "invalid_client"},
		"another grant":    {func(v url.Values) { v.Set("grant_type", "password") }, "unsupported_grant_type"},
		"a repeated field": {func(v url.Values) { v.Add("code", "b") }, "invalid_request"},
	} {
		v := good()
		c.change(v)
		got := w.send(http.MethodPost, token, v)
		var answer struct{ Error string }
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil || answer.Error != c.want || got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s, want %s", name, got.Code, got.Body, c.want)
		}
	}
	if done := w.send(http.MethodGet, callback, nil); done.Code != http.StatusSeeOther {
		t.Errorf("the code after refused requests: got %d", done.Code)
	}
}

// TestExchange: the provider verifies what package signin sends: PKCE, redirect URI, and an assertion that was not used
// before.
func TestExchange(t *testing.T) {
	first := ""
	for _, c := range []struct {
		name string
		edit func(form url.Values)
		ok   bool
	}{
		{"as it is", func(form url.Values) { first = form.Get("client_assertion") }, true},
		{"another verifier", func(form url.Values) { form.Set("code_verifier", strings.Repeat("a", 64)) }, false},
		{"no verifier", func(form url.Values) { form.Del("code_verifier") }, false},
		{"another redirect URI", func(form url.Values) { form.Set("redirect_uri", origin+"/other") }, false},
		{"another code", func(form url.Values) { form.Set("code", secret.New(secret.Code)) }, false},
		{"no code", func(form url.Values) { form.Del("code") }, false},
	} {
		w := newWorld(t, session.Staff)
		w.edit = c.edit
		_, callback := w.pick("900000000101")
		if got := w.send(http.MethodGet, callback, nil); (got.Code == http.StatusSeeOther) != c.ok || (len(w.got) == 1) != c.ok {
			t.Errorf("%s: got %d and the identities %v, want success: %v", c.name, got.Code, w.got, c.ok)
		}
	}
	w := newWorld(t, session.Staff)
	w.edit = func(form url.Values) { first = form.Get("client_assertion") }
	_, callback := w.pick("900000000101")
	w.send(http.MethodGet, callback, nil)
	w.edit = func(form url.Values) { form.Set("client_assertion", first) }
	_, callback = w.pick("900000000101")
	if got := w.send(http.MethodGet, callback, nil); got.Code != http.StatusForbidden || len(w.got) != 1 {
		t.Errorf("an assertion a second time: got %d", got.Code)
	}
}

// TestClient: the client inside the process reaches providers alone, and a provider needs its whole configuration.
func TestClient(t *testing.T) {
	w := newWorld(t, session.Staff)
	if _, err := idp.Client(w.servers[0].provider).Get("http://127.0.0.1:8080/fhir/metadata"); err == nil {
		t.Error("the client reaches another address")
	}
	if _, err := idp.New(idp.Config{}); err == nil {
		t.Error("a provider without a configuration is made")
	}
	for name, change := range map[string]func(c *idp.Config){
		"without a mark on the pages": func(c *idp.Config) { c.Pages = w.plain },
		"with a path in its origin":   func(c *idp.Config) { c.Origin += "/fhir" },
		"without a kind":              func(c *idp.Config) { c.Kind = "" },
		"without a key of the client": func(c *idp.Config) { c.ClientKey = jose.JSONWebKey{} },
	} {
		config := w.config
		change(&config)
		if _, err := idp.New(config); err == nil {
			t.Errorf("a provider %s is made", name)
		}
	}
}

// edited is a transport that changes the form of each token request.
type edited struct {
	*world
	next http.RoundTripper
}

func (e edited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && e.edit != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		e.edit(form)
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(strings.NewReader(form.Encode()))
	}
	return e.next.RoundTrip(r)
}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestDocuments: discovery and keys are served over HTTP as to any other issuer; the keys are public.
func TestDocuments(t *testing.T) {
	w := newWorld(t, session.Patient)
	client := idp.Client(w.servers[0].provider)
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks.json"} {
		answer, err := client.Get(origin + "/sample-sign-in/sample" + path)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		err = errors.Join(json.NewDecoder(answer.Body).Decode(&document), answer.Body.Close())
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, %v", path, answer.StatusCode, err)
		}
		text, err := json.Marshal(document)
		if err != nil || strings.Contains(string(text), `"d":`) {
			t.Errorf("%s: got %s, %v", path, text, err)
		}
	}
	if got := w.send(http.MethodGet, origin+"/sample-sign-in/sample/other", nil); got.Code != http.StatusNotFound {
		t.Errorf("an unknown path: got %d", got.Code)
	}
}
