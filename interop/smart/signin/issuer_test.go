package signin_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// testKeys are made once for all tests of a run.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	var keys []*rsa.PrivateKey
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys = append(keys, key)
	}
	return keys
})

// fakeIssuer is an OpenID provider that a test makes misbehave. It answers requests directly, as an http.RoundTripper.
type fakeIssuer struct {
	issuer    string
	clock     func() time.Time
	algorithm jose.SignatureAlgorithm
	key       jose.JSONWebKey   // that signs
	published []jose.JSONWebKey // what the key set says

	mu       sync.Mutex
	down     string // the path that does not answer
	huge     string // the path whose answer is too large
	redirect string // the path that redirects
	slow     string // the path that never answers; set before any request
	claims   func(claims map[string]any)
	sign     func(claims map[string]any) string // replaces the ID token
	userInfo map[string]any
	document map[string]any // additions to the discovery document
	access   string
	nonce    string // of the authorization request
	requests map[string][]url.Values
}

func newFakeIssuer(issuer string, algorithm jose.SignatureAlgorithm, clock func() time.Time) *fakeIssuer {
	key := jose.JSONWebKey{Key: testKeys()[0], KeyID: "k1", Algorithm: string(algorithm), Use: "sig"}
	return &fakeIssuer{issuer: issuer, clock: clock, algorithm: algorithm, key: key, published: []jose.JSONWebKey{key.Public()},
		access: "upstream-access-token", requests: map[string][]url.Values{}}
}

// count returns how many requests a path got.
func (f *fakeIssuer) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests[path])
}

func (f *fakeIssuer) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.slow != "" && strings.HasSuffix(r.URL.Path, f.slow) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.String(), f.issuer)
	if !ok {
		return nil, errors.New("the request is for another host: " + r.URL.Host)
	}
	form := url.Values{}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
	}
	form.Set("Authorization", r.Header.Get("Authorization"))
	f.requests[path] = append(f.requests[path], form)
	if f.down == path {
		return nil, errors.New("connection refused")
	}
	if f.down == path+" 503" {
		return answer(http.StatusServiceUnavailable, "upstream-access-token is in this error page"), nil
	}
	if f.huge == path {
		return answer(http.StatusOK, map[string]any{"keys": []any{}, "padding": strings.Repeat("a", 1<<20)}), nil
	}
	if f.redirect == path {
		moved := answer(http.StatusFound, nil)
		moved.Header.Set("Location", f.issuer+"/elsewhere")
		return moved, nil
	}
	switch path {
	case "/.well-known/openid-configuration":
		document := map[string]any{"issuer": f.issuer, "authorization_endpoint": f.issuer + "/authorize", "token_endpoint": f.issuer + "/token",
			"jwks_uri": f.issuer + "/jwks", "userinfo_endpoint": f.issuer + "/userinfo", "id_token_signing_alg_values_supported": []string{"HS256", "RS256", "RS512", "none"}}
		for name, value := range f.document {
			document[name] = value
		}
		return answer(http.StatusOK, document), nil
	case "/jwks":
		return answer(http.StatusOK, jose.JSONWebKeySet{Keys: f.published}), nil
	case "/userinfo":
		return answer(http.StatusOK, f.userInfo), nil
	case "/token":
		return answer(http.StatusOK, map[string]any{"access_token": f.access, "token_type": "Bearer", "id_token": f.idToken()}), nil
	}
	return answer(http.StatusNotFound, nil), nil
}

func answer(status int, value any) *http.Response {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body))}
}

// idToken returns the ID token: valid, unless the test changes claims or signs it itself.
func (f *fakeIssuer) idToken() string {
	now := f.clock()
	claims := map[string]any{"iss": f.issuer, "sub": "subject-1", "aud": "carerecord", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"auth_time": now.Unix(), "nonce": f.nonce, "acr": "good", "at_hash": atHash(f.algorithm, f.access), "name": "Ann"}
	if f.claims != nil {
		f.claims(claims)
	}
	if f.sign != nil {
		return f.sign(claims)
	}
	return signed(f.algorithm, f.key, claims)
}

func atHash(algorithm jose.SignatureAlgorithm, access string) string {
	if algorithm == jose.RS512 {
		sum := sha512.Sum512([]byte(access))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func signed(algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	if err != nil {
		panic(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return text
}

// unsigned returns a token with alg none.
func unsigned(claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(body) + "."
}

// modulus returns bytes of a public key, which an attacker would use as the secret of HMAC.
func modulus(t *testing.T, key jose.JSONWebKey) []byte {
	t.Helper()
	public, ok := key.Public().Key.(*rsa.PublicKey)
	if !ok {
		t.Fatal("the key is not RSA")
	}
	return public.N.Bytes()
}
