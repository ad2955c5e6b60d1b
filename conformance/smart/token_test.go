package smart

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/interop/smart/oauth"
)

// TestTokenResponses: which members the answer of the token endpoint has (SMART-313, 345, 363, 364, 378).
func TestTokenResponses(t *testing.T) {
	w := newWorld(t, nil, 1)
	always := []string{"access_token", "expires_in", "scope", "token_type"}
	issue := func(client, scope, user string) answer {
		return w.exchange(client, w.browser().journey(client, scope, user, bobsNumber).Get("code"))
	}
	full := issue("app", "openid fhirUser launch/patient patient/Observation.rs offline_access", "ann")
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "encounter": "t1.bob-e", "need_patient_banner": true}).str("launch")
	launched := w.exchange("clinical", w.browser().journey("clinical", "launch launch/encounter user/*.rs", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	for name, c := range map[string]struct {
		got  answer
		more []string // besides always
	}{
		"a patient, everything":      {full, []string{"id_token", "patient", "refresh_token"}},
		"a patient, a scope alone":   {issue("app", "patient/Observation.rs", "ann"), []string{"patient"}},
		"a member of staff":          {issue("clinical", "user/Observation.rs", "doctor"), nil},
		"an EHR launch":              {launched, []string{"encounter", "need_patient_banner", "patient"}},
		"a refresh":                  {w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {full.str("refresh_token")}}), []string{"id_token", "patient", "refresh_token"}},
		"SMART-363: a backend":       {w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}), nil},
		"SMART-364: a backend right": {w.token("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {"__introspect"}}), nil},
	} {
		want := slices.Sorted(slices.Values(append(slices.Clone(always), c.more...)))
		if got := slices.Sorted(maps.Keys(c.got.body)); c.got.code != 200 || !slices.Equal(got, want) {
			t.Errorf("SMART-313, 378: %s: got %d with %v, want %v", name, c.got.code, got, want)
		}
		seconds, number := c.got.body["expires_in"].(float64)
		if !number || strings.Contains(name, "backend") && seconds != 300 || c.got.str("token_type") != "Bearer" {
			t.Errorf("SMART-313, 363: %s: got %s", name, c.got.text)
		}
	}
}

