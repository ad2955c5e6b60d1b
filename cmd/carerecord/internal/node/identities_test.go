package node

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/consent/audit/audittest"
	"carerecord/consent/worklist"
	"carerecord/interop/smart/printed"
)

// TestIdentities: the work lists of identities over the socket, below /admin and of a store at rest; their audit records
// name the list (IDN-107, AUD-101).
func TestIdentities(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(id string) string {
		return `{"resource":{"resourceType":"Patient","id":"` + id + `","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}]},"request":{"method":"PUT","url":"Patient/` + id + `"}}`
	}
	body := `{"resourceType":"Bundle","type":"transaction","entry":[` + entry("xac01.a") + "," + entry("xac01.b") + `]}`
	const want = `{"reason":"these Patients of one source are one person","patients":[{"reference":"Patient/xac01.a","source":"XAC01"},{"reference":"Patient/xac01.b","source":"XAC01"}]}` + "\n"
	send := func(h http.Handler, method, path, body, token string) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, path, strings.NewReader(body))
		q.Header.Set(operatorHeader, "op")
		if token != "" {
			q.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		return w
	}
	if w := send(n.operationsHandler(), "POST", "/load?source=XAC01&validation=strict", body, ""); w.Code != 200 {
		t.Fatalf("load: %d %s", w.Code, w.Body)
	}
	token, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{Client: "demo-operator"})
	if err != nil {
		t.Fatal(err)
	}
	_, last := audittest.RecordsAfter(t, n.engine, 0)
	for _, c := range []struct {
		handler     http.Handler
		path, token string
		record      string
	}{
		{n.operationsHandler(), "/identities?list=duplicates", "", "duplicates"},
		{n.operatorHandler(), "/admin/identities?list=duplicates", token, "GET /admin/identities?list=duplicates"},
	} {
		w := send(c.handler, "GET", c.path, "", c.token)
		records, pos := audittest.RecordsAfter(t, n.engine, last)
		last = pos
		if w.Code != 200 || w.Body.String() != want || len(records) != 1 || records[0].Type != c.record {
			t.Errorf("%s: got %d %s with the records %+v, want %s", c.path, w.Code, w.Body, records, want)
		}
		if w := send(c.handler, "HEAD", c.path, "", c.token); w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: got %d %s", c.path, w.Code, w.Body)
		}
		if w := send(c.handler, "GET", strings.Replace(c.path, "duplicates", "likely", 1), "", c.token); w.Code != 400 {
			t.Errorf("%s of an unknown list: got %d %s, want 400", c.path, w.Code, w.Body)
		}
		_, last = audittest.RecordsAfter(t, n.engine, last)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Identities(t.Context(), cfg, worklist.Duplicates, &out); err != nil || out.String() != want {
		t.Errorf("at rest: got %v %s, want %s", err, out.String(), want)
	}
}
