package signin_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// TestConfiguration: an issuer that is not known to be safe is refused at the start, with the reason. The national
// issuers are such, because their assurance rules are not built.
func TestConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		change func(i *signin.Issuer)
		want   string // in the error; empty: accepted
	}{
		"valid":                     {func(*signin.Issuer) {}, ""},
		"patients of NHS login":     {func(i *signin.Issuer) { i.Assurance = signin.AssuranceNHSLogin }, `"nhs-login" are not built yet`},
		"staff of CIS2":             {func(i *signin.Issuer) { i.Assurance = signin.AssuranceCIS2 }, `"cis2" are not built yet`},
		"no assurance":              {func(i *signin.Issuer) { i.Assurance = "" }, "unknown, so nobody can sign in"},
		"no algorithms":             {func(i *signin.Issuer) { i.Algorithms = nil }, "signature algorithms are required"},
		"alg none":                  {func(i *signin.Issuer) { i.Algorithms = []jose.SignatureAlgorithm{"none"} }, `"none" is not allowed`},
		"HMAC":                      {func(i *signin.Issuer) { i.Algorithms = append(i.Algorithms, jose.HS256) }, `"HS256" is not allowed`},
		"no kind":                   {func(i *signin.Issuer) { i.Kind = "" }, "kind"},
		"http":                      {func(i *signin.Issuer) { i.Issuer, i.Assurance = "http://issuer.example", signin.AssuranceCIS2 }, "must be https"},
		"identifier with a query":   {func(i *signin.Issuer) { i.Issuer += "?a" }, "without query"},
		"name with a slash":         {func(i *signin.Issuer) { i.Name = "a/b" }, "name"},
		"no client id":              {func(i *signin.Issuer) { i.ClientID = "" }, "client id"},
		"no HTTP client":            {func(i *signin.Issuer) { i.Client = nil }, "HTTP client"},
		"no key":                    {func(i *signin.Issuer) { i.Key = jose.JSONWebKey{} }, "private key"},
		"a public key":              {func(i *signin.Issuer) { i.Key = i.Key.Public() }, "private key"},
		"a key without an ID":       {func(i *signin.Issuer) { i.Key.KeyID = "" }, "private key"},
		"a secret as the key":       {func(i *signin.Issuer) { i.Key = jose.JSONWebKey{Key: []byte("secret"), KeyID: "k", Algorithm: "HS256"} }, "private key"},
		"the name of another":       {func(i *signin.Issuer) { i.Name = "staff" }, "repeated"},
		"the identifier of another": {func(i *signin.Issuer) { i.Issuer = "https://staff.example" }, "repeated"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(&w.issuers[0])
			_, err := signin.New(w.config())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	w := newWorld(t)
	config := w.config()
	config.Digests = secret.Digester{}
	if _, err := signin.New(config); err == nil {
		t.Error("a sign-in without a key of digests is made: state would give nonce and verifier away")
	}
	config = w.config()
	config.Demonstration = false
	if _, err := signin.New(config); err == nil || !strings.Contains(err.Error(), "for a demonstration alone") {
		t.Errorf("sample people without a demonstration: got %v", err)
	}
}

// TestEndpoints: an issuer without a discovery document.
func TestEndpoints(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.issuers[0].Endpoints = &signin.Endpoints{Authorization: "https://patients.example/authorize", Token: "https://patients.example/token", Keys: "https://patients.example/jwks", SendsIssuer: true}
	})
	w.patients.down = "/.well-known/openid-configuration"
	err := w.signIn()
	if err == nil || !strings.Contains(err.Error(), "does not name the issuer") {
		t.Errorf("an issuer that names itself sends an answer without iss: got %v", err)
	}
	w = newWorld(t)
	w.patients.document = map[string]any{"token_endpoint": "http://patients.example/token"}
	if err := w.servers[0].Start(httptest.NewRecorder(), httptest.NewRequest("GET", origin, nil), signin.Request{Transaction: "t", Kind: session.Patient}); err == nil {
		t.Error("an endpoint without https is accepted")
	}
	w = newWorld(t)
	w.patients.document = map[string]any{"issuer": "https://other.example"}
	if err := w.servers[0].Start(httptest.NewRecorder(), httptest.NewRequest("GET", origin, nil), signin.Request{Transaction: "t", Kind: session.Patient}); err == nil {
		t.Error("a discovery document of another issuer is accepted")
	}
}

// TestOwnKeys: the key set towards issuers has public keys alone.
func TestOwnKeys(t *testing.T) {
	w, answer := newWorld(t), httptest.NewRecorder()
	if err := w.servers[0].Keys(answer, nil); err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["kid"] != "client-1" {
		t.Fatalf("got %s, %v", answer.Body, err)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if set.Keys[0][private] != nil {
			t.Errorf("the key set has the private member %q", private)
		}
	}
}
