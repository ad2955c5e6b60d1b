package suite

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestFirstStart runs the commands of docs/operations.md that start a record from nothing, without --demo, and give its client a key. Two
// people with accounts of their own do that, one of whom alone could not (SMART-066).
func TestFirstStart(t *testing.T) {
	t.Parallel()
	_, part, _ := strings.Cut(document(t, "docs/operations.md"), "## A first start")
	part, _, _ = strings.Cut(part, "## What to keep")
	script, want := commands(part)
	if len(want) != 3 {
		t.Fatalf("the document has %d outputs, want 3: %q", len(want), want)
	}
	s := onPebble(t)
	address := s.freeAddress()
	s.site = "http://" + address
	keys := filepath.Join(t.TempDir(), "jwks.json")
	writeKeys(t, keys)
	script = strings.NewReplacer("/var/lib/carerecord/record", strings.TrimPrefix(s.store, "pebble:"), "127.0.0.1:8080", address, "/srv/jwks.json", keys, "/usr/local/bin/carerecord", binary,
		" DIGEST ", ` $(SUDO_USER=bob `+binary+` client show hollybank --store pebble:$STORE | sed -n 's/.*"digest": "\([0-9a-f]*\)".*/\1/p' | tail -1) `).Replace(script)
	script = regexp.MustCompile(`(?m)^root# .*\n`).ReplaceAllString(script, "")
	script = regexp.MustCompile(`(?m)^([a-z]+)\$ sudo -u carerecord `).ReplaceAllString(script, "SUDO_USER=$1 ")
	if !strings.Contains(script, "\nSUDO_USER=alice "+binary) || !strings.Contains(script, "\nSUDO_USER=bob "+binary) {
		t.Fatalf("alice and bob do nothing:\n%s", script)
	}
	made, served, _ := strings.Cut(script, binary+" serve")
	again := "cp -a $STORE $STORE.first\n(set +e; " + made + ") || true\ndiff -r $STORE $STORE.first\n" // whoever pastes it once more loses nothing
	script = "trap 'kill $!; wait' EXIT\n" + made + again + binary + " serve" + served
	expect(t, s.shell(script, nil), want)
}

// writeKeys writes the public half of a new key as a JWK set.
func writeKeys(t *testing.T, file string) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Use: "sig", Algorithm: string(jose.ES384)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
