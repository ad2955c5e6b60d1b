package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/cmd/carerecord/telemetry"
	"carerecord/interop/smart"
)

// TestNoPathIsRedirected: a request whose path could be cleaned or repaired reaches a handler
// of ours on every listener. It is answered by an OperationOutcome without a Location, and
// leaves one record, in which no token stands (REST-011, SMART-410, AUD-101). So does every
// request with a token in its URL, to routes that need no token too.
func TestNoPathIsRedirected(t *testing.T) {
	s := demo(t, t.TempDir())
	r, err := openRecord(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	token, err := r.tokens.Issue(t.Context(), smart.Spec{Client: "demo-operator"})
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	asked := 0
	ask := func(h http.Handler, method, target string, header http.Header) (*httptest.ResponseRecorder, int) {
		t.Helper()
		q := httptest.NewRequest(method, target, nil)
		asked++
		q.RemoteAddr, q.Header = fmt.Sprintf("192.0.%d.%d:9", asked/250, asked%250), header
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		records, pos := recordsOf(t, r.engine, last)
		last = pos
		if text, _ := json.Marshal(records); strings.Contains(string(text), token) || strings.Contains(fmt.Sprint(w.Header(), w.Body), token) {
			t.Errorf("SMART-410: %s %s: the token stands in the answer or the record: %v %s %s", method, target, w.Header(), w.Body, text)
		}
		return w, len(records)
	}
	unclean := []string{"/fhir//Patient", "/fhir//", "/fhir///", "/fhir/./Patient", "/fhir/Basic/..", "/fhir/Basic/.", "/fhir/../healthz", "/fhir/..", "/fhir/Patient//x", "//", "//fhir/Patient",
		"/./fhir", "/fhir/%2e%2e/readyz", "/Fhir/Patient", "/healthz/", "//healthz", "/readyz/.", "/admin", "/admin//reindex", "/admin/reindex/", "/admin/./reindex", "//metrics", "/metrics/", "http://record.test"}
	open := []string{"/fhir/metadata", "/fhir/metadata/", "/healthz", "/readyz", "/fhir/.well-known/smart-configuration", "/.well-known/smart-configuration", "/metrics", "/admin/reindex", "/fhir", "/"}
	for name, h := range map[string]http.Handler{"listen": r.held.whileHeld(r.site()), "admin": r.adminSite(telemetry.NewMetrics().Handler())} {
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
	for _, path := range []string{"//", "//audit", "/audit/", "/backup/..", "/./token"} {
		for _, method := range []string{"GET", "POST"} {
			if w, records := ask(r.operator(s), method, path, http.Header{}); w.Code != 404 || records != 1 {
				t.Errorf("AUD-101: socket: %s %s: got %d and %d records, want 404 with one", method, path, w.Code, records)
			}
		}
	}
}
