package smart

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart"
	"carerecord/interop/smart/keys"
	"carerecord/store/storetest"
)

// TestSMART386Clients: while the signing key is replaced, a client that keeps the published keys as long as it may can verify every ID token
// that it gets (SMART-386).
func TestSMART386Clients(t *testing.T) {
	dir := t.TempDir()
	var signing *keys.Keys
	w := openWorld(t, func(clock func() time.Time) engine {
		var err error
		if signing, err = keys.Load(dir, true, clock); err != nil {
			t.Fatal(err)
		}
		return storetest.NewReference(clock)
	}, 1, func(c *smart.Config) { c.Keys = signing })
	fetch := func() (set jose.JSONWebKeySet) {
		t.Helper()
		a := read(w.do(w.request("GET", site+"/oauth/jwks.json", "")))
		if want := fmt.Sprintf("public, max-age=%d", int(keys.CacheTime.Seconds())); a.header.Get("Cache-Control") != want {
			t.Errorf("SMART-386: the keys may be kept for %q, want %q", a.header.Get("Cache-Control"), want)
		}
		w.must(json.Unmarshal([]byte(a.text), &set))
		return set
	}
	kept, fetched, used := fetch(), w.now, map[string]bool{}
	rotated, err := signing.Rotate(false)
	w.must(err)
	for end := rotated.Starts.Add(5 * time.Minute); w.now.Before(end); w.now = w.now.Add(30 * time.Second) {
		if w.now.Sub(fetched) >= keys.CacheTime {
			kept, fetched = fetch(), w.now
		}
		token := w.exchange("app", w.browser().journey("app", "openid patient/Observation.rs", "ann", "").Get("code")).str("id_token")
		object, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
		w.must(err)
		kid := object.Signatures[0].Header.KeyID
		used[kid] = true
		if found := kept.Key(kid); len(found) != 1 {
			t.Errorf("SMART-386: at %s the client does not have the key %s of its ID token", w.now, kid)
		} else if _, err := object.Verify(found[0]); err != nil {
			t.Errorf("SMART-386: at %s: %v", w.now, err)
		}
	}
	if len(used) != 2 {
		t.Errorf("SMART-386: %d keys have signed, want the old one and the new one", len(used))
	}
}
