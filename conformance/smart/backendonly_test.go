package smart

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/fhir/rest"
	"carerecord/interop/smart"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

// TestWithoutPeople: a server without an issuer has nothing for people, and its configuration says so (SMART-009, 031).
func TestWithoutPeople(t *testing.T) {
	signing, _, err := serverKeys()
	if err != nil {
		t.Fatal(err)
	}
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	if err != nil {
		t.Fatal(err)
	}
	engine := storetest.NewReference(time.Now)
	var as *smart.Server
	servertest.Open(t, servertest.Config{Store: engine, State: engine, Audit: engine, Policy: region(),
		Guard: func(c *consent.Config) { c.State = engine },
		REST: func(c *rest.Config) {
			as, err = smart.New(smart.Config{Site: site, State: engine, Commit: engine, Audit: c.Audit, Policy: region(), Guard: c.Guard, Keys: signing, Secrets: digests, Clock: time.Now,
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Failures: 60})
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/my/apps", "/my/sessions", "/browse/", "/browse/patient/Patient", "/sample-sign-in/sample-staff/authorize", "/pages/language", "/fhir/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/fhir"} {
		if as.Owns(path) {
			t.Errorf("SMART-009: a server without people has %s", path)
		}
	}
	w := &world{TB: t, servers: []http.Handler{as}}
	for _, path := range []string{"/oauth/authorize", "/oauth/launch", "/oauth/callback/sample-staff", "/oauth/transaction/x"} {
		if got := read(w.do(w.request("GET", site+path, ""))); got.code != 404 {
			t.Errorf("SMART-009: GET %s: got %d", path, got.code)
		}
	}
	if got := w.post("/oauth/token", url.Values{"grant_type": {"password"}}).text; !strings.Contains(got, "unsupported_grant_type") || !strings.Contains(got, "client_credentials") || strings.Contains(got, "refresh_token") {
		t.Errorf("another grant type on a server without people: got %s, want the one that it has", got)
	}
	got := read(w.do(w.request("GET", site+"/fhir/.well-known/smart-configuration", "")))
	for _, name := range []string{"authorization_endpoint", "issuer", "jwks_uri"} {
		if gjson.Get(got.text, name).Exists() {
			t.Errorf("SMART-031: the configuration of a server without people has %s", name)
		}
	}
	if capabilities := gjson.Get(got.text, "capabilities").Raw; strings.Contains(capabilities, "launch") || strings.Contains(capabilities, "sso") {
		t.Errorf("SMART-031: got the capabilities %s", capabilities)
	}
}
