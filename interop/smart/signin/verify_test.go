package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/pages"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// TestIDToken: each check of an ID token (SMART-182, SMART-T32), with a tolerance of 60 seconds for the clock of the
// issuer (SMART-188).
func TestIDToken(t *testing.T) {
	set := func(name string, value any) func(*fakeIssuer) {
		return func(f *fakeIssuer) { f.claims = func(c map[string]any) { c[name] = value } }
	}
	drop := func(name string) func(*fakeIssuer) {
		return func(f *fakeIssuer) { f.claims = func(c map[string]any) { delete(c, name) } }
	}
	at := func(name string, d time.Duration) func(*fakeIssuer) {
		return func(f *fakeIssuer) { f.claims = func(c map[string]any) { c[name] = f.clock().Add(d).Unix() } }
	}
	sign := func(g func(f *fakeIssuer, c map[string]any) string) func(*fakeIssuer) {
		return func(f *fakeIssuer) { f.sign = func(c map[string]any) string { return g(f, c) } }
	}
	other := func(f *fakeIssuer) jose.JSONWebKey {
		return jose.JSONWebKey{Key: testKeys()[2], KeyID: "k1", Algorithm: string(f.algorithm)}
	}
	for name, c := range map[string]struct {
		change func(*fakeIssuer)
		login  bool
		reason signin.Reason // empty: accepted
	}{
		"valid":         {change: func(*fakeIssuer) {}},
		"no at_hash":    {change: drop("at_hash")},
		"aud as a list": {change: set("aud", []string{"carerecord"})},
		"azp is us":     {change: set("azp", "carerecord")},
		"two aud and azp": {change: func(f *fakeIssuer) {
			f.claims = func(c map[string]any) { c["aud"], c["azp"] = []string{"other", "carerecord"}, "carerecord" }
		}},
		"exp 59 s ago":        {change: at("exp", -59*time.Second)},
		"iat in 60 s":         {change: at("iat", 60*time.Second)},
		"nbf in 60 s":         {change: at("nbf", 60*time.Second)},
		"login again":         {login: true, change: func(*fakeIssuer) {}},
		"no auth_time":        {change: drop("auth_time")},
		"exp 60 s ago":        {change: at("exp", -60*time.Second), reason: signin.Invalid},
		"no exp":              {change: drop("exp"), reason: signin.Invalid},
		"exp beyond time":     {change: set("exp", 1e300), reason: signin.Invalid},
		"iat in 61 s":         {change: at("iat", 61*time.Second), reason: signin.Invalid},
		"no iat":              {change: drop("iat"), reason: signin.Invalid},
		"iat in milliseconds": {change: set("iat", 1e12), reason: signin.Invalid},
		"nbf in 61 s":         {change: at("nbf", 61*time.Second), reason: signin.Invalid},
		"auth_time in 61 s":   {change: at("auth_time", 61*time.Second), reason: signin.Invalid},
		"login not again":     {login: true, change: at("auth_time", -61*time.Second), reason: signin.Invalid},
		"login without time":  {login: true, change: drop("auth_time"), reason: signin.Invalid},
		"another issuer":      {change: set("iss", "https://staff.example"), reason: signin.Invalid},
		"issuer and slash":    {change: set("iss", "https://patients.example/"), reason: signin.Invalid},
		"no issuer":           {change: drop("iss"), reason: signin.Invalid},
		"another audience":    {change: set("aud", "other"), reason: signin.Invalid},
		"no audience":         {change: drop("aud"), reason: signin.Invalid},
		"two aud, no azp":     {change: set("aud", []string{"other", "carerecord"}), reason: signin.Invalid},
		"azp is another":      {change: set("azp", "other"), reason: signin.Invalid},
		"old nonce":           {change: set("nonce", strings.Repeat("0", 64)), reason: signin.Invalid},
		"no nonce":            {change: drop("nonce"), reason: signin.Invalid},
		"nonce is a number":   {change: set("nonce", 1), reason: signin.Invalid},
		"no subject":          {change: drop("sub"), reason: signin.Invalid},
		"long subject":        {change: set("sub", strings.Repeat("s", 256)), reason: signin.Invalid},
		"wrong at_hash":       {change: set("at_hash", atHash(jose.RS512, "another token")), reason: signin.Invalid},
		"at_hash of SHA-256":  {change: set("at_hash", atHash(jose.RS256, "upstream-access-token")), reason: signin.Invalid},
		"unknown acr":         {change: set("acr", "better"), reason: signin.TooWeak},
		"no acr":              {change: drop("acr"), reason: signin.TooWeak},
		"acr is a list":       {change: set("acr", []string{"good"}), reason: signin.Invalid},
		"unsigned":            {change: sign(func(_ *fakeIssuer, c map[string]any) string { return unsigned(c) }), reason: signin.Invalid},
		"not a token":         {change: sign(func(*fakeIssuer, map[string]any) string { return "x.y.z" }), reason: signin.Invalid},
		"allowed by the issuer's document, not by us": {change: sign(func(f *fakeIssuer, c map[string]any) string {
			return signed(jose.RS256, jose.JSONWebKey{Key: testKeys()[0], KeyID: "k1"}, c)
		}), reason: signin.Invalid},
		"HMAC with the public key": {change: sign(func(f *fakeIssuer, c map[string]any) string {
			return signed(jose.HS512, jose.JSONWebKey{Key: modulus(t, f.key), KeyID: "k1"}, c)
		}), reason: signin.Invalid},
		"signed by another key": {change: sign(func(f *fakeIssuer, c map[string]any) string { return signed(f.algorithm, other(f), c) }), reason: signin.Invalid},
		"key in the header": {change: sign(func(f *fakeIssuer, c map[string]any) string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: f.algorithm, Key: testKeys()[2]}, &jose.SignerOptions{EmbedJWK: true})
			if err != nil {
				t.Error(err)
			}
			return serialize(t, signer, c)
		}), reason: signin.Invalid},
		"another signature": {change: sign(func(f *fakeIssuer, c map[string]any) string {
			text := signed(f.algorithm, f.key, c)
			return text[:strings.LastIndex(text, ".")+1] + strings.Repeat("A", 342)
		}), reason: signin.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w.patients)
			j, request := w.start(signin.Request{Kind: session.Patient, Login: c.login})
			_, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
			if c.reason == "" {
				if err != nil || len(w.verified) != 1 {
					t.Errorf("SMART-182: got %v, want it accepted", err)
				}
				return
			}
			wantReason(t, err, c.reason, pages.SignInRefused)
			if len(w.verified) != 0 {
				t.Error("SMART-182: the identity was used")
			}
		})
	}
}

