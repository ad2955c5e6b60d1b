package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/store/storetest"
)

// TestCORS: which web pages may call which endpoint (SMART-470 to 474, SMART-T26).
func TestCORS(t *testing.T) {
	w := newWorld(t, nil, 1)
	origins := map[string]bool{"https://app.example": true, "https://evil.example": false, "null": false, "https://app.example.evil.example": false, "https://sub.app.example": false, "http://app.example": false}
	for path, any := range map[string]bool{"/fhir/.well-known/smart-configuration": true, "/fhir/.well-known/openid-configuration": true, "/oauth/jwks.json": true, "/fhir/metadata": true} {
		for origin := range origins {
			r := w.request("GET", site+path, "")
			r.Header.Set("Origin", origin)
			if got := read(w.do(r)).header.Get("Access-Control-Allow-Origin"); any && got != "*" {
				t.Errorf("SMART-471: %s from %s: got %q", path, origin, got)
			}
		}
	}
	for _, path := range []string{"/oauth/token", "/oauth/revoke", "/fhir/Patient", "/oauth/introspect", "/oauth/launch", "/oauth/authorize", "/my/apps"} {
		registered := path == "/oauth/token" || path == "/oauth/revoke" || path == "/fhir/Patient"
		for origin, known := range origins {
			for _, method := range []string{"OPTIONS", "POST"} {
				r := w.request(method, site+path, "")
				r.Header.Set("Origin", origin)
				if method == "OPTIONS" {
					r.Header.Set("Access-Control-Request-Method", "POST")
				}
				h := read(w.do(r)).header
				want := ""
				if registered && known {
					want = origin
				}
				if h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" || want != "" && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
					t.Errorf("SMART-472, 474, T26: %s %s from %s: got %v, want %q", method, path, origin, h, want)
				}
			}
		}
	}
}

// TestOriginOfTheClient: a page reads an answer only if the client of the token has registered its origin; a refusal of the token may be read by pages of
// every registered origin (SMART-472, 473, T26).
func TestOriginOfTheClient(t *testing.T) {
	w := newWorld(t, nil, 1)
	const origin = "https://app.example"
	send := func(method, path, token string) answer {
		r := w.request(method, base+path, "")
		r.Header.Set("Origin", origin)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return read(w.do(r))
	}
	tokenOf := func(client, user string) string {
		return w.exchange(client, w.browser().journey(client, "launch/patient patient/Observation.rs", user, "").Get("code")).str("access_token")
	}
	own, others := tokenOf("app", "ann"), tokenOf("secret", "ann")
	for name, c := range map[string]struct {
		token  string
		status int
		want   string
	}{
		"the client's own origin":   {own, 200, origin},
		"another client's origin":   {others, 200, ""},
		"a token that is not valid": {"cr_at_x", 401, origin},
		"no token":                  {"", 401, origin},
	} {
		got := send("GET", "/Observation", c.token)
		if got.code != c.status || got.header.Get("Access-Control-Allow-Origin") != c.want || (got.header.Get("Access-Control-Expose-Headers") != "") != (c.want != "") {
			t.Errorf("SMART-472: %s: got %d %v, want %d for %q", name, got.code, got.header, c.status, c.want)
		}
	}
	if got := send("GET", "/Patient", own); got.code != 403 || got.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("SMART-472: too little scope: got %d %v", got.code, got.header)
	}
	form, change := w.as("secret", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}})
	got := w.post("/oauth/token", form, change, func(r *http.Request) { r.Header.Set("Origin", origin) })
	if got.code != 400 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("SMART-472: the token endpoint, another client's origin: got %d %v", got.code, got.header)
	}
	form, change = w.as("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}})
	got = w.post("/oauth/token", form, change, func(r *http.Request) { r.Header.Set("Origin", origin) })
	if got.code != 400 || got.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("SMART-472: the token endpoint, the client's own origin: got %d %v", got.code, got.header)
	}
	if _, err := w.smart[0].Clients.Suspend(t.Context(), "test", w.ids["app"]); err != nil {
		t.Fatal(err)
	}
	if got := send("GET", "/Observation", own); got.code != 401 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("SMART-472: of a suspended client: got %d %v", got.code, got.header)
	}
}

// TestOriginOfFailures: answers that say that the server is not available keep the permission for every registered origin, also where the client is
// known and has not registered it (SMART-472).
func TestOriginOfFailures(t *testing.T) {
	var p *partly
	w := openWorld(t, func(clock func() time.Time) engine {
		p = &partly{engine: storetest.NewReference(clock)}
		return p
	}, 1)
	const origin = "https://app.example" // of another client than the one that asks
	a := w.exchange("secret", w.browser().journey("secret", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	for path, form := range map[string]url.Values{"/oauth/token": {"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}, "/oauth/revoke": {"token": {a.str("refresh_token")}}} {
		p.set("log") // nothing can be recorded, so nothing is issued or ended
		form, change := w.as("secret", form)
		got := w.post(path, form, change, func(r *http.Request) { r.Header.Set("Origin", origin) })
		p.set()
		if got.code != 503 || got.header.Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("SMART-472: %s: got %d %v, want 503 that the page may read", path, got.code, got.header)
		}
	}
	form, change := w.as("secret", url.Values{"token": {a.str("refresh_token")}})
	if got := w.post("/oauth/revoke", form, change, func(r *http.Request) { r.Header.Set("Origin", origin) }); got.code != 200 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("SMART-472: revocation for another client's page: got %d %v", got.code, got.header)
	}
}

// TestPreflight: what pages may send and read, and with which methods (SMART-470, 473).
func TestPreflight(t *testing.T) {
	w := newWorld(t, nil, 1)
	for path, methods := range map[string]string{"/Observation": "GET, HEAD, POST", "/Observation/x": "DELETE, GET, HEAD, PATCH, PUT", "/_history": "GET, HEAD"} {
		r := w.request("OPTIONS", base+path, "")
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Access-Control-Request-Method", "GET")
		h := read(w.do(r)).header
		allowed := strings.Split(h.Get("Access-Control-Allow-Methods"), ", ")
		for _, method := range strings.Split(methods, ", ") {
			if !slices.Contains(allowed, method) {
				t.Errorf("SMART-473: %s does not allow %s: %v", path, method, allowed)
			}
		}
		if path == "/_history" && len(allowed) != 2 {
			t.Errorf("SMART-473: %s allows %v", path, allowed)
		}
		for _, name := range []string{"Authorization", "Content-Type", "Accept", "If-Match", "If-None-Match", "If-Modified-Since", "If-None-Exist", "Prefer", "X-Request-Id", "traceparent"} {
			if !contains(strings.ReplaceAll(h.Get("Access-Control-Allow-Headers"), ",", ""), name) {
				t.Errorf("SMART-473: pages may not send %s: %v", name, h)
			}
		}
		for _, name := range []string{"ETag", "Location", "Content-Location", "Last-Modified", "Retry-After", "X-Progress", "X-Request-Id", "WWW-Authenticate"} {
			if !contains(strings.ReplaceAll(h.Get("Access-Control-Expose-Headers"), ",", ""), name) {
				t.Errorf("SMART-473: pages may not read %s: %v", name, h)
			}
		}
	}
}
