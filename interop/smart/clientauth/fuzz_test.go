package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
)

// FuzzAssertion: no text of an assertion makes the server panic. What another key has signed is never accepted, and what the right
// key has signed only with the claims of SMART-332. In the input, $ID stands for the id of the client.
func FuzzAssertion(f *testing.F) {
	d := newDesk(f)
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(f, err)
	id := d.ids[clients.Asymmetric]
	good := `{"iss":"$ID","sub":"$ID","aud":"` + audience + `","exp":1777636860,"jti":"a"}`
	for _, header := range []string{`{"alg":"ES384","kid":"e","typ":"JWT"}`, `{"alg":"RS384","kid":"r","typ":"JWT"}`, `{"alg":"none","kid":"e","typ":"JWT"}`, `{"alg":"ES384","kid":"e","typ":"JWT","crit":["x"]}`, `{`} {
		for _, claims := range []string{good, strings.Replace(good, `"aud":"`, `"aud":["x","`, 1), strings.Replace(good, "1777636860", "9e99", 1), strings.Replace(good, `"sub":"$ID"`, `"sub":"x"`, 1), `{"iss":1}`, ``} {
			f.Add(header, claims, true, "")
			f.Add(header, claims, false, "")
		}
	}
	f.Add("", "", false, "a.b.c")
	f.Fuzz(func(t *testing.T, header, payload string, right bool, raw string) {
		encode := base64.RawURLEncoding.EncodeToString
		payload = strings.ReplaceAll(payload, "$ID", id)
		text := raw
		if raw == "" {
			signing := encode([]byte(header)) + "." + encode([]byte(payload))
			key := other
			if right {
				key = d.ecKey
			}
			sum := sha512.Sum384([]byte(signing))
			r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
			must(t, err)
			text = signing + "." + encode(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...))
		}
		result, err := d.ask("", url.Values{"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {text}})
		if err != nil {
			return
		}
		var c struct {
			Issuer  string  `json:"iss"`
			Subject string  `json:"sub"`
			Expires float64 `json:"exp"`
			ID      string  `json:"jti"`
		}
		if !right || raw != "" || json.Unmarshal([]byte(payload), &c) != nil {
			t.Fatalf("SMART-331, T24: accepted as %s: %q %q %q", result.Client.ID, header, payload, raw)
		}
		ends := time.UnixMilli(int64(c.Expires * 1000))
		if result.Client.ID != id || c.Issuer != id || c.Subject != id || c.ID == "" || ends.Before(d.now.Add(-time.Minute)) || ends.After(d.now.Add(6*time.Minute)) || !strings.Contains(payload, "aud") {
			t.Errorf("SMART-332: accepted as %s: %s", result.Client.ID, payload)
		}
	})
}