// TestIssuerIsExact: also for the one issuer of which the library accepts two names (SMART-182).
func TestIssuerIsExact(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.patients.issuer = "https://accounts.google.com"
		w.issuers[0].Issuer = w.patients.issuer
	})
	w.patients.claims = func(c map[string]any) { c["iss"] = "accounts.google.com" }
	wantReason(t, w.signIn(), signin.Invalid, pages.SignInRefused)
}

// TestKeys: the keys of an issuer are fetched once, and again at most once in 10 seconds for an unknown key; so a flood of
// unknown keys, and a wrong signature, cost nothing (SMART-187, SMART-T32).
func TestKeys(t *testing.T) {
	w := newWorld(t)
	want := func(ok bool, fetches int) {
		t.Helper()
		if err := w.signIn(); (err == nil) != ok {
			t.Errorf("sign in: got %v, want success: %v", err, ok)
		}
		if got := w.patients.count("/jwks"); got != fetches {
			t.Errorf("SMART-187: the keys were fetched %d times, want %d", got, fetches)
		}
	}
	want(true, 1)
	want(true, 1)
	// The issuer signs with a new key that it does not publish.
	w.patients.key = jose.JSONWebKey{Key: testKeys()[2], KeyID: "k2", Algorithm: "RS512"}
	for range 5 {
		want(false, 1) // the first fetch was less than 10 s ago
	}
	w.advance(10 * time.Second)
	want(false, 2)
	for i := range 20 {
		w.patients.key.KeyID = "flood-" + strconv.Itoa(i)
		want(false, 2)
	}
	w.advance(10 * time.Second)
	w.patients.key.KeyID = "k2"
	w.patients.published = append(w.patients.published, w.patients.key.Public())
	want(true, 3)
	// A wrong signature of a known key causes no fetch.
	w.advance(time.Minute)
	w.patients.key.Key = testKeys()[0]
	want(false, 3)
	w.patients.key.Key = testKeys()[2]
	want(true, 3)
	// After an hour the keys are read again, and a key that the issuer took back is refused.
	w.advance(time.Hour)
	w.patients.published = w.patients.published[:1]
	want(false, 4)
}

// TestOddKeySets: keys that cannot verify signatures are left out; a token without a key ID needs an issuer with one key.
func TestOddKeySets(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *fakeIssuer)
		ok     bool
	}{
		"one key, no key ID in the token":  {func(f *fakeIssuer) { f.key.KeyID = "" }, true},
		"two keys, no key ID in the token": {func(f *fakeIssuer) { f.published = append(f.published, second(t)); f.key.KeyID = "" }, false},
		"two keys of one ID":               {func(f *fakeIssuer) { f.published = append(f.published, f.published[0]) }, false},
		"an encryption key of the same ID": {func(f *fakeIssuer) { k := f.published[0]; k.Use = "enc"; f.published = append(f.published, k) }, true},
		"the key is for encryption":        {func(f *fakeIssuer) { f.published[0].Use = "enc" }, false},
		"no keys":                          {func(f *fakeIssuer) { f.published = nil }, false},
		"a private key of the issuer":      {func(f *fakeIssuer) { f.published = []jose.JSONWebKey{f.key} }, false},
		"a secret key":                     {func(f *fakeIssuer) { f.published = []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "k1"}} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.change(w.patients)
			if err := w.signIn(); (err == nil) != c.ok {
				t.Errorf("got %v, want success: %v", err, c.ok)
			}
		})
	}
}

func second(t *testing.T) jose.JSONWebKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key.Public(), KeyID: "k9", Algorithm: "RS512", Use: "sig"}
}
