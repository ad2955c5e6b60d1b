package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHealth: a server is asked with TLS, under whatever address, if its certificate is named, and else without.
func TestHealth(t *testing.T) {
	status := http.StatusOK
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/readyz" {
			w.WriteHeader(status)
		}
	})
	plain, secured := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secured.Close()
	cert, other := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "other.pem")
	for file, content := range map[string][]byte{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw}), other: []byte("none")} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []healthCmd{{To: plain.URL}, {To: plain.Listener.Addr().String()}, {To: secured.URL, TLSCert: cert}, {To: secured.Listener.Addr().String(), TLSCert: cert}} {
		for _, status = range []int{200, 503} {
			c.Ready = false
			if err := c.Run(t.Context()); err != nil {
				t.Errorf("%+v: got %v", c, err)
			}
			c.Ready = true
			if err := c.Run(t.Context()); (err == nil) != (status == 200) {
				t.Errorf("%+v, /readyz answers %d: got %v", c, status, err)
			}
		}
	}
	for _, c := range []healthCmd{{To: secured.URL}, {To: secured.URL, TLSCert: other}, {To: plain.Listener.Addr().String(), TLSCert: cert}, {To: "127.0.0.1:1"}} {
		if err := c.Run(t.Context()); err == nil {
			t.Errorf("%+v: got no error", c)
		}
	}
	c := healthCmd{To: secured.Listener.Addr().String()}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "name its certificate with --tls-cert") {
		t.Errorf("a server with TLS without --tls-cert: got %v", err)
	}
}
