package clients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/clients"
)

// TestRedirectURIs: what may be registered, and what then matches (SMART-056, 084, T01 to T03).
func TestRedirectURIs(t *testing.T) {
	for uri, ok := range map[string]bool{
		"https://app.example/back": true, "https://app.example:8443/back?x=1": true, "http://127.0.0.1/back": true, "http://[::1]:9/back": true, "uk.nhs.app:/back": true,
		"http://app.example/back": false, "http://localhost/back": false, "javascript:alert(1)": false, "data:text/html,x": false, "https://*.app.example/": false,
		"https://app.example/#f": false, "https://app.example/#": false, "https://me@app.example/": false, "app:/back": false, "/back": false, "": false, "https:///back": false, "https://:443/": false,
		"https://app.example/a b": false, "https://app.example/\r\nX: y": false, "https://app.example/a/../b": false, "https://app.example\\back": false,
		"https://app.example/" + strings.Repeat("x", 2000): false, "https://\u0430pp.example/": false,
	} {
		c := app()
		c.RedirectURIs = []string{uri}
		if err := (clients.Rules{}).Check(&c); (err == nil) != ok {
			t.Errorf("SMART-056, T03: %.60q: got %v, want it accepted: %t", uri, err, ok)
		}
	}
	c := app()
	c.RedirectURIs = []string{"http://localhost:4567/inferno"}
	if err := (clients.Rules{Loopback: true}).Check(&c); err != nil {
		t.Errorf("SMART-056: localhost, on an instance on loopback: got %v", err)
	}
	web := clients.Client{RedirectURIs: []string{"https://app.example/back", "http://127.0.0.1/native"}}
	for uri, ok := range map[string]bool{
		"https://app.example/back": true, "http://127.0.0.1/native": true, "http://127.0.0.1:5123/native": true,
		"https://app.example/back/": false, "https://app.example/back?x=1": false, "https://app.example/back#f": false, "https://APP.example/back": false, "https://app.example:443/back": false,
		"https://app.example:8443/back": false, "http://app.example/back": false, "https://me@app.example/back": false, "https://sub.app.example/back": false, "https://app.example/%62ack": false,
		"https://app.example/x/../back": false, "https://app.example\\back": false, "": false, "http://127.0.0.1:5123/other": false, "http://127.0.0.2:5123/native": false,
		"https://127.0.0.1:5123/native": false, "http://me@127.0.0.1:5123/native": false, "http://127.0.0.1:5123@evil.example/native": false, "http://[::1]:5123/native": false,
	} {
		if web.Redirects(uri) != ok {
			t.Errorf("SMART-084, T01, T02: %q: got %t", uri, !ok)
		}
	}
}

