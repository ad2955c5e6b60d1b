package node

import (
	"net"
	"net/http"
	"net/url"
	"slices"

	"carerecord/fhir"
)

// onlyThisMachine refuses requests for other names than those of this machine if everybody may read everything (SMART-009). Without
// it a web page of a name that an attacker points at 127.0.0.1 would be of the same origin as this server, and could read the record
// from the browser of somebody at this machine. Health requests and metrics are answered under every name.
func (n *Node) onlyThisMachine(next http.Handler) http.Handler {
	if n.cfg.Auth.guarded() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if n.cfg.ownName(q.Host) && !n.foreignWrite(q) {
			next.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		w.WriteHeader(http.StatusMisdirectedRequest)
		_, _ = w.Write(fhir.Outcome([]fhir.Issue{{Code: "forbidden", // the client may have closed the connection
			Text: "With --auth off requests are answered for localhost, for loopback addresses and for the host of --public-url only, and writes of web pages for those of --origin: see the headers Host and Origin."}}))
	})
}

// foreignWrite reports whether a request may change something and comes from a web page of another origin than those of the settings. A
// browser sends some writes without asking first.
func (n *Node) foreignWrite(q *http.Request) bool {
	origin := q.Header.Get("Origin")
	if origin == "" || q.Method == http.MethodGet || q.Method == http.MethodHead || q.Method == http.MethodOptions || slices.Contains(n.cfg.Origins, origin) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !n.cfg.ownName(u.Host)
}

// ownName reports whether the header Host of a request is a name of this machine, or that of the site.
func (c *Config) ownName(host string) bool {
	if site, err := url.Parse(c.PublicURL); err == nil && site.Host == host {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return loopbackName(host)
}

// loopbackName reports whether a host name or address, without a port, is one that only this machine can reach.
func loopbackName(host string) bool {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
