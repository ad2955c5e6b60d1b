package smart

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestIntrospection: who may ask, and what is told (SMART-390 to 396).
func TestIntrospection(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.exchange("secret", w.browser().journey("secret", "openid fhirUser launch/patient patient/Observation.rs offline_access", "ann", "").Get("code"))
	ask := func(token string, how func(*http.Request), form url.Values) answer {
		if form == nil {
			form = url.Values{}
		}
		form.Set("token", token)
		return w.post("/oauth/introspect", form, how)
	}
	right := bearer(w.backend("ehr", "__introspect"))
	got := ask(a.str("access_token"), right, nil)
	if got.code != 200 || got.body["active"] != true || got.str("scope") != a.str("scope") || got.str("client_id") != w.ids["secret"] || int64(got.body["exp"].(float64)) != w.now.Unix()+900 ||
		got.str("patient") != "t1.ann" || got.str("iss") != base || got.str("fhirUser") != base+"/Patient/t1.ann" || got.str("aud") != base || got.header.Get("Cache-Control") != "no-store" ||
		gjson.Get(got.text, "extensions.ihe_iua.purpose_of_use.0.code").Str != "PATRQT" {
		t.Errorf("SMART-392, 393, 395: got %d %s", got.code, got.text)
	}
	if strings.Contains(got.text, "9990000018") || strings.Contains(got.text, "person") {
		t.Errorf("introspection tells the person key: %s", got.text)
	}
	own, change := w.as("secret", nil)
	if got := ask(a.str("access_token"), change, own); got.body["active"] != true {
		t.Errorf("SMART-391: the owner: got %s", got.text)
	}
	own, change = w.as("secret", nil)
	if got := ask(a.str("refresh_token"), change, own); got.body["active"] != true || got.str("patient") != "" {
		t.Errorf("SMART-396: the owner of a refresh token: got %s", got.text)
	}
	const inactive = `{"active":false}`
	for name, got := range map[string]answer{
		"SMART-396: a refresh token, by another": ask(a.str("refresh_token"), right, nil),
		"SMART-394: an unknown token":            ask("cr_at_"+strings.Repeat("A", 43), right, nil),
		"SMART-394: nonsense":                    ask("x", right, nil),
		"SMART-394: an ID token":                 ask(a.str("id_token"), right, nil),
		"SMART-391: a token of another client":   func() answer { o, c := w.as("secret", nil); return ask(w.backend("loader", "system/*.rs"), c, o) }(),
	} {
		if got.code != 200 || got.text != inactive {
			t.Errorf("%s: got %d %s", name, got.code, got.text)
		}
	}
	public, change := w.as("app", nil)
	for name, got := range map[string]answer{
		"SMART-391: nobody":                        ask(a.str("access_token"), func(*http.Request) {}, nil),
		"SMART-391: a public client":               ask(a.str("access_token"), change, public),
		"SMART-391: a token without the scope":     ask(a.str("access_token"), bearer(a.str("access_token")), nil),
		"SMART-391: a token that is not active":    ask(a.str("access_token"), bearer("x"), nil),
		"SMART-391: a client with a wrong secret":  ask(a.str("access_token"), func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "x") }, nil),
		"SMART-388: a refresh token as the bearer": ask(a.str("access_token"), bearer(a.str("refresh_token")), nil),
	} {
		if got.code != 401 || strings.Contains(got.text, "active") {
			t.Errorf("%s: got %d %s", name, got.code, got.text)
		}
	}
	if _, err := w.smart[0].Clients.Suspend(t.Context(), "test", w.ids["secret"]); err != nil {
		t.Fatal(err)
	}
	if got := ask(a.str("access_token"), right, nil); got.text != inactive {
		t.Errorf("SMART-394: of a suspended client: got %s", got.text)
	}
}

