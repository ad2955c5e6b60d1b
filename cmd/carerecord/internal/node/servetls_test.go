package node

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/wait"
)

// empty is the configuration of a store without data and requesters.
func empty(t *testing.T) Config {
	t.Helper()
	cfg := demoConfig(t, t.TempDir())
	cfg.Auth = AuthOff
	return cfg
}

// started starts a server, and returns the addresses that it says, of clients and of operators, in no order. It ends with the test.
func started(t *testing.T, cfg ServeConfig) (addresses []string) {
	t.Helper()
	lines, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	cfg.PublicURL, cfg.Log, cfg.Welcome = "", slog.New(slog.NewTextHandler(w, nil)), io.Discard
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, cfg)
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	found := make(chan string, 2)
	go func() { // ends with the server
		var text []byte
		said := map[string]bool{}
		b := make([]byte, 4096)
		for {
			n, err := lines.Read(b)
			text = append(text, b[:n]...)
			for _, at := range regexp.MustCompile(`(?:msg=metrics at|msg=serving fhir)="?(https?://\S+:\d+)/`).FindAllSubmatch(text, -1) {
				if address := string(at[1]); !said[address] {
					said[address] = true
					found <- address
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for range 2 {
		select {
		case address := <-found:
			addresses = append(addresses, address)
		case err := <-ended:
			ended <- nil
			t.Fatalf("the server ended: %v", err)
		case <-time.After(wait.Patience):
			t.Fatal("the server does not say its addresses")
		}
	}
	return addresses
}

// TestServeTLS: a server with a certificate speaks TLS on both of its addresses, and nothing else (SMART-005).
func TestServeTLS(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), 1)
	for _, address := range started(t, ServeConfig{Config: empty(t), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: files}) {
		secured := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		resp, err := secured.Get(address + "/healthz")
		if err != nil || resp.StatusCode != 200 || resp.TLS == nil || resp.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("SMART-005: %s: got %v, %v", address, resp, err)
		}
		if resp != nil {
			resp.Body.Close()
		}
		if resp, err := http.Get("http" + address[len("https"):] + "/healthz"); err == nil && resp.StatusCode == 200 {
			t.Errorf("SMART-005: %s answers without TLS", address)
		}
		secured.CloseIdleConnections()
	}
}

// TestServeOpen: a server without TLS that listens on all addresses of the machine answers this machine alone, on both addresses, but for
// its health (SMART-005).
func TestServeOpen(t *testing.T) {
	own := ""
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if at, ok := a.(*net.IPNet); ok && at.IP.IsGlobalUnicast() && at.IP.To4() != nil {
			own = at.IP.String()
		}
	}
	if own == "" {
		t.Skip("skipped: this machine has no address but its loopback address")
	}
	for _, c := range []struct{ listen, admin string }{{"0.0.0.0:0", "127.0.0.1:0"}, {"127.0.0.1:0", "0.0.0.0:0"}} {
		for _, address := range started(t, ServeConfig{Config: empty(t), Listen: c.listen, Admin: c.admin}) {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			for host, code := range map[string]int{"127.0.0.1": 0, own: http.StatusForbidden} {
				resp, err := http.Get("http://" + host + ":" + u.Port() + "/fhir/metadata")
				if err != nil {
					continue // it listens on the other address alone
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if refused := resp.StatusCode == http.StatusForbidden && strings.Contains(string(body), "needs TLS"); err != nil || refused != (code == http.StatusForbidden) {
					t.Errorf("SMART-005: %v: %s through %s: got %d %s (%v)", c, address, host, resp.StatusCode, body, err)
				}
			}
		}
	}
	if (&ServeConfig{Listen: "0.0.0.0:1", tls: &tls.Config{}}).open() || (&ServeConfig{Listen: "127.0.0.1:1", Admin: ""}).open() {
		t.Error("SMART-005: with TLS, or on the loopback address alone, no machine has to be refused")
	}
}