// TestErrorURI: an error of an OAuth endpoint refers to the page for developers, which has its code and is made from the server's
// tables (SMART-010, 316).
func TestErrorURI(t *testing.T) {
	w := newWorld(t, nil, 1)
	got := w.token("app", url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
	address, fragment, _ := strings.Cut(got.str("error_uri"), "#")
	if got.code != 400 || address != site+"/developers" {
		t.Fatalf("SMART-316: got %d %s", got.code, got.text)
	}
	page := read(w.do(w.request("GET", address, "")))
	page.text = strings.ReplaceAll(page.text, "<wbr>", "") // long names may break
	if page.code != 200 || !strings.Contains(page.text, `id="`+fragment+`"`) {
		t.Fatalf("SMART-010: got %d %.300s", page.code, page.text)
	}
	page.text = strings.ReplaceAll(page.text, "<wbr>", "") // where a line may break
	configuration := read(w.do(w.request("GET", base+"/.well-known/smart-configuration", "")))
	for _, capability := range gjson.Get(configuration.text, "capabilities").Array() {
		if !strings.Contains(page.text, "<code>"+capability.Str+"</code>") {
			t.Errorf("SMART-010: the page does not have %s", capability.Str)
		}
	}
	for _, code := range append(oauth.Codes(), consent.Codes()...) {
		_, line, _ := strings.Cut(page.text, "<code>"+code+`</code></dt><dd class="nhsuk-summary-list__value">`)
		if line == "" || strings.HasPrefix(line, "<") {
			t.Errorf("SMART-010: the page has no line for %s", code)
		}
	}
	addresses := 0
	gjson.Parse(configuration.text).ForEach(func(name, value gjson.Result) bool {
		if strings.HasPrefix(value.Str, site) {
			addresses++
			if !strings.Contains(page.text, "<code>"+name.Str+`</code></dt><dd class="nhsuk-summary-list__value"><code>`+value.Str+"</code>") {
				t.Errorf("SMART-010: the page does not have the address %s of %s", value.Str, name.Str)
			}
		}
		return true
	})
	for _, address := range []string{base, site + "/oauth/launch"} {
		if addresses < 6 || !strings.Contains(page.text, "<code>"+address+"</code>") {
			t.Errorf("SMART-010: the page does not have %s, or the configuration has %d addresses", address, addresses)
		}
	}
	for _, one := range []string{"15 min", "60 s", "365 d", "65536", "<code>clinical-status</code>"} {
		if !strings.Contains(strings.ReplaceAll(page.text, "1 min", "60 s"), one) {
			t.Errorf("SMART-010: the page does not have %s", one)
		}
	}
}

// TestBackendRequests: what a backend's registration decides, no request changes; a type outside its scopes, or one that does not
// exist, fails at the first request; what policy withholds leaves no trace (SMART-365, 367).
func TestBackendRequests(t *testing.T) {
	w := newWorld(t, nil, 1)
	if got := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Observation.rs system/Nope.rs"}}); got.str("error") != "invalid_scope" {
		t.Errorf("SMART-365: a type that does not exist: got %d %s", got.code, got.text)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Observation.rs"}, "purpose": {"HMARKT"}, "purpose_of_use": {"HMARKT"}, "organization": {"G1"}, "organisation": {"G1"}}
	got := w.token("loader", form)
	described := w.post("/oauth/introspect", url.Values{"token": {got.str("access_token")}}, bearer(w.backend("ehr", "__introspect"))).text
	if access := gjson.Get(described, "extensions.ihe_iua"); access.Get("purpose_of_use.0.code").Str != "TREAT" || access.Get("subject_organization_id").Str != "T1" || access.Get("subject_organization").Str != "Trust" {
		t.Errorf("SMART-367, 433: got %s", described)
	}
	for path, want := range map[string]int{"Observation": 200, "Condition": 403, "Nope": 404} {
		r := w.request("GET", base+"/"+path, "")
		r.Header.Set("Authorization", "Bearer "+got.str("access_token"))
		r.Header.Set("X-Purpose-Of-Use", "HMARKT")
		r.Header.Set("Purpose-Of-Use", "HMARKT")
		if a := read(w.do(r)); a.code != want || want != 200 && strings.Contains(a.text, "t1.") {
			t.Errorf("SMART-365, 367: %s: got %d %s, want %d", path, a.code, a.text, want)
		}
	}
}

// TestIntrospectedUser: purpose, role and organisation of a user in the form of IHE IUA (SMART-433).
func TestIntrospectedUser(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.exchange("clinical", w.browser().journey("clinical", "user/Observation.rs", "doctor", "").Get("code")).str("access_token")
	got := gjson.Get(w.post("/oauth/introspect", url.Values{"token": {token}}, bearer(w.backend("ehr", "__introspect"))).text, "extensions.ihe_iua")
	const want = `{"purpose_of_use":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}],` +
		`"subject_role":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName","code":"R1","display":"Consultant"}],"subject_organization":"Trust","subject_organization_id":"T1"}`
	if got.Raw != want {
		t.Errorf("SMART-433: got %s, want %s", got.Raw, want)
	}
}

// TestWithoutToken: the paths of SMART-011 exist, and which of them need no token (SMART-305, 414).
func TestWithoutToken(t *testing.T) {
	w := newWorld(t, nil, 1)
	for path, want := range map[string]int{
		"GET /fhir/metadata": 200, "GET /fhir/.well-known/smart-configuration": 200, "GET /fhir/.well-known/openid-configuration": 200, "GET /oauth/jwks.json": 200, "GET /developers": 200,
		"GET /oauth/authorize": 400, "POST /oauth/token": 400, "POST /oauth/introspect": 401, "POST /oauth/revoke": 401, "POST /oauth/launch": 401, "GET /oauth/callback/sample-staff": 400,
		"POST /oauth/register": 404, "GET /fhir/Patient": 401, "GET /fhir/Patient/t1.ann": 401, "GET /fhir": 401, "POST /fhir": 401, "GET /fhir/_history": 401, "GET /fhir/Patient/t1.ann/$everything": 401,
		"GET /oauth": 404, "GET /admin": 404, "GET /my/apps": 303, "GET /my/sessions": 303,
	} {
		method, at, _ := strings.Cut(path, " ")
		r := w.request(method, site+at, "")
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		got := read(w.do(r))
		if got.code != want {
			t.Errorf("SMART-011, 305, 414: %s: got %d %.200s, want %d", path, got.code, got.text, want)
		}
		for _, stored := range []string{"t1.ann", "Ann Other", "Bob Other", annsNumber} {
			if strings.Contains(got.text, stored) {
				t.Errorf("SMART-305: %s without a token tells %s", path, stored)
			}
		}
	}
}