// TestRevocation: a client ends its own tokens, at once (SMART-400 to 402, 405).
func TestRevocation(t *testing.T) {
	w := newWorld(t, nil, 2)
	b := w.browser()
	issue := func() answer {
		return w.exchange("app", b.journey("app", "launch/patient patient/Observation.rs offline_access", "ann", "").Get("code"))
	}
	revoke := func(client, token string) answer {
		form, change := w.as(client, url.Values{"token": {token}})
		return w.post("/oauth/revoke", form, change)
	}
	works := func(a answer) bool { return w.get(a.str("access_token"), "Observation").code == 200 }
	refreshes := func(a answer) bool {
		return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}).code == 200
	}
	a := issue()
	if got := revoke("both", a.str("access_token")); got.code != 400 || !works(a) {
		t.Errorf("SMART-400: another client: got %d %s", got.code, got.text)
	}
	if got := revoke("app", a.str("access_token")); got.code != 200 || works(a) || !refreshes(a) {
		t.Errorf("SMART-401: an access token: got %d, want it alone ended", got.code)
	}
	a = issue()
	if got := revoke("app", a.str("refresh_token")); got.code != 200 || works(a) || refreshes(a) {
		t.Errorf("SMART-401: a refresh token: got %d, want everything ended", got.code)
	}
	for _, token := range []string{"x", a.str("refresh_token"), "cr_at_" + strings.Repeat("A", 43)} {
		if got := revoke("app", token); got.code != 200 {
			t.Errorf("SMART-400: an unknown token: got %d", got.code)
		}
	}
	if got := w.post("/oauth/revoke", url.Values{"token": {"x"}}); got.code != 401 {
		t.Errorf("SMART-400: nobody: got %d", got.code)
	}
	a = issue()
	b.open(site + "/my/apps")
	for n := 0; has(b.forms(), "apps") && n < 10; n++ {
		if !strings.Contains(b.page.text, "The app") || !strings.Contains(b.page.text, "Ann Other") || strings.Contains(b.page.text, "never") {
			t.Errorf("SMART-405: got %s", b.page.text)
		}
		b.submit("apps", nil)
	}
	if works(a) || refreshes(a) {
		t.Error("SMART-402, 405: the user has stopped the app, and its tokens work")
	}
	a = issue()
	c, err := w.smart[0].Clients.RevokeTokens(t.Context(), "test", w.ids["app"])
	w.must(err)
	if works(a) || refreshes(a) {
		t.Errorf("SMART-402: all tokens of %s ended, and one works", c.ID)
	}
}

// TestDiscovery: the documents need no token, are JSON whatever is accepted, agree with each other, and list what works (SMART-020 to
// 034, 036).
func TestDiscovery(t *testing.T) {
	w := newWorld(t, nil, 1)
	fetch := func(path string, change ...func(*http.Request)) answer {
		r := w.request("GET", site+path, "")
		for _, f := range change {
			f(r)
		}
		return read(w.do(r))
	}
	const smart = "/fhir/.well-known/smart-configuration"
	first := fetch(smart)
	for _, accept := range []string{"", "*/*", "application/fhir+json", "application/fhir+xml", "text/html", "nonsense"} {
		for _, path := range []string{smart, smart + "?_format=xml"} {
			got := fetch(path, func(r *http.Request) {
				r.Header.Set("Accept", accept)
				r.Host = "evil.example"
				r.Header.Set("X-Forwarded-Host", "evil.example")
				r.Header.Set("Forwarded", "host=evil.example")
			})
			if got.code != 200 || got.header.Get("Content-Type") != "application/json" || got.text != first.text {
				t.Errorf("SMART-002, 021, T18: Accept %q: got %d %v", accept, got.code, got.header)
			}
		}
	}
	head := w.request("HEAD", site+smart, "")
	if got := read(w.do(head)); got.code != 200 || got.text != "" {
		t.Errorf("SMART-020: HEAD: got %d %q", got.code, got.text)
	}
	etag := first.header.Get("ETag")
	if got := fetch(smart, func(r *http.Request) { r.Header.Set("If-None-Match", etag) }); etag == "" || got.code != 304 || first.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("SMART-036: got %d with %v", got.code, first.header)
	}
	for _, path := range []string{"/fhir/.well-known/openid-configuration", "/fhir/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/fhir"} {
		got := fetch(path)
		for name, value := range got.body {
			if have, shared := first.body[name]; shared && name != "grant_types_supported" {
				a, _ := json.Marshal(value)
				b, _ := json.Marshal(have)
				if string(a) != string(b) {
					t.Errorf("SMART-034: %s of %s is %s, and %s in the SMART configuration", name, path, a, b)
				}
			}
		}
		if got.code != 200 || got.str("issuer") != base || got.body["authorization_response_iss_parameter_supported"] != true {
			t.Errorf("SMART-001, 032, 033: %s: got %d %s", path, got.code, got.text)
		}
	}
	for name, value := range first.body {
		if text, ok := value.(string); ok && (strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri")) && !strings.HasPrefix(text, site+"/") {
			t.Errorf("SMART-022: %s is %q", name, text)
		}
	}
	if got := gjson.Get(first.text, "code_challenge_methods_supported").Raw; got != `["S256"]` {
		t.Errorf("SMART-023: got %s", got)
	}
	sets := map[string][]string{ // 348 to 351 of the official rows
		"patient standalone":   {"launch-standalone", "client-public", "context-standalone-patient", "permission-patient"},
		"patient EHR":          {"launch-ehr", "client-public", "context-ehr-patient", "permission-patient"},
		"clinician standalone": {"launch-standalone", "client-public", "permission-user", "permission-patient"},
		"clinician EHR":        {"launch-ehr", "client-public", "permission-user", "context-ehr-patient", "context-ehr-encounter"},
	}
	for set, needs := range sets {
		for _, capability := range needs {
			if !strings.Contains(gjson.Get(first.text, "capabilities").Raw, `"`+capability+`"`) {
				t.Errorf("SMART-031: the capability set %s lacks %s", set, capability)
			}
		}
	}
	for _, scope := range gjson.Get(first.text, "scopes_supported").Array() { // SMART-026
		switch {
		case strings.HasPrefix(scope.Str, "system/"):
			if strings.Contains(w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {scope.Str}}).str("scope"), "system/") {
				continue
			}
		case scope.Str == "launch" || scope.Str == "online_access":
			token := w.backend("ehr", "__launch")
			handle := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
			back := w.browser().journey("clinical", "launch user/*.rs "+strings.TrimPrefix(scope.Str, "launch"), "doctor", "", func(v url.Values) { v.Set("launch", handle) })
			if contains(w.exchange("clinical", back.Get("code")).str("scope"), scope.Str) {
				continue
			}
		default:
			asked := scope.Str
			if asked == "fhirUser" {
				asked = "openid fhirUser"
			}
			back := w.browser().journey("app", "openid "+strings.TrimPrefix(asked, "openid"), "ann", "")
			if contains(w.exchange("app", back.Get("code")).str("scope"), scope.Str) {
				continue
			}
		}
		t.Errorf("SMART-026: the scope %s is listed and not granted", scope.Str)
	}
}

