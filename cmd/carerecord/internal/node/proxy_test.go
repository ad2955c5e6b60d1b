package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/cmd/carerecord/internal/telemetry"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/printed"
)

// TestParseProxies: addresses and networks, and no network of everybody.
func TestParseProxies(t *testing.T) {
	for text, ok := range map[string]bool{"10.0.0.7": true, "10.1.0.0/16": true, "10.1.2.3/16": true, "2001:db8::/32": true, "::1": true,
		"0.0.0.0/0": false, "::/0": false, "proxy": false, "": false, "10.0.0.7:80": false, "fe80::1%eth0": false} {
		if _, err := ParseProxies([]string{text}); (err == nil) != ok {
			t.Errorf("%q: got %v, want it accepted: %t", text, err, ok)
		}
	}
}

// TestClientOf: the client of a request is the last address that no trusted proxy has (SMART-T18).
func TestClientOf(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "2001:db8::/64"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string // empty: the peer
	}{
		"an untrusted peer":                {"192.0.2.1:9", []string{"198.51.100.1"}, ""},
		"no header":                        {"10.0.0.1:9", nil, ""},
		"one proxy":                        {"10.0.0.1:9", []string{"198.51.100.1"}, "198.51.100.1"},
		"two proxies":                      {"10.0.0.1:9", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"two headers":                      {"10.0.0.1:9", []string{"198.51.100.1", "10.0.0.2"}, "198.51.100.1"},
		"forged by the client":             {"10.0.0.1:9", []string{"10.0.0.9, 203.0.113.5, 198.51.100.1"}, "198.51.100.1"},
		"a client within the network":      {"10.0.0.1:9", []string{"10.0.0.44"}, "10.0.0.44"},
		"nonsense from the proxy":          {"10.0.0.1:9", []string{"198.51.100.1, unknown"}, ""},
		"nonsense from the client":         {"10.0.0.1:9", []string{"x, 10.0.0.2"}, "10.0.0.2"},
		"IPv6 and ports":                   {"[2001:db8::1]:9", []string{"[2001:db8:1::5]:443"}, "2001:db8:1::5"},
		"IPv4 in IPv6":                     {"[::ffff:10.0.0.1]:9", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a peer that is no address":        {"@", []string{"198.51.100.1"}, ""},
		"an address with a port and blank": {"10.0.0.1:9", []string{" 198.51.100.1:5000 "}, "198.51.100.1"},
	} {
		got, ok := clientOf(trusted, c.peer, c.forwarded)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("SMART-T18: %s: got %s, %t, want %q", name, got, ok, c.want)
		}
	}
}

// forge sets every header by which a proxy could change an address, a name or an identity.
func forge(h http.Header) {
	for name, value := range map[string]string{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9;host=evil.example;proto=https", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
		"X-Forwarded-Port": "444", "X-Forwarded-Prefix": "/evil", "X-Real-Ip": "203.0.113.9", "True-Client-Ip": "203.0.113.9", "X-Original-Url": "/admin/clients", "X-Rewrite-Url": "/admin/clients",
		"X-Forwarded-User": "gp", "Remote-User": "gp", "X-Remote-User": "gp", "X-Client-Cert": "x", "X-Ssl-Client-Verify": "SUCCESS", "X-Forwarded-Client-Cert": "Subject=gp", "X-Http-Method-Override": "DELETE"} {
		h.Set(name, value)
	}
}

