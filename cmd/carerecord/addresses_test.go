package main

import (
	"strings"
	"testing"
	"time"
)

// TestServedAddresses: what other machines reach has TLS, of the server or of a proxy (SMART-005, 022); what everybody may read is reached
// from this machine alone (SMART-009).
func TestServedAddresses(t *testing.T) {
	const site = "https://record.example"
	cert := func(c *serveCmd) { c.TLSCert, c.TLSKey = "cert.pem", "key.pem" }
	proxied := func(c *serveCmd) { c.TrustedProxy = []string{"10.0.0.7"} }
	for name, c := range map[string]struct {
		listen, url string
		changes     []func(*serveCmd)
		fault       string // a part of the error; empty for none
	}{
		"loopback":                       {"127.0.0.1:80", "", nil, ""},
		"loopback for a proxy here":      {"127.0.0.1:80", site, nil, ""},
		"with a certificate":             {"0.0.0.0:443", site, []func(*serveCmd){cert}, ""},
		"behind a proxy":                 {"10.0.0.1:80", site, []func(*serveCmd){proxied}, ""},
		"neither":                        {"10.0.0.1:80", site, nil, "--tls-cert"},
		"every address":                  {":80", site, nil, "--tls-cert"},
		"a name":                         {"record:80", site, nil, "--tls-cert"},
		"a certificate without a key":    {"127.0.0.1:80", site, []func(*serveCmd){func(c *serveCmd) { c.TLSCert = "cert.pem" }}, "together"},
		"a key without a certificate":    {"0.0.0.0:443", site, []func(*serveCmd){func(c *serveCmd) { c.TLSKey = "key.pem" }}, "together"},
		"no name of the site":            {"0.0.0.0:443", "", []func(*serveCmd){cert}, "--public-url"},
		"a site without https":           {"10.0.0.1:80", "http://record.example", []func(*serveCmd){proxied}, "https://"},
		"a site without https here":      {"127.0.0.1:80", "http://record.example", nil, "https://"},
		"a site without https, with TLS": {"127.0.0.1:80", "http://127.0.0.1:80", []func(*serveCmd){cert}, "https://"},
		"a site with a path":             {"127.0.0.1:80", site + "/fhir", nil, "without /fhir"},
		"open on loopback":               {"[::1]:80", "http://localhost:80", []func(*serveCmd){func(c *serveCmd) { c.Auth, c.Admin = "off", "127.0.0.1:81" }}, ""},
		"open for others":                {"0.0.0.0:80", "", []func(*serveCmd){func(c *serveCmd) { c.Auth = "off" }}, "--auth off"},
		"open with a certificate":        {"0.0.0.0:443", "https://localhost", []func(*serveCmd){cert, func(c *serveCmd) { c.Auth = "off" }}, "--auth off"},
		"open under a name of others":    {"127.0.0.1:80", site, []func(*serveCmd){func(c *serveCmd) { c.Auth = "off" }}, "--auth off"},
		"open operations for others":     {"127.0.0.1:80", "", []func(*serveCmd){func(c *serveCmd) { c.Auth, c.Admin = "off", "0.0.0.0:81" }}, "--admin"},
		"operations for others":          {"127.0.0.1:80", "", []func(*serveCmd){func(c *serveCmd) { c.Admin = "0.0.0.0:81" }}, "--admin"},
		"operations for others with TLS": {"127.0.0.1:80", "", []func(*serveCmd){cert, func(c *serveCmd) { c.Admin = "0.0.0.0:81" }}, ""},
		"operations behind a proxy":      {"127.0.0.1:80", "", []func(*serveCmd){proxied, func(c *serveCmd) { c.Admin = "0.0.0.0:81" }}, ""},
	} {
		cmd := serveCmd{Listen: c.listen, PublicURL: c.url, Store: "pebble:x", Auth: "smart", Lease: time.Second}
		for _, change := range c.changes {
			change(&cmd)
		}
		_, err := cmd.config()
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: got %v, want %q", name, err, c.fault)
		}
	}
}
