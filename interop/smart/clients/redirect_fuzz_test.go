package clients_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// FuzzRedirects: a redirect URI that is registered is absolute, without a fragment and without user information (SMART-056, T03).
// A URI matches only as the same text, or with another port of the same loopback address (SMART-084, T01, T02).
func FuzzRedirects(f *testing.F) {
	registered := []string{"https://app.example/back", "https://app.example:8443/back?x=1", "http://127.0.0.1/back", "http://127.0.0.1:80/back", "http://[::1]:9/back", "uk.nhs.app:/back", "http://localhost/back", "https://:443/",
		"javascript:alert(1)", "https://me@app.example/", "https://app.example/#f"}
	for _, r := range registered {
		for _, uri := range []string{r, strings.Replace(r, "127.0.0.1", "127.0.0.1:5000", 1), r + "/", r + "#x", strings.Replace(r, "//", "//me@", 1), "http://127.0.0.1:80@evil.example/back"} {
			f.Add(r, uri, false)
			f.Add(r, uri, true)
		}
	}
	f.Fuzz(func(t *testing.T, registered, uri string, loopback bool) {
		c := app()
		c.RedirectURIs = []string{registered}
		if (clients.Rules{Loopback: loopback}).Check(&c) != nil {
			return
		}
		u, err := url.Parse(registered)
		if err != nil || !u.IsAbs() || strings.Contains(registered, "#") || u.User != nil {
			t.Fatalf("SMART-056, T03: %q was registered", registered)
		}
		web := u.Scheme == "https" || u.Scheme == "http"
		if local := slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()); web && u.Hostname() == "" || u.Scheme == "http" && !local || !web && !strings.Contains(u.Scheme, ".") {
			t.Errorf("SMART-056, T03: %q was registered", registered)
		}
		if !c.Redirects(registered) {
			t.Errorf("SMART-084: %q does not match itself", registered)
		}
		if registered == uri || !c.Redirects(uri) {
			return
		}
		other, err := url.Parse(uri)
		if err != nil || u.Scheme != "http" || other.Scheme != "http" || !slices.Contains([]string{"127.0.0.1", "::1"}, u.Hostname()) || other.User != nil || strings.Contains(uri, "#") {
			t.Fatalf("SMART-084, T01: %q matches %q", uri, registered)
		}
		if u.Hostname() != other.Hostname() || u.EscapedPath() != other.EscapedPath() || u.RawQuery != other.RawQuery {
			t.Errorf("SMART-084, T02: %q matches %q", uri, registered)
		}
	})
}
