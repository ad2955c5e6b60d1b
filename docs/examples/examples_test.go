package examples_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"carerecord/docs/examples"
	"carerecord/interop/smart/clients"
)

const record = "http://127.0.0.1:4711"

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "http://localhost:4711"+path, nil))
	return w
}

// TestSite: every file that a page names is served with the headers of the site, and the app knows the address of its record. Nothing
// else is served: neither a page of the record nor a file that is not of the app.
func TestSite(t *testing.T) {
	site := examples.Site(record, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("the EHR")) }))
	for path, typ := range map[string]string{examples.StartPath: "text/html", examples.LaunchPath: "text/html", examples.BackPath: "text/html", examples.EHRPath: "", "/style.css": "text/css",
		"/app/app.js": "text/javascript", "/app/chart.js": "text/javascript", "/app/launch.js": "text/javascript", "/app/start.js": "text/javascript", "/app/settings.js": "text/javascript", "/app/fhir-client.pure.min.js": "text/javascript"} {
		w := get(site, "GET", path)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), typ) {
			t.Errorf("%s: got %d %v, want %s", path, w.Code, w.Header(), typ)
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "+record+";") || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: got the headers %v", path, w.Header())
		}
		if strings.HasSuffix(path, ".html") && (strings.Contains(w.Body.String(), "<script>") || strings.Contains(w.Body.String(), "style=")) {
			t.Errorf("%s has a script or a style of its own, which the policy blocks", path)
		}
	}
	if got := get(site, "GET", "/app/settings.js").Body.String(); !strings.Contains(got, "fhir: '"+record+"/fhir'") || strings.Contains(got, "8080") {
		t.Errorf("got the settings %s, want the address of the record", got)
	}
	for _, path := range []string{"/", "/app/", "/app", "/app/package.json", "/ehr", "/ehr/page.html", "/ehr/ehr.go", "/fhir/metadata", "/oauth/authorize", "/my/apps", "/app/../style.css", "/app/fhir-client.pure.min.js.LICENSE.txt"} {
		if w := get(site, "GET", path); w.Code != 404 {
			t.Errorf("%s: got %d, want 404", path, w.Code)
		}
	}
	if w := get(site, "POST", "/app/app.js"); w.Code != 404 {
		t.Errorf("a post to a file: got %d, want 404", w.Code)
	}
}

// TestRegistrations: the registrations are permitted ones, and the app has the ids, scopes and addresses that its files have.
func TestRegistrations(t *testing.T) {
	settings, err := os.ReadFile("app/settings.js")
	if err != nil {
		t.Fatal(err)
	}
	rules := clients.Rules{Loopback: true}
	for _, c := range examples.Clients("http://localhost:4711", "XAC01", nil) {
		if c.ID != examples.EHRClient {
			if err := rules.Check(&c); err != nil {
				t.Errorf("%s: %v", c.ID, err)
			}
			if !strings.Contains(string(settings), "'"+c.ID+"'") {
				t.Errorf("app/settings.js has no client %s", c.ID)
			}
		}
		for scope := range strings.FieldsSeq(c.Scopes) {
			if !strings.Contains(string(settings), scope) {
				t.Errorf("app/settings.js does not ask for %s, which %s may have", scope, c.ID)
			}
		}
	}
	for file, version := range map[string]string{"app/package.json": `"fhirclient": "2.6.3"`, "../../scripts/pages.sh": "fhirclient@2.6.3"} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), version) {
			t.Errorf("%s does not name %s: %v", file, version, err)
		}
	}
}