func contains(scopes, one string) bool { return strings.Contains(" "+scopes+" ", " "+one+" ") }

// TestCORS: which web pages may call which endpoint (SMART-470 to 474, T26).
func TestCORS(t *testing.T) {
	w := newWorld(t, nil, 1)
	origins := map[string]bool{"https://app.example": true, "https://evil.example": false, "null": false, "https://app.example.evil.example": false, "https://sub.app.example": false, "http://app.example": false}
	for path, any := range map[string]bool{"/fhir/.well-known/smart-configuration": true, "/fhir/.well-known/openid-configuration": true, "/oauth/jwks.json": true} {
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

// TestEndpointMistakes: requests that no endpoint takes (SMART-310, 480, 484).
func TestEndpointMistakes(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, c := range map[string]struct {
		method, path, typ, body string
		status                  int
	}{
		"SMART-310: GET of the token endpoint": {"GET", "/oauth/token", "", "", 405},
		"SMART-310: JSON":                      {"POST", "/oauth/token", "application/json", `{"grant_type":"authorization_code"}`, 400},
		"SMART-310: parameters in the URL":     {"POST", "/oauth/token?grant_type=authorization_code", "application/x-www-form-urlencoded", "", 400},
		"an endpoint that does not exist":      {"GET", "/oauth/none", "", "", 404},
		"registration is not built":            {"POST", "/oauth/register", "application/json", "{}", 404},
		"DELETE of the keys":                   {"DELETE", "/oauth/jwks.json", "", "", 405},
		"SMART-484: a large body":              {"POST", "/oauth/token", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 65<<10), 413},
	} {
		r := w.request(c.method, site+c.path, c.body)
		if c.typ != "" {
			r.Header.Set("Content-Type", c.typ)
		}
		if got := read(w.do(r)); got.code != c.status || got.header.Get("Content-Type") != "application/json" || got.str("error") == "" {
			t.Errorf("%s: got %d %s, want %d in JSON", name, got.code, got.text, c.status)
		}
	}
	r := w.request("GET", site+"/oauth/jwks.json", "")
	r.Header.Set("X-Long", strings.Repeat("x", 17<<10))
	if got := read(w.do(r)); got.code != 431 {
		t.Errorf("SMART-484: long headers: got %d", got.code)
	}
}
