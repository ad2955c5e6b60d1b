package node

import (
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"carerecord/fhir"
)

// Loopback reports whether only this machine can reach an address, HOST:PORT.
func Loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackName(host)
}

// onlyProxies refuses what comes to a listener without TLS from another machine than a trusted proxy: its token has crossed the network
// where others can read it (SMART-005). Health requests have none.
func (n *Node) onlyProxies(next http.Handler) http.Handler {
	if !n.cfg.OnlyProxies {
		return next
	}
	var logged atomic.Int64 // when the last was logged, in seconds
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		at, err := netip.ParseAddrPort(q.RemoteAddr)
		if isHealth(q) || q.TLS != nil || err == nil && (at.Addr().Unmap().IsLoopback() || within(n.cfg.TrustedProxies, at.Addr())) {
			next.ServeHTTP(w, q)
			return
		}
		if now := time.Now().Unix(); now-logged.Load() >= 60 { // anybody can send many
			logged.Store(now)
			n.log.Warn("requests without TLS, from peers that are no trusted proxies, are refused; one of a minute is logged", "peer", q.RemoteAddr)
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(fhir.Outcome([]fhir.Issue{{Code: "forbidden", Text: "This address needs TLS: use " + n.cfg.PublicURL + "."}})) // the client may have closed the connection
	})
}
