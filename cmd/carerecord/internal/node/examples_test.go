package node

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"carerecord/docs/examples"
	"carerecord/interop/smart/clients"
)

// TestExamples: a demonstration serves the examples under another host name than its own pages, and neither under the name of the
// other. The EHR launches its app through the API of the record. What a Host chooses is the site alone (SMART-002).
func TestExamples(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	site := "http://" + server.Listener.Addr().String()
	cfg := demoConfig(t, t.TempDir())
	cfg.PublicURL = site
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.smart.Clients.Get(t.Context(), examples.EHRClient); err == nil || n.examples != nil {
		t.Error("a record that is not served has the clients of the examples")
	}
	if err := n.loadDemo(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = n.Handler()
	server.Start()
	defer server.Close()
	local := strings.Replace(site, "127.0.0.1", "localhost", 1)
	get := func(host, path string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		return answered(t, r)
	}
	if _, body := get("localhost", "/ehr/?patient=xac01.r0"); strings.Contains(body, "app-administrator") {
		t.Errorf("the EHR offers somebody as a user who is no member of staff: %s", body)
	}
	for _, c := range []struct {
		host, path string
		status     int
		has        string
	}{
		{local[7:], "/app/start.html", 200, "Open my record"},
		{"localhost", "/ehr/", 200, "?patient=xac01.r0"}, {"localhost", "/ehr/?patient=xac01.r0", 200, ">consultant"},
		{local[7:], "/", 404, ""}, {local[7:], "/fhir/metadata", 404, ""}, {local[7:], "/oauth/authorize", 404, ""}, {local[7:], "/my/apps", 404, ""}, {local[7:], "/healthz", 200, "ok"},
		{site[7:], "/app/start.html", 404, ""}, {site[7:], "/ehr/", 404, ""},
		{site[7:], "/", 200, `href="` + local + `/ehr/"`}, {site[7:], "/", 200, `href="` + local + `/app/start.html"`},
		{"evil.example", "/ehr/", 404, ""},
		{"evil.example", "/", 200, local + "/app/start.html"},
		{"evil.example", "/fhir/.well-known/smart-configuration", 200, `"issuer":"` + site + `/fhir"`},
	} {
		if status, body := get(c.host, c.path); status != c.status || !strings.Contains(body, c.has) || strings.Contains(body, "evil") {
			t.Errorf("SMART-002: %s at %s: got %d %.300s, want %d and %s", c.path, c.host, status, body, c.status, c.has)
		}
	}

	form := url.Values{"patient": {"xac01.r0"}, "user": {"consultant"}, "encounter": {"xac01.r0-149"}, "banner": {"yes"}}
	launch := func() string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site+"/ehr/", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = local[7:]
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, body := answered(t, r)
		return body
	}
	if body := launch(); !regexp.MustCompile(`<a id="open" href="` + local + `/app/launch.html\?iss=` + url.QueryEscape(site+"/fhir") + `&amp;launch=cr_lh_`).MatchString(body) {
		t.Errorf("SMART-120: the EHR has no launch: %s", body)
	}
	form.Set("user", "gp")
	if body := launch(); !strings.Contains(body, "422") {
		t.Errorf("SMART-127: a user of another organisation: %s", body)
	}

	// A server that starts again has a new key of its EHR, and does not revive what was suspended.
	before, err := n.smart.Clients.Get(t.Context(), examples.PatientApp)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.smart.Clients.Suspend(t.Context(), "test", examples.StaffApp); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, n, examples.EHRClient)
	if err := n.openExamples(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := n.smart.Clients.Get(t.Context(), examples.PatientApp)
	if err != nil || !after.Changed.Equal(before.Changed) || !after.NotBefore.Equal(before.NotBefore) {
		t.Errorf("got %+v, %v, want the app as it was", after, err)
	}
	if keysOf(t, n, examples.EHRClient) == keys {
		t.Error("the EHR has the key of the server before")
	}
	if c, err := n.smart.Clients.Get(t.Context(), examples.StaffApp); err != nil || c.Status != clients.Suspended {
		t.Errorf("got %+v, %v, want a client that stays suspended", c, err)
	}
	form.Set("user", "consultant")
	server.Config.Handler = n.Handler()
	if body := launch(); !strings.Contains(body, "422") {
		t.Errorf("SMART-065: the launch of a suspended app: %s", body)
	}
}

// TestNoExamples: only a demonstration on a loopback address has a site of examples.
func TestNoExamples(t *testing.T) {
	for public, want := range map[string]string{"http://127.0.0.1:8080": "http://localhost:8080", "http://localhost:8080": "http://127.0.0.1:8080", "http://[::1]:8080": "http://localhost:8080", "http://localhost": "http://127.0.0.1",
		"http://record.example": "", "https://10.0.0.1:8080": "", "http://[::]:8080": ""} {
		for auth, demo := range map[Auth]bool{AuthDemo: true, AuthSMART: false, AuthOff: false, AuthOffAudited: false} {
			cfg := Config{PublicURL: public, Auth: auth}
			if got := cfg.exampleSite(); got != want && demo || got != "" && !demo {
				t.Errorf("%s, demonstration %v: got %q, want %q", public, demo, got, want)
			}
		}
	}
}

func answered(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.StatusCode, string(body)
}

func keysOf(t *testing.T, n *Node, id string) string {
	t.Helper()
	c, err := n.smart.Clients.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return string(c.Keys)
}
