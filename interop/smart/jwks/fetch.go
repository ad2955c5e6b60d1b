package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"carerecord/interop/smart/clients"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a fetch (SMART-335).
const (
	fetchTime = 5 * time.Second
	fetchSize = 256 << 10
)

// NewClient returns an http.Client that follows no redirect and connects to no address of this machine
// or of a private network; loopback permits both, for a server that is itself on loopback.
func NewClient(loopback bool) *http.Client {
	dialer := &net.Dialer{Timeout: fetchTime, Control: func(_, address string, _ syscall.RawConn) error {
		return checkAddress(address, loopback)
	}}
	return &http.Client{
		Timeout: fetchTime,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, DisableKeepAlives: true,
			TLSHandshakeTimeout: fetchTime, ResponseHeaderTimeout: fetchTime, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errAddress refuses to connect.
var errAddress = errors.New("the address is not public")

// checkAddress checks the address that is dialled, so a name whose address changes after a check is no
// way in.
func checkAddress(address string, loopback bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddress
	}
	ip := at.Addr().Unmap()
	switch {
	case loopback && ip.IsLoopback():
		return nil
	case !ip.IsGlobalUnicast(), ip.IsPrivate(), ip.IsLoopback(), ip.IsLinkLocalUnicast():
		return errAddress
	}
	for _, reserved := range reservedNetworks() {
		if reserved.Contains(ip) {
			return errAddress
		}
	}
	return nil
}

// reservedNetworks are the networks of the registries for special addresses (RFC 6890) that package netip
// takes for public ones: shared, protocol, documentation and benchmark addresses, and those that carry an IPv4 address.
func reservedNetworks() []netip.Prefix {
	texts := [...]string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"}
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// fetch gets a key set and how long it may be kept.
func fetch(ctx context.Context, client *http.Client, address string, loopback bool) (*jose.JSONWebKeySet, time.Duration, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return nil, 0, errors.New("the URL of the keys is not https")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("fetch keys: the answer is %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, fetchSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("fetch keys: %w", err)
	}
	if len(body) > fetchSize {
		return nil, 0, fmt.Errorf("fetch keys: the answer is longer than %d bytes", fetchSize)
	}
	set, err := clients.ParseKeys(body)
	if err != nil {
		return nil, 0, fmt.Errorf("the key set %w", err)
	}
	return set, keepFor(answer.Header), nil
}
