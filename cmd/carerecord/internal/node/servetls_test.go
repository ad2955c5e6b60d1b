package node

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"testing"
	"time"

	"carerecord/conformance/wait"
)

// TestServeTLS: a server with a certificate speaks TLS on both of its addresses, and nothing else (SMART-005).
func TestServeTLS(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), 1)
	lines, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	cfg := demoConfig(t, t.TempDir())
	cfg.PublicURL, cfg.Log = "", slog.New(slog.NewTextHandler(w, nil))
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(ctx, ServeConfig{Config: cfg, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLS: files, Welcome: io.Discard})
		w.Close()
	}()
	found := make(chan string, 2)
	go func() { // ends with the server
		var text []byte
		said := map[string]bool{}
		b := make([]byte, 4096)
		for {
			n, err := lines.Read(b)
			text = append(text, b[:n]...)
			for _, at := range regexp.MustCompile(`(?:msg=metrics at|msg=serving fhir)="?(http[s]?://127\.0\.0\.1:\d+)/`).FindAllSubmatch(text, -1) {
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
		case err := <-ended:
			t.Fatalf("the server ended: %v", err)
		case <-time.After(wait.Patience):
			t.Fatal("the server does not say its addresses")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
