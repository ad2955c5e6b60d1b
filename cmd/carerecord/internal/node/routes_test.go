package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/cmd/carerecord/internal/telemetry"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/printed"
)

// TestNoPathIsRedirected: on every listener a request whose path is not clean is answered by an
// OperationOutcome without a Location, and leaves one record without a token (REST-011,
// SMART-410, AUD-101). So does every request with a token in its URL, also to routes that need no
// token.
func TestNoPathIsRedirected(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	token, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{Client: "demo-operator"})
	if err != nil {
		t.Fatal(err)
	}
	_, last := audittest.RecordsAfter(t, n.engine, 0)
	requests := 0
	ask := func(h http.Handler, method, target string, header http.Header) (*httptest.ResponseRecorder, int) {
		t.Helper()
		q := httptest.NewRequest(method, target, nil)
		requests++
		q.RemoteAddr, q.Header = fmt.Sprintf("192.0.%d.%d:9", requests/250, requests%250), header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		records, pos := audittest.RecordsAfter(t, n.engine, last)
		last = pos
		if text, _ := json.Marshal(records); strings.Contains(string(text), token) || strings.Contains(fmt.Sprint(w.Header(), w.Body), token) {
			t.Errorf("SMART-410: %s %s: the answer or the record has the token: %v %s %s", method, target, w.Header(), w.Body, text)
		}
		return w, len(records)
	}
	unclean := []string{"/fhir//Patient", "/fhir//", "/fhir///", "/fhir/./Patient", "/fhir/Basic/..", "/fhir/Basic/.", "/fhir/../healthz", "/fhir/..", "/fhir/Patient//x", "//", "//fhir/Patient",
		"/./fhir", "/fhir/%2e%2e/readyz", "/Fhir/Patient", "/healthz/", "//healthz", "/readyz/.", "/admin", "/admin//reindex", "/admin/reindex/", "/admin/./reindex", "//metrics", "/metrics/", "http://record.test"}
	open := []string{"/fhir/metadata", "/fhir/metadata/", "/healthz", "/readyz", "/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration", "/metrics", "/admin/reindex", "/fhir", "/"}
	for name, h := range map[string]http.Handler{"listen": n.lease.require(n.Handler()), "admin": n.adminHandler(telemetry.NewMetrics().Handler())} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"} {
			for _, path := range append(unclean, open...) {
				w, records := ask(h, method, path+"?access_token="+token, http.Header{})
				if w.Code != 400 || records != 1 || w.Header().Get("Location") != "" || method != "HEAD" && !strings.Contains(w.Body.String(), "OperationOutcome") {
					t.Errorf("SMART-410: %s: %s %s with a token in the URL: got %d %v %.200s and %d records, want 400 with one", name, method, path, w.Code, w.Header(), w.Body, records)
				}
			}
			for _, path := range unclean {
				w, records := ask(h, method, path, http.Header{"Authorization": {"Bearer " + token}})
				if w.Code < 400 || w.Code >= 500 || records != 1 || w.Header().Get("Location") != "" || method != "HEAD" && !strings.Contains(w.Body.String(), "OperationOutcome") {
					t.Errorf("REST-011: %s: %s %s: got %d %v %.200s and %d records, want 4xx with one", name, method, path, w.Code, w.Header(), w.Body, records)
				}
			}
		}
	}
	for path, status := range map[string]int{"/metrics": 404, "//x": 404, "/healthz/": 404, "/Fhir/Patient": 404, "//fhir/Patient": 404, "/fhir//": 401, "/fhir/none/of/these/at/all": 401} {
		if w, records := ask(n.Handler(), "GET", path, http.Header{}); w.Code != status || records != 1 || !strings.Contains(w.Body.String(), "OperationOutcome") {
			t.Errorf("REST-014: GET %s without a token: got %d %s and %d records, want %d with one", path, w.Code, w.Body, records, status)
		}
	}
	for _, path := range []string{"//", "//audit", "/audit/", "/backup/..", "/./token"} {
		for _, method := range []string{"GET", "POST"} {
			if w, records := ask(n.operationsHandler(), method, path, http.Header{}); w.Code != 404 || records != 1 {
				t.Errorf("AUD-101: socket: %s %s: got %d and %d records, want 404 with one", method, path, w.Code, records)
			}
		}
	}
}

// TestLeaksWithAuthOff: a token in the URL is refused under --auth off too (SMART-410).
func TestLeaksWithAuthOff(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	cfg.Auth = AuthOff
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for name, h := range map[string]http.Handler{"listen": n.Handler(), "admin": n.adminHandler(telemetry.NewMetrics().Handler())} {
		for _, path := range []string{"/fhir/metadata", "/fhir//Patient", "/healthz", "/readyz", "/metrics", "/admin", "/admin/reindex"} {
			w := httptest.NewRecorder()
			q := httptest.NewRequest("GET", path+"?access_token=s3cret", nil)
			q.Host = "127.0.0.1"
			h.ServeHTTP(w, q)
			if w.Code != 400 || strings.Contains(fmt.Sprint(w.Header(), w.Body), "s3cret") {
				t.Errorf("SMART-410: %s: %s with a token in the URL: got %d %v %s, want 400", name, path, w.Code, w.Header(), w.Body)
			}
		}
	}
}
