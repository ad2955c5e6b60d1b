package clientauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/consent/audit"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/jwks"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

const audience = "https://record.example/oauth/token"

// desk is an Authenticator with one client of each kind.
type desk struct {
	*clientauth.Authenticator
	engine *storetest.Reference
	now    time.Time
	rsaKey *rsa.PrivateKey
	ecKey  *ecdsa.PrivateKey
	secret string
	ids    map[clients.Kind]string
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	d := &desk{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), ids: map[clients.Kind]string{}}
	clock := func() time.Time { return d.now }
	d.engine = storetest.NewReference(clock)
	writer, err := audit.New(d.engine, bytes.Repeat([]byte("k"), 32), time.Second)
	must(t, err)
	digester, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	must(t, err)
	registry := &clients.Registry{Ledger: &ledger.Ledger{State: d.engine, Commit: d.engine, Audit: writer, Clock: clock}, Secrets: digester}
	d.Authenticator = &clientauth.Authenticator{Clients: registry, KeySets: &jwks.Cache{HTTP: jwks.NewClient(true), Loopback: true, Clock: clock}, Audience: audience}
	d.rsaKey, err = rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	d.ecKey, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: d.rsaKey.Public(), KeyID: "r"}, {Key: d.ecKey.Public(), KeyID: "e"}}})
	must(t, err)
	back := []string{"https://app.example/back"}
	for _, c := range []clients.Client{
		{Name: "s", Kind: clients.Symmetric, RedirectURIs: back, Audience: []string{"patient"}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}},
		{Name: "p", Kind: clients.Public, RedirectURIs: back, Audience: []string{"patient"}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}},
		{Name: "a", Kind: clients.Asymmetric, RedirectURIs: back, Audience: []string{"patient"}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, Keys: keys},
		{Name: "b", Kind: clients.Backend, Scopes: "system/*.rs", Purposes: []string{"TREAT"}, Keys: keys},
	} {
		added, err := registry.Add(t.Context(), "ann", c)
		must(t, err)
		_, err = registry.Approve(t.Context(), "bob", added.ID, added.Digest())
		must(t, err)
		d.ids[c.Kind] = added.ID
	}
	d.secret, err = registry.RotateSecret(t.Context(), "ann", d.ids[clients.Symmetric])
	must(t, err)
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask authenticates a request.
func (d *desk) ask(header string, form url.Values) (clientauth.Result, error) {
	r := httptest.NewRequest("POST", "/oauth/token", nil)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	f, err := oauth.ParseForm(form.Encode())
	if err != nil {
		return clientauth.Result{}, err
	}
	return d.Authenticate(context.Background(), r, f, nil)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// TestMethods: each kind of client has one way to authenticate, and every failure has one text (SMART-317 to 319, 337).
func TestMethods(t *testing.T) {
	d := newDesk(t)
	s, p, a := d.ids[clients.Symmetric], d.ids[clients.Public], d.ids[clients.Asymmetric]
	for name, c := range map[string]struct {
		header string
		form   url.Values
		code   string
		client string
	}{
		"SMART-319: a secret in Basic":              {basic(s, d.secret), nil, "", s},
		"SMART-063: encoded as a form first":        {basic(url.QueryEscape(s), url.QueryEscape(d.secret)), nil, "", s},
		"SMART-319: the same client_id in the body": {basic(s, d.secret), url.Values{"client_id": {s}}, "", s},
		"SMART-318: a public client":                {"", url.Values{"client_id": {p}}, "", p},
		"SMART-319: another client_id in the body":  {basic(s, d.secret), url.Values{"client_id": {p}}, "invalid_client", ""},
		"SMART-319: a wrong secret":                 {basic(s, d.secret+"x"), nil, "invalid_client", ""},
		"SMART-319: an unknown client":              {basic("app-none", d.secret), nil, "invalid_client", ""},
		"no secret":                                 {basic(s, ""), nil, "invalid_client", ""},
		"SMART-317: a secret in the body":           {"", url.Values{"client_id": {s}, "client_secret": {d.secret}}, "invalid_client", ""},
		"SMART-317: two methods":                    {basic(s, d.secret), url.Values{"client_secret": {d.secret}}, "invalid_request", ""},
		"SMART-317: Basic and an assertion":         {basic(s, d.secret), url.Values{"client_assertion": {"x"}}, "invalid_request", ""},
		"SMART-317: a client with keys uses Basic":  {basic(a, d.secret), nil, "invalid_client", ""},
		"SMART-317: a public client uses Basic":     {basic(p, ""), nil, "invalid_client", ""},
		"a confidential client without anything":    {"", url.Values{"client_id": {s}}, "invalid_client", ""},
		"a client with keys without anything":       {"", url.Values{"client_id": {a}}, "invalid_client", ""},
		"nobody":                                    {"", nil, "invalid_client", ""},
		"Bearer":                                    {"Bearer x", nil, "invalid_client", ""},
		"Basic with nonsense":                       {"Basic ???", nil, "invalid_client", ""},
	} {
		got, err := d.ask(c.header, c.form)
		if c.code == "" {
			if err != nil || got.Client.ID != c.client {
				t.Errorf("%s: got %+v, %v", name, got.Client, err)
			}
			continue
		}
		e := oauth.AsError(err)
		if err == nil || e.Code != c.code || got.Client != nil {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
			continue
		}
		wantBasic := c.code == "invalid_client" && c.header != ""
		if c.code == "invalid_client" && (e.Status != 401 || e.Description != "The client is not authenticated." || (e.Header.Get("WWW-Authenticate") != "") != wantBasic) {
			t.Errorf("SMART-316: %s: got %d %q with %v, want 401 and one text", name, e.Status, e.Description, e.Header)
		}
	}
	if _, err := d.Clients.Suspend(t.Context(), "ann", s); err != nil {
		t.Fatal(err)
	}
	if _, err := d.ask(basic(s, d.secret), nil); oauth.AsError(err).Code != oauth.InvalidClient {
		t.Errorf("SMART-050: a suspended client: got %v", err)
	}
}

// assertion is an assertion that a test may spoil.
type assertion struct {
	alg    jose.SignatureAlgorithm
	key    any
	header map[string]any
	claims map[string]any
	form   url.Values
}

func (d *desk) assertion(id, jti string) *assertion {
	return &assertion{alg: jose.RS384, key: d.rsaKey, header: map[string]any{"kid": "r", "typ": "JWT"},
		claims: map[string]any{"iss": id, "sub": id, "aud": audience, "exp": d.now.Add(4 * time.Minute).Unix(), "iat": d.now.Unix(), "jti": jti}, form: url.Values{}}
}

func (a *assertion) signed(t *testing.T) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for k, v := range a.header {
		options.WithHeader(jose.HeaderKey(k), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: a.alg, Key: a.key}, options)
	must(t, err)
	payload, err := json.Marshal(a.claims)
	must(t, err)
	object, err := signer.Sign(payload)
	must(t, err)
	text, err := object.CompactSerialize()
	must(t, err)
	return text
}

