package node

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// forwardedFor is the header by which a proxy names the client. Nothing else of a proxy counts: addresses, names and identities in
// other headers have no effect (SMART-002).
const forwardedFor = "X-Forwarded-For"

// ParseProxies reads addresses and networks of proxies, such as 10.0.0.7 and 10.1.0.0/16. A network of all addresses is refused.
func ParseProxies(list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if ip, wrong := netip.ParseAddr(text); wrong == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || p.Bits() == 0 || p.Addr().Zone() != "" {
			return nil, fmt.Errorf("%q is no address and no network of proxies", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// throughProxies gives the requests that come through trusted proxies the address of their client: the last one in X-Forwarded-For that
// is not a trusted proxy itself. What a client wrote before that is not believed. Requests of other peers are left as they are. Limits
// and the audit trail see the address of the client.
func throughProxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	if len(trusted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if client, ok := clientOf(trusted, q.RemoteAddr, q.Header.Values(forwardedFor)); ok {
			changed := *q // the caller keeps q
			changed.RemoteAddr = netip.AddrPortFrom(client, 0).String()
			q = &changed
		}
		next.ServeHTTP(w, q)
	})
}

// clientOf returns the address of the client of a request; false if the peer is the client, or if the proxy does not say.
func clientOf(trusted []netip.Prefix, peer string, forwarded []string) (client netip.Addr, ok bool) {
	at, err := netip.ParseAddrPort(peer)
	if err != nil || !within(trusted, at.Addr()) {
		return netip.Addr{}, false
	}
	list := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		ip, err := parseHop(strings.TrimSpace(list[i]))
		if err != nil {
			return client, ok // an address that nobody can read, and all before it
		}
		if client, ok = ip, true; !within(trusted, ip) {
			break
		}
	}
	return client, ok
}

// parseHop reads an address, with or without a port.
func parseHop(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), nil
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return ip.Unmap().WithZone(""), err
}

func within(list []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}
