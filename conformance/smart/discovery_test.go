package smart

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestDiscovery: the documents need no token, are JSON whatever is accepted, agree with each other, and list what works (SMART-020 to
// 036).
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
	w.compareStatement(first)
	for name, value := range first.body {
		if text, ok := value.(string); ok && (strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri")) && !strings.HasPrefix(text, site+"/") {
			t.Errorf("SMART-022: %s is %q", name, text)
		}
	}
	for name, want := range map[string]string{
		"code_challenge_methods_supported":                 `["S256"]`,
		"grant_types_supported":                            `["authorization_code","client_credentials"]`,
		"response_types_supported":                         `["code"]`,
		"token_endpoint_auth_methods_supported":            `["client_secret_basic","private_key_jwt"]`,
		"token_endpoint_auth_signing_alg_values_supported": `["RS384","ES384"]`,
		"introspection_endpoint":                           `"` + site + `/oauth/introspect"`,
		"revocation_endpoint":                              `"` + site + `/oauth/revoke"`,
		"management_endpoint":                              `"` + site + `/my/apps"`,
		"smart_app_state_endpoint":                         "",
		"registration_endpoint":                            "",
	} {
		if got := gjson.Get(first.text, name).Raw; got != want {
			t.Errorf("SMART-023, 025, 027, 028, 030: %s is %s, want %s", name, got, want)
		}
	}
	sso := strings.Contains(gjson.Get(first.text, "capabilities").Raw, `"sso-openid-connect"`)
	if gjson.Get(first.text, "issuer").Exists() != sso || gjson.Get(first.text, "jwks_uri").Exists() != sso || !sso {
		t.Errorf("SMART-024: got %s", first.text)
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

// compareStatement compares the CapabilityStatement with the SMART configuration (SMART-034, 035).
func (w *world) compareStatement(smart answer) {
	w.Helper()
	security := gjson.Get(read(w.do(w.request("GET", base+"/metadata", ""))).text, "rest.0.security")
	if security.Get("service.0.coding.0.code").Str != "SMART-on-FHIR" || !security.Get("cors").Bool() {
		w.Errorf("SMART-035: got %s", security.Raw)
	}
	uris := security.Get(`extension.#(url=="http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris").extension`).Array()
	names := map[string]string{"authorize": "authorization_endpoint", "token": "token_endpoint", "introspect": "introspection_endpoint", "revoke": "revocation_endpoint", "manage": "management_endpoint"}
	if len(uris) != len(names) {
		w.Errorf("SMART-035: got %s", security.Raw)
	}
	for _, e := range uris {
		if got := smart.str(names[e.Get("url").Str]); got == "" || got != e.Get("valueUri").Str {
			w.Errorf("SMART-034: %s is %s in the CapabilityStatement, and %q in the SMART configuration", e.Get("url"), e.Get("valueUri"), got)
		}
	}
}
