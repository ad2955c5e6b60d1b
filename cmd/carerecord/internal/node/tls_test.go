package node

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carerecord/cmd/carerecord/internal/telemetry"
)

// writeCertificate writes a certificate for 127.0.0.1 with a serial number, and returns the pool that trusts it.
func writeCertificate(t *testing.T, dir string, serial int64) (TLSFiles, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, made, made, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files, pool := TLSFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}, x509.NewCertPool()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(cert)
	for name, content := range map[string][]byte{files.Cert: cert, files.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files, pool
}

// TestTLS: a listener with a certificate speaks TLS 1.2 and newer and nothing else, with HTTP/2 (SMART-005).
func TestTLS(t *testing.T) {
	files, pool := writeCertificate(t, t.TempDir(), 1)
	config, err := serverTLS(files, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { w.Write([]byte(q.Proto)) }), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(tls.NewListener(l, config)) // ends with Close
	defer server.Close()
	get := func(scheme string, c *tls.Config) (string, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(scheme + "://" + l.Addr().String())
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return b.String(), nil
	}
	if got, err := get("https", &tls.Config{RootCAs: pool}); err != nil || got != "HTTP/2.0" {
		t.Errorf("SMART-005: TLS: got %q and %v", got, err)
	}
	if _, err := get("https", &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("SMART-005: TLS 1.2: got %v", err)
	}
	if got, err := get("https", &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Errorf("SMART-005: TLS 1.1 was answered with %q", got)
	}
	if got, err := get("http", nil); err == nil && strings.HasPrefix(got, "HTTP/") {
		t.Errorf("SMART-005: without TLS: got %q", got)
	}
}

// TestRenewedCertificate: a new certificate is used within seconds, without a restart; one that cannot be read is not.
func TestRenewedCertificate(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	files, _ := writeCertificate(t, dir, 1)
	c := &certificate{files: files, clock: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
	if err := c.load(); err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	touched := now
	replaced := func() { // the resolution of the times of files differs
		touched = touched.Add(time.Hour)
		for _, file := range []string{files.Cert, files.Key} {
			if err := os.Chtimes(file, touched, touched); err != nil {
				t.Fatal(err)
			}
		}
	}
	writeCertificate(t, dir, 2)
	replaced()
	if got := serial(); got != 1 {
		t.Errorf("before the next look: got %d", got)
	}
	now = now.Add(certificateLook)
	if got := serial(); got != 2 {
		t.Errorf("after it: got %d", got)
	}
	if err := os.WriteFile(files.Cert, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	replaced()
	now = now.Add(certificateLook)
	if got := serial(); got != 2 {
		t.Errorf("with a file that cannot be read: got %d", got)
	}
	writeCertificate(t, dir, 3)
	replaced()
	now = now.Add(certificateLook)
	if got := serial(); got != 3 {
		t.Errorf("after it was mended: got %d", got)
	}
	for name, wrong := range map[string]TLSFiles{"no key": {files.Cert, filepath.Join(dir, "none")}, "a key as certificate": {files.Key, files.Key}} {
		if _, err := serverTLS(wrong, c.log); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOnlyProxies: a listener without TLS that other machines reach answers its proxies and this machine alone (SMART-005).
func TestOnlyProxies(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	cfg.TrustedProxies, cfg.OnlyProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, true
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	handlers := map[string]http.Handler{"clients": n.Handler(), "operators": n.adminHandler(telemetry.NewMetrics().Handler())}
	for peer, answered := range map[string]bool{"10.0.0.7:5": true, "[::ffff:10.0.0.7]:5": true, "127.0.0.1:5": true, "[::1]:5": true, "10.0.1.7:5": false, "192.0.2.1:5": false, "[2001:db8::1]:5": false, "nobody": false} {
		for name, h := range handlers {
			for path, health := range map[string]bool{"/healthz": true, "/readyz": true, "/fhir/metadata": false, "/fhir/Patient": false, "/oauth/token": false, "/": false, "/admin/clients": false} {
				for _, forwarded := range []string{"", "10.0.0.7"} {
					q := httptest.NewRequest("GET", path, nil)
					q.RemoteAddr = peer
					if forwarded != "" {
						q.Header.Set(forwardedFor, forwarded)
					}
					w := httptest.NewRecorder()
					h.ServeHTTP(w, q)
					if refused := strings.Contains(w.Body.String(), "needs TLS"); refused != (!answered && !health) || refused && w.Code != 403 {
						t.Errorf("SMART-005: %s: %s from %s, forwarded for %q: got %d %s", name, path, peer, forwarded, w.Code, w.Body)
					}
				}
			}
		}
	}
	q := httptest.NewRequest("GET", "/fhir/metadata", nil)
	q.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	if handlers["clients"].ServeHTTP(w, q); w.Code != 200 {
		t.Errorf("SMART-005: with TLS: got %d %s", w.Code, w.Body)
	}
}
