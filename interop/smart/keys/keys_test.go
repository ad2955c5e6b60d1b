package keys_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/keys"
)

// TestKeys: keys are files; their public halves alone are published, each named by its thumbprint, with those
// of a rotation (SMART-385 to 387, T43).
func TestKeys(t *testing.T) {
	dir := t.TempDir()
	if _, err := keys.Load(dir, false); err == nil || !strings.Contains(err.Error(), "openssl genpkey") {
		t.Errorf("SMART-387: without a key: got %v, want what to do", err)
	}
	k, err := keys.Load(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := k.Sign([]byte(`{"sub":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.Load(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	object, err := jose.ParseSigned(signed, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	set := again.Public()
	if got := set.Key(object.Signatures[0].Header.KeyID); len(got) != 1 {
		t.Fatalf("SMART-385: the set has %d keys of the kid", len(got))
	} else if _, err := object.Verify(got[0]); err != nil {
		t.Errorf("SMART-380: %v", err)
	}
	other := t.TempDir()
	if _, err := keys.Load(other, true); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(other, "signing.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "signing-next.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	rotating, err := keys.Load(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	published, err := json.Marshal(rotating.Public())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rotating.Public().Keys); n != 2 {
		t.Errorf("SMART-386: %d keys are published, want 2", n)
	}
	for _, private := range []string{`"d"`, `"p"`, `"q"`, `"dp"`, `"dq"`, `"qi"`} {
		if strings.Contains(string(published), private) {
			t.Errorf("T43: the published keys have the member %s", private)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "signing.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(dir, true); err == nil {
		t.Error("SMART-387: a damaged key is replaced silently")
	}
}
