package main

import (
	"net"
	"net/url"

	"carerecord/cmd/carerecord/internal/node"
)

// checkAddresses checks the addresses that a server listens on, and that of its site: what other machines reach has TLS, of the server or of
// a proxy that is named (SMART-005, 022), and what everybody may read is reached from this machine alone (SMART-009).
func (c *serveCmd) checkAddresses(cfg *node.ServeConfig, refuse func(wrong bool, format string, args ...any)) {
	open, plain := c.Auth == "off", c.TLSCert == "" && c.TLSKey == ""
	refuse(open && c.Demo, "--demo has people and tokens: it needs --auth smart")
	refuse((c.TLSCert == "") != (c.TLSKey == ""), "--tls-cert and --tls-key are given together")
	_, _, err := net.SplitHostPort(c.Listen)
	refuse(err != nil, "--listen must be HOST:PORT, not %q", c.Listen)
	if err == nil && !node.Loopback(c.Listen) {
		refuse(open, "--auth off lets everybody read everything: it needs a loopback address, not %s", c.Listen)
		refuse(plain && !open && len(c.TrustedProxy) == 0,
			"--listen %s can be reached from other machines: give a certificate with --tls-cert and --tls-key, or name the proxy that ends TLS with --trusted-proxy", c.Listen)
		refuse(c.PublicURL == "", "--listen %s can be reached from other machines: give the address of the site with --public-url", c.Listen)
	}
	_, _, err = net.SplitHostPort(c.Admin)
	refuse(c.Admin != "" && err != nil, "--admin must be HOST:PORT, not %q", c.Admin)
	refuse(c.Admin != "" && err == nil && open && !node.Loopback(c.Admin), "--auth off lets everybody do what operators do: --admin must be a loopback address too, not %s", c.Admin)
	refuse(c.Admin != "" && err == nil && plain && !open && !node.Loopback(c.Admin) && len(c.TrustedProxy) == 0,
		"--admin %s can be reached from other machines: give a certificate with --tls-cert and --tls-key, or name the proxy that ends TLS with --trusted-proxy", c.Admin)
	refuse(c.Admin != "" && c.Admin == c.Listen, "--admin needs another address than --listen")
	if c.PublicURL == "" {
		return
	}
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path+u.RawQuery+u.Fragment != "" {
		refuse(true, "--public-url must be the address of the site without /fhir, such as https://record.example, not %q", c.PublicURL)
		return
	}
	refuse(open && !cfg.OnLoopback(), "--auth off lets everybody read everything: --public-url must be a loopback address too, not %s", c.PublicURL)
	refuse(!plain && u.Scheme == "http", "--public-url must begin with https:// where there is a certificate, not %s", c.PublicURL)
	refuse(plain && !open && u.Scheme == "http" && !cfg.OnLoopback(), "--public-url must begin with https:// for a site that others reach, not %s", c.PublicURL)
}
