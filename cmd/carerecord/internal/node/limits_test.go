package node

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLimits: every limit has a name, takes a value of its kind, and is shown
// at start (LIM-001).
func TestLimits(t *testing.T) {
	l := DefaultLimits()
	err := l.Set(map[string]string{"page": "7", "bundle-size": "1000", "search-deadline": "3s", "client-rate": "0", "no-delete": "Patient+Consent"})
	if err != nil || l.search.Page != 7 || l.rest.Bundle != 1000 || l.rest.Deadline != 3*time.Second || l.rest.ClientRate != 0 || len(l.rest.NoDelete) != 2 {
		t.Errorf("LIM-001: got %+v, %v", l, err)
	}
	for name := range l.fields() {
		if err := (&Limits{}).Set(map[string]string{name: "?"}); err == nil && name != "need-if-match" && name != "no-delete" {
			t.Errorf("LIM-001: %s takes ?", name)
		}
	}
	wrong := DefaultLimits()
	err = wrong.Set(map[string]string{"nonsense": "1", "page": "0", "url": "x", "page-life": "1"})
	for _, part := range []string{"nonsense", "page:", "url", "page-life"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("LIM-001: the mistake in %s is not named: %v", part, err)
		}
	}
	var out bytes.Buffer
	l.log(slog.New(slog.NewTextHandler(&out, nil)))
	for name := range l.fields() {
		if !strings.Contains(out.String(), name+"=") {
			t.Errorf("LIM-001: %s is not shown: %s", name, out.String())
		}
	}
}

// TestProxyExample: the example of a proxy in docs/operations.md lets pass what the server accepts.
func TestProxyExample(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	limits := DefaultLimits()
	if want := fmt.Sprintf("client_max_body_size %dm;", limits.rest.Bundle>>20); !strings.Contains(string(text), want) {
		t.Errorf("docs/operations.md lacks %q", want)
	}
}
