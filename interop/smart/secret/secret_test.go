package secret_test

import (
	"regexp"
	"strings"
	"testing"

	"carerecord/interop/smart/secret"
)

// TestValues: 256 random bits, a prefix, and no letter that is reserved in a URL (SMART-007).
func TestValues(t *testing.T) {
	form := regexp.MustCompile(`^cr_at_[A-Za-z0-9_-]{43}$`)
	seen := map[string]bool{}
	for range 1000 {
		v := secret.New(secret.AccessToken)
		if !form.MatchString(v) || seen[v] || len(v) >= 100 {
			t.Fatalf("SMART-007: got %q, want 43 random letters behind the prefix", v)
		}
		if seen[v] = true; !secret.AccessToken.Is(v) || secret.RefreshToken.Is(v) {
			t.Fatalf("%q is not recognised as an access token alone", v)
		}
	}
	v := secret.New(secret.Code)
	for _, other := range []string{"", v[:len(v)-1], v + "A", strings.ToUpper(v), v[:len(v)-1] + "=", "cr_ac_" + strings.Repeat(" ", 43)} {
		if secret.Code.Is(other) {
			t.Errorf("%q is taken for a code", other)
		}
	}
}

// TestDigest: digests depend on value and key.
func TestDigest(t *testing.T) {
	digester := func(letter string) secret.Digester {
		d, err := secret.NewDigester([]byte(strings.Repeat(letter, 32)))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b, v := digester("a"), digester("b"), secret.New(secret.Session)
	if a.Of(v) == b.Of(v) || a.Of(v) == a.Of(v+"x") || strings.Contains(a.Of(v), v) {
		t.Error("SMART-490: a digest does not depend on key and value")
	}
	if !a.Matches(v, a.Of(v)) || a.Matches(v, b.Of(v)) || a.Matches(v, "") {
		t.Error("a digest matches what it is not of")
	}
	if _, err := secret.NewDigester([]byte("short")); err == nil {
		t.Error("a short key is accepted")
	}
}