func (a *assertion) send(t *testing.T, d *desk) (clientauth.Result, error) {
	t.Helper()
	form := url.Values{"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {a.signed(t)}}
	for k, v := range a.form {
		form[k] = v
	}
	return d.ask("", form)
}

// TestAssertions: what an assertion must and must not be (SMART-330 to 337, SMART-T24, SMART-T43).
func TestAssertions(t *testing.T) {
	d := newDesk(t)
	id := d.ids[clients.Backend]
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: d.rsaKey.Public()})
	must(t, err)
	good := map[string]func(*assertion){
		"RS384": func(*assertion) {},
		"ES384": func(a *assertion) {
			a.alg, a.key, a.header["kid"] = jose.ES384, d.ecKey, "e"
		},
		"SMART-332: aud as an array of one":  func(a *assertion) { a.claims["aud"] = []string{audience} },
		"SMART-332: client_id in the body":   func(a *assertion) { a.form.Set("client_id", id) },
		"T42: an exp 59 s ago":               func(a *assertion) { a.claims["exp"] = d.now.Add(-59 * time.Second).Unix() },
		"T42: an iat 59 s ahead":             func(a *assertion) { a.claims["iat"] = d.now.Add(59 * time.Second).Unix() },
		"SMART-332: exp in 5 min":            func(a *assertion) { a.claims["exp"] = d.now.Add(5 * time.Minute).Unix() },
		"no iat":                             func(a *assertion) { delete(a.claims, "iat") },
		"a jti of 255 characters":            func(a *assertion) { a.claims["jti"] = strings.Repeat("j", 255) },
		"typ in small letters":               func(a *assertion) { a.header["typ"] = "jwt" },
		"an exp that is a fraction":          func(a *assertion) { a.claims["exp"] = float64(d.now.Add(time.Minute).Unix()) + 0.5 },
		"claims that mean nothing to us too": func(a *assertion) { a.claims["extensions"] = map[string]any{"x": 1} },
	}
	bad := map[string]func(*assertion){
		"HS256 with the public key": func(a *assertion) { a.alg, a.key = jose.HS256, public },
		"RS256":                     func(a *assertion) { a.alg = jose.RS256 },
		"PS384":                     func(a *assertion) { a.alg = jose.PS384 },
		"another key":               func(a *assertion) { a.key = other },
		"expired":                   func(a *assertion) { a.claims["exp"] = d.now.Add(-61 * time.Second).Unix() },
		"exp 10 min ahead":          func(a *assertion) { a.claims["exp"] = d.now.Add(10 * time.Minute).Unix() },
		"no exp":                    func(a *assertion) { delete(a.claims, "exp") },
		"exp that is no number":     func(a *assertion) { a.claims["exp"] = "soon" },
		"a huge exp":                func(a *assertion) { a.claims["exp"] = 1e300 },
		"iat in the future":         func(a *assertion) { a.claims["iat"] = d.now.Add(61 * time.Second).Unix() },
		"nbf in the future":         func(a *assertion) { a.claims["nbf"] = d.now.Add(61 * time.Second).Unix() },
		"another aud":               func(a *assertion) { a.claims["aud"] = "https://record.example/fhir" },
		"a longer aud":              func(a *assertion) { a.claims["aud"] = audience + "/" },
		"two audiences":             func(a *assertion) { a.claims["aud"] = []string{audience, "https://other.example"} },
		"no aud":                    func(a *assertion) { delete(a.claims, "aud") },
		"sub not iss":               func(a *assertion) { a.claims["sub"] = "x" },
		"another client's iss":      func(a *assertion) { a.claims["iss"], a.claims["sub"] = d.ids[clients.Public], d.ids[clients.Public] },
		"an unknown iss":            func(a *assertion) { a.claims["iss"], a.claims["sub"] = "none", "none" },
		"another client_id":         func(a *assertion) { a.form.Set("client_id", d.ids[clients.Asymmetric]) },
		"no jti":                    func(a *assertion) { delete(a.claims, "jti") },
		"a long jti":                func(a *assertion) { a.claims["jti"] = strings.Repeat("j", 256) },
		"no kid":                    func(a *assertion) { delete(a.header, "kid") },
		"an unknown kid":            func(a *assertion) { a.header["kid"] = "x" },
		"T43: a kid with a path":    func(a *assertion) { a.header["kid"] = "../r?x=1" },
		"a kid of another type":     func(a *assertion) { a.header["kid"] = "e" },
		"another typ":               func(a *assertion) { a.header["typ"] = "at+jwt" },
		"an unregistered jku":       func(a *assertion) { a.header["jku"] = "https://evil.example/keys" },
		"an embedded jwk":           func(a *assertion) { a.header["jwk"] = json.RawMessage(public) },
		"a crit header":             func(a *assertion) { a.header["crit"] = []string{"b64"} },
	}
	n := 0
	for name, change := range good {
		n++
		a := d.assertion(id, fmt.Sprint("good", n))
		change(a)
		if got, err := a.send(t, d); err != nil || got.Client.ID != id || got.Method != clientauth.Assertion {
			t.Errorf("SMART-331: %s: got %v", name, err)
		}
	}
	for name, change := range bad {
		n++
		a := d.assertion(id, fmt.Sprint("bad", n))
		change(a)
		got, err := a.send(t, d)
		if e := oauth.AsError(err); err == nil || got.Client != nil || e.Code != oauth.InvalidClient || e.Status != 401 || e.Description != "The client is not authenticated." {
			t.Errorf("T24: %s: got %v, want invalid_client", name, err)
		}
	}
	a := d.assertion(id, "none")
	parts := strings.Split(a.signed(t), ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"r","typ":"JWT"}`)) + "." + parts[1] + "."
	for name, form := range map[string]url.Values{
		"T24: alg none":                  {"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {unsigned}},
		"SMART-330: another type":        {"client_assertion_type": {"urn:x"}, "client_assertion": {a.signed(t)}},
		"SMART-330: no type":             {"client_assertion": {a.signed(t)}},
		"SMART-330: no assertion":        {"client_assertion_type": {clientauth.AssertionType}},
		"an assertion that is not three": {"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {"a.b"}},
	} {
		if _, err := d.ask("", form); err == nil || oauth.AsError(err).Status != 400 && oauth.AsError(err).Status != 401 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestKeysByURL: the keys of a client with a URL are those that are there; the header may name this URL and no other (SMART-058, 334,
// 338, SMART-T24).
func TestKeysByURL(t *testing.T) {
	d := newDesk(t)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: d.rsaKey.Public(), KeyID: "r"}, {Key: d.ecKey.Public(), KeyID: "e"}}}
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { must(t, json.NewEncoder(w).Encode(set)) }))
	t.Cleanup(published.Close)
	d.Clients.Rules.Loopback = true
	added, err := d.Clients.Add(t.Context(), "ann", clients.Client{Name: "u", Kind: clients.Backend, Scopes: "system/*.rs", Purposes: []string{"TREAT"}, KeysURL: published.URL})
	must(t, err)
	_, err = d.Clients.Approve(t.Context(), "bob", added.ID, added.Digest())
	must(t, err)
	for name, c := range map[string]struct {
		change func(*assertion)
		good   bool
	}{
		"no jku":             {func(*assertion) {}, true},
		"the registered jku": {func(a *assertion) { a.header["jku"] = published.URL }, true},
		"another path":       {func(a *assertion) { a.header["jku"] = published.URL + "/keys" }, false},
		"another host":       {func(a *assertion) { a.header["jku"] = "https://evil.example/keys" }, false},
		"an unknown kid":     {func(a *assertion) { a.header["kid"] = "x" }, false},
		"another type":       {func(a *assertion) { a.header["kid"] = "e" }, false},
	} {
		a := d.assertion(added.ID, name)
		c.change(a)
		if got, err := a.send(t, d); (err == nil) != c.good || c.good && got.Client.ID != added.ID {
			t.Errorf("SMART-334: %s: got %v, want success: %v", name, err, c.good)
		}
	}
	set.Keys[1].KeyID = "r" // one kid for two keys: the whole set is refused
	d.now = d.now.Add(time.Hour)
	if _, err := d.assertion(added.ID, "double").send(t, d); err == nil {
		t.Error("SMART-334, SMART-T24: a set with a double kid is used")
	}
	set.Keys = set.Keys[:0] // the client has withdrawn its keys
	d.now = d.now.Add(time.Hour)
	if _, err := d.assertion(added.ID, "withdrawn").send(t, d); err == nil {
		t.Error("SMART-338: a key that was withdrawn is used")
	}
}

// TestUsedOnce: of 20 uses of one assertion at once, by two servers, one wins (SMART-333, SMART-T24).
func TestUsedOnce(t *testing.T) {
	d := newDesk(t)
	a := d.assertion(d.ids[clients.Backend], "once")
	text := a.signed(t)
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		at := d.Authenticator
		if i%2 == 1 {
			at = &clientauth.Authenticator{Clients: &clients.Registry{Ledger: d.Clients.Ledger, Secrets: d.Clients.Secrets}, KeySets: &jwks.Cache{Clock: time.Now}, Audience: audience}
		}
		wg.Go(func() {
			f, err := oauth.ParseForm(url.Values{"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {text}}.Encode())
			if err != nil {
				t.Error(err)
			}
			if _, err := at.Authenticate(context.Background(), httptest.NewRequest("POST", "/oauth/token", nil), f, nil); err == nil {
				won.Add(1)
			} else if oauth.AsError(err).Code != oauth.InvalidClient {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("SMART-333: %d won, want 1", won.Load())
	}
	d.now = d.now.Add(6 * time.Minute)
	if _, err := a.send(t, d); err == nil {
		t.Error("SMART-333: an expired assertion is accepted once its jti is forgotten")
	}
}