// TestForgedHeaders: what a peer that is not trusted says of hosts, addresses and identities changes no document, no link, no address in the
// audit trail and no identity. Of a trusted proxy the address of the client alone counts (SMART-002, T18).
func TestForgedHeaders(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	var err error
	if cfg.TrustedProxies, err = ParseProxies([]string{"10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	token, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "consultant", Client: "demo-ehr"})
	if err != nil {
		t.Fatal(err)
	}
	_, last := audittest.RecordsAfter(t, n.engine, 0)
	send := func(peer, path, token string, forged bool) (*httptest.ResponseRecorder, string) {
		t.Helper()
		q := httptest.NewRequest("GET", path, nil)
		if q.RemoteAddr = peer; forged {
			forge(q.Header)
			q.Host = "evil.example"
		}
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		n.Handler().ServeHTTP(w, q)
		records, pos := audittest.RecordsAfter(t, n.engine, last)
		last = pos
		if len(records) == 0 {
			return w, ""
		}
		return w, records[len(records)-1].Client.Address
	}
	for _, path := range []string{"/fhir/.well-known/smart-configuration", "/fhir/.well-known/openid-configuration", "/fhir/metadata", "/fhir/Observation?_count=1"} {
		honest, _ := send("192.0.2.1:9", path, token, false)
		forged, address := send("192.0.2.1:9", path, token, true)
		without := func(body string) string { // what changes with every answer
			for _, name := range []string{"id", "meta.lastUpdated", "date", "timestamp"} {
				if v := gjson.Get(body, name).Raw; v != "" {
					body = strings.ReplaceAll(body, v, "")
				}
			}
			return body
		}
		if honest.Code != forged.Code || without(honest.Body.String()) != without(forged.Body.String()) || address != "" && address != "192.0.2.1" {
			t.Errorf("SMART-002, T18: %s: got %d %s for %q, want %d %s", path, forged.Code, forged.Body, address, honest.Code, honest.Body)
		}
	}
	if w, address := send("192.0.2.1:9", "/fhir/Observation", "", true); w.Code != 401 || address != "192.0.2.1" {
		t.Errorf("T18: an identity in headers: got %d for %q", w.Code, address)
	}
	if w, address := send("10.0.0.1:9", "/fhir/Observation", "", true); w.Code != 401 || address != "203.0.113.9" {
		t.Errorf("T18: an identity in headers of a proxy: got %d for %q, want the address of the client alone", w.Code, address)
	}
	if w, address := send("10.0.0.1:9", "/fhir/Observation?_count=1", token, true); w.Code != 200 || address != "203.0.113.9" {
		t.Errorf("T18: through the proxy: got %d for %q", w.Code, address)
	}
}

// TestOperatorsThroughProxy: the audit trail has the address of an operator behind a named proxy, not that of the proxy (SMART-005, T18).
func TestOperatorsThroughProxy(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	var err error
	if cfg.TrustedProxies, err = ParseProxies([]string{"10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	token, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "administrator", Client: "demo-admin"})
	if err != nil {
		t.Fatal(err)
	}
	_, last := audittest.RecordsAfter(t, n.engine, 0)
	q := httptest.NewRequest("GET", "/admin/clients", nil)
	q.RemoteAddr = "10.0.0.7:9"
	q.Header.Set(forwardedFor, "203.0.113.9")
	q.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	n.adminHandler(telemetry.NewMetrics().Handler()).ServeHTTP(w, q)
	records, _ := audittest.RecordsAfter(t, n.engine, last)
	if w.Code != 200 || len(records) == 0 || records[len(records)-1].Client.Address != "203.0.113.9" {
		t.Errorf("SMART-T18: got %d and the records %+v", w.Code, records)
	}
}

// TestTransportSecurity: every answer of a site with https says that nothing else is to be used; one of a site without it does not
// (SMART-005).
func TestTransportSecurity(t *testing.T) {
	for url, want := range map[string]string{"http://127.0.0.1:8080": "", "https://record.example": "max-age=31536000"} {
		cfg := demoConfig(t, t.TempDir())
		cfg.PublicURL = url
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/fhir/metadata", "/fhir/Patient", "/oauth/token", "/oauth/authorize", "/", "/healthz", "/none"} {
			w := httptest.NewRecorder()
			n.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if got := w.Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("SMART-005: %s of %s: got %q, want %q", path, url, got, want)
			}
			w = httptest.NewRecorder()
			n.adminHandler(telemetry.NewMetrics().Handler()).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if got := w.Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("SMART-005: %s of %s on the address of operators: got %q, want %q", path, url, got, want)
			}
		}
		n.Close()
	}
}