// ecKey returns a public key on P-384 as a JWK with the kid a.
func ecKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMistakes: every mistake of a registration is told with its field.
func TestMistakes(t *testing.T) {
	ec := ecKey(t)
	for name, c := range map[string]struct {
		change func(*clients.Client)
		want   string
	}{
		"none": {func(*clients.Client) {}, ""},
		"SMART-067: a name with bidirectional characters": {func(c *clients.Client) { c.Name = "An \u202eapp" }, "name:"},
		"SMART-067: a name with markup":                   {func(c *clients.Client) { c.Name = "<b>" }, "name:"},
		"SMART-067: a long name":                          {func(c *clients.Client) { c.Name = strings.Repeat("x", 81) }, "name:"},
		"SMART-054: no kind":                              {func(c *clients.Client) { c.Kind = "other" }, "kind:"},
		"SMART-055: no audience":                          {func(c *clients.Client) { c.Audience = nil }, "audience:"},
		"SMART-061: a scope that is not understood":       {func(c *clients.Client) { c.Scopes = "patient/*.sr" }, "scopes:"},
		"SMART-242: system scopes of an app":              {func(c *clients.Client) { c.Scopes = "system/*.rs" }, "scopes:"},
		"SMART-062: no purpose":                           {func(c *clients.Client) { c.Purposes = nil }, "purposes: at least one"},
		"SMART-062: a purpose that is unknown":            {func(c *clients.Client) { c.Purposes = []string{"PATRQT", "FUN"} }, `purposes[1]: is no purpose`},
		"SMART-430: no purpose of patients":               {func(c *clients.Client) { c.Purposes = []string{"TREAT"} }, "purposes: none fits the audience patient: needed is PATRQT"},
		"SMART-430: no purpose of staff":                  {func(c *clients.Client) { c.Audience = append(c.Audience, clients.ForClinicians) }, "purposes: none fits the audience clinician: needed is TREAT or COC"},
		"SMART-430: a purpose for each audience": {func(c *clients.Client) {
			c.Audience, c.Purposes = append(c.Audience, clients.ForClinicians), []string{"PATRQT", "COC"}
		}, ""},
		"SMART-061: no scope":                             {func(c *clients.Client) { c.Scopes = "" }, "scopes: at least one is required"},
		"an organisation that is not in the policy":       {func(c *clients.Client) { c.Organisation = "X9" }, "organisation:"},
		"an origin with a path":                           {func(c *clients.Client) { c.Origins = []string{"https://app.example/"} }, "origins[0]:"},
		"a right that is unknown":                         {func(c *clients.Client) { c.Rights = []string{"__all"} }, "rights[0]:"},
		"SMART-057: a launch URL without https":           {func(c *clients.Client) { c.LaunchURLs = []string{"http://app.example/launch"} }, "launchURLs[0]:"},
		"keys of a client with a secret":                  {func(c *clients.Client) { c.Keys = []byte(`{"keys":[` + ec + `]}`) }, "keys:"},
		"SMART-056: a backend client with a redirect URI": {func(c *clients.Client) { c.Kind, c.Audience, c.Scopes = clients.Backend, nil, "system/*.rs" }, "redirectURIs:"},
		"SMART-130: an empty intent":                      {func(c *clients.Client) { c.Intents = []string{"a", ""} }, "intents:"},
		"SMART-130: many intents":                         {func(c *clients.Client) { c.Intents = make([]string, 51) }, "intents:"},
		"SMART-055: terms without https":                  {func(c *clients.Client) { c.TermsURL = "http://app.example/terms" }, "termsURL:"},
		"SMART-055: a privacy notice of no host":          {func(c *clients.Client) { c.PrivacyURL = "https:///privacy" }, "privacyURL:"},
		"SMART-067: a contact with control letters":       {func(c *clients.Client) { c.Contact = "a\u0007b" }, "contact:"},
		"SMART-347: offline access of more than 90 d":     {func(c *clients.Client) { c.OfflineUnused = 91 }, "offlineUnusedDays:"},
		"SMART-062: a backend client with two purposes": {func(c *clients.Client) {
			*c = clients.Client{Name: "b", Kind: clients.Backend, Scopes: "system/*.rs", Purposes: []string{"TREAT", "HOPERAT"}}
		}, "purposes:"},
	} {
		is := app()
		c.change(&is)
		err := clients.Rules{Organisation: func(ods string) bool { return ods == "T1" }}.Check(&is)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		keys string
		ok   bool
	}{
		"an EC key":                          {`{"keys":[` + ec + `]}`, true},
		"SMART-060: two of one kid":          {`{"keys":[` + ec + `,` + ec + `]}`, false},
		"SMART-060: a private key":           {`{"keys":[` + strings.Replace(ec, `"x"`, `"d":"AA","x"`, 1) + `]}`, false},
		"SMART-060: no kid":                  {`{"keys":[` + strings.Replace(ec, `"kid":"a",`, ``, 1) + `]}`, false},
		"SMART-060: an operation":            {`{"keys":[` + strings.Replace(ec, `"x"`, `"key_ops":["sign"],"x"`, 1) + `]}`, false},
		"SMART-060: a symmetric key":         {`{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`, false},
		"SMART-060: a short RSA key":         {`{"keys":[{"kty":"RSA","kid":"a","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri","e":"AQAB"}]}`, false},
		"SMART-060: another curve":           {`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`, false},
		"SMART-060: nothing":                 {`{"keys":[]}`, false},
		"SMART-060: no set":                  {`[]`, false},
		"SMART-060: for encryption":          {`{"keys":[` + strings.Replace(ec, `"x"`, `"use":"enc","x"`, 1) + `]}`, false},
		"SMART-060: a key of an odd type":    {`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, false},
		"SMART-060: a key that is not valid": {`{"keys":[{"kty":"RSA","kid":"a"}]}`, false},
	} {
		if _, err := clients.ParseKeys([]byte(c.keys)); (err == nil) != c.ok {
			t.Errorf("%s: got %v, want it accepted: %t", name, err, c.ok)
		}
	}
}
