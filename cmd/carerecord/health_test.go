package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHealth: a server on this machine is asked with TLS, whoever its certificate names, and without.
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
	for _, s := range []*httptest.Server{plain, secured} {
		for _, to := range []string{s.URL, s.Listener.Addr().String()} {
			for _, status = range []int{200, 503} {
				if err := (&healthCmd{To: to}).Run(t.Context()); err != nil {
					t.Errorf("%s: got %v", to, err)
				}
				if err := (&healthCmd{To: to, Ready: true}).Run(t.Context()); (err == nil) != (status == 200) {
					t.Errorf("%s, /readyz answers %d: got %v", to, status, err)
				}
			}
		}
	}
	secured.Close()
	if err := (&healthCmd{To: secured.Listener.Addr().String()}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "https://") || !strings.Contains(err.Error(), "http://") {
		t.Errorf("nobody listens: got %v", err)
	}
}
