package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/cmd/carerecord/internal/telemetry"
	"carerecord/interop/smart/printed"
)

// TestPrintedTokensOnLoopback: tokens are printed for a demonstration on a loopback address alone (SMART-009).
func TestPrintedTokensOnLoopback(t *testing.T) {
	for site, prints := range map[string]bool{"http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:1": true, "https://record.example": false, "http://10.0.0.1": false, "": false} {
		cfg := Config{Auth: AuthDemo, PublicURL: site}
		if err := cfg.printsTokens(); (err == nil) != prints {
			t.Errorf("%s: got %v", site, err)
		}
		if cfg.Auth = AuthSMART; cfg.printsTokens() == nil {
			t.Errorf("%s: tokens are printed without a demonstration", site)
		}
	}
	cfg := demoConfig(t, t.TempDir())
	cfg.PublicURL = "https://record.example"
	if token, err := IssueToken(t.Context(), cfg, printed.Request{User: "consultant", Client: "demo-ehr"}); err == nil || token != "" {
		t.Errorf("a demonstration at %s: got a token and %v", cfg.PublicURL, err)
	}
}

// TestOperatorName: two people who run commands as the user of the server have names of their own (SMART-066).
func TestOperatorName(t *testing.T) {
	t.Setenv("SUDO_USER", "")
	own := operatorName()
	t.Setenv("SUDO_USER", "ann")
	if got := operatorName(); got != "ann" || own == "" || own == "ann" {
		t.Errorf("got %q with sudo, %q without", got, own)
	}
}

// TestOnlyThisMachine: with --auth off a page whose name was pointed at this machine reads nothing (SMART-009). A server with
// authorization answers under every name: its addresses come from the settings (SMART-002).
func TestOnlyThisMachine(t *testing.T) {
	for _, auth := range []Auth{AuthOff, AuthDemo} {
		cfg := demoConfig(t, t.TempDir())
		cfg.Auth = auth
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for host, own := range map[string]bool{"localhost": true, "localhost:8080": true, "127.0.0.1:9": true, "127.1.2.3": true, "[::1]:80": true, "[::1]": true,
			"evil.example": false, "evil.example:8080": false, "localhost.evil.example": false, "127.0.0.1.evil.example:80": false, "10.0.0.1": false, "": false, ":80": false, "[": false} {
			for name, h := range map[string]http.Handler{"clients": n.Handler(), "operators": n.adminHandler(telemetry.NewMetrics().Handler())} {
				q := httptest.NewRequest("GET", "/fhir/Patient", nil)
				q.Host = host
				w := httptest.NewRecorder()
				h.ServeHTTP(w, q)
				if refused := w.Code == http.StatusMisdirectedRequest; refused != (auth == AuthOff && !own) {
					t.Errorf("auth %v, %s, Host %q: got %d %s", auth, name, host, w.Code, w.Body)
				}
			}
		}
		for origin, own := range map[string]bool{"": true, "http://localhost:8080": true, "http://127.0.0.1": true, "https://evil.example": false, "null": false, "http://localhost.evil.example": false} {
			q := httptest.NewRequest("POST", "/fhir/Binary", strings.NewReader("x"))
			q.Host = "127.0.0.1"
			q.Header.Set("Content-Type", "text/plain")
			if origin != "" {
				q.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			n.Handler().ServeHTTP(w, q)
			if refused := w.Code == http.StatusMisdirectedRequest; refused != (auth == AuthOff && !own) {
				t.Errorf("auth %v, a write from %q: got %d %s", auth, origin, w.Code, w.Body)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
