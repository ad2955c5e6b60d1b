package smart

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestSMARTT05: a token in the URL is refused, and a code from the history of a browser ends what it led to.
func TestSMARTT05(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	code := b.journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code")
	a := w.exchange("app", code)
	token := a.str("access_token")
	for _, path := range []string{"/Observation?access_token=", "/Observation?_count=1&access_token=", "/metadata?access_token="} {
		if got := read(w.do(w.request("GET", base+path+token, ""))); got.code != 400 && got.code != 401 || strings.Contains(got.text, "t1.ann") || strings.Contains(got.text, token) {
			t.Errorf("SMART-T05: %s: got %d %s", path, got.code, got.text)
		}
	}
	if got := w.get(token, "Observation"); got.code != 200 {
		t.Fatalf("the token itself: got %d", got.code)
	}
	if got := w.exchange("app", code); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-T05: the code once more: got %s", got.text)
	}
	if got := w.get(token, "Observation"); got.code != 401 {
		t.Errorf("SMART-T05: the token of a replayed code: got %d", got.code)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.code == 200 {
		t.Error("SMART-T05: the refresh token of a replayed code works")
	}
}

// TestSMARTT23: grant types that hand over a password or somebody else's token do not exist (SMART-004).
func TestSMARTT23(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, grantType := range []string{"password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer",
		"urn:ietf:params:oauth:grant-type:token-exchange", "implicit", "Authorization_Code", "authorization_code ", "client_credentials,refresh_token"} {
		for _, client := range []string{"app", "secret", "loader"} {
			got := w.token(client, url.Values{"grant_type": {grantType}, "username": {"ann"}, "password": {"x"}, "assertion": {"x"}, "device_code": {"x"}, "subject_token": {"x"}, "scope": {"system/*.rs"}})
			if got.code != 400 || got.str("error") != "unsupported_grant_type" || got.body["access_token"] != nil {
				t.Errorf("SMART-T23: %q by %s: got %d %s", grantType, client, got.code, got.text)
			}
		}
	}
}

// TestSMARTT27: a scope that is written to be read in two ways gives no more than its plain reading, and a constraint is never dropped
// (SMART-230 to 240).
func TestSMARTT27(t *testing.T) {
	w := newWorld(t, nil, 1)
	const laboratory = "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	for scope, want := range map[string]string{ // want: granted beside patient/Condition.rs; "error": the whole request is refused
		"patient/Observation.rs?unknown=x":                      "",
		"patient/Observation.rs?" + laboratory + "&unknown=x":   "",
		"patient/Observation.rs?category:not=laboratory":        "",
		"patient/Observation.rs?subject.name=x":                 "",
		"patient/Observation.rs?_has:Provenance:target:a=x":     "",
		"patient/Observation.rs?_count=1":                       "",
		"patient/Observation.rs%3Fcategory=laboratory":          "",
		"patient/Observation.rs?category%3Dlaboratory":          "",
		"patient/Observation.rs?category=%256caboratory":        "patient/Observation.rs?category=%256caboratory",
		"patient/Observation.rs?category=%6caboratory":          "patient/Observation.rs?category=laboratory",
		"patient/Observation.rs?":                               "",
		"patient/Observation.rs?category":                       "",
		"patient/Observation.rs?category=":                      "",
		"patient/Observation.RS":                                "",
		"PATIENT/Observation.rs":                                "",
		"patient/observation.rs":                                "",
		"patient/Observation.sr":                                "",
		"patient/Observation.rr":                                "",
		"patient/Observation.":                                  "",
		"patient/*.rs?" + laboratory:                            "",
		"system/Observation.rs":                                 "",
		"patient/Observation.rs\tpatient/*.cruds":               "error",
		"patient/Observation.rs\npatient/*.cruds":               "error",
		"p\u0430tient/*.cruds":                                  "error",
		"patient/*.cruds\u00a0":                                 "error",
		"patient/\"*\".rs":                                      "error",
		strings.Repeat("patient/Observation.rs ", 10_000):       "error",
		"patient/Observation.rs?category=a patient/*.rs?code=b": "patient/Observation.rs?category=a",
	} {
		location := ""
		b, params := w.browser(), w.authorization("app", "patient/Condition.rs "+scope)
		r := w.request("POST", site+"/oauth/authorize", params.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if location = b.follow(r); location == "" && b.page.code == 200 {
			if location = b.signIn("ann"); location == "" { // else the decision of an earlier case holds
				location = b.allow()
			}
		}
		short := scope[:min(len(scope), 60)]
		if want == "error" {
			if location != "" && sentBack(t, location).Get("code") != "" || b.page.code == 200 && location == "" {
				t.Errorf("SMART-T27: %q: got %d and %q, want a refusal", short, b.page.code, location)
			}
			continue
		}
		got := strings.Fields(w.exchange("app", sentBack(t, location).Get("code")).str("scope"))
		wanted := append([]string{"patient/Condition.rs"}, strings.Fields(want)...)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("SMART-T27: %q: got %q, want %q", short, got, wanted)
		}
	}
}

// TestSMARTT33: what is not an access token of this server gives no access (SMART-388, 411).
func TestSMARTT33(t *testing.T) {
	w, other := newWorld(t, nil, 1), newWorld(t, nil, 1)
	b := w.browser()
	code := b.journey("app", "openid patient/Observation.rs offline_access", "ann", "").Get("code")
	unused := w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
	a := w.exchange("app", code)
	values := map[string]string{
		"an ID token": a.str("id_token"), "a refresh token": a.str("refresh_token"), "a code": unused, "a client id": w.ids["app"], "a secret": w.secrets["secret"],
		"a launch handle":              w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch"),
		"a token of another server":    other.exchange("app", other.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")).str("access_token"),
		"an assertion":                 w.assertion(w.ids["loader"]),
		"a token that calls itself so": "cr_at_" + strings.TrimPrefix(a.str("refresh_token"), "cr_rt_"),
	}
	for name, value := range b.cookies {
		values["the cookie "+name] = value
	}
	for name, value := range values {
		if value == "" {
			t.Errorf("there is no %s", name)
		}
		for _, path := range []string{"Observation", "Patient/t1.ann"} {
			if got := w.get(value, path); got.code != 401 || strings.Contains(got.text, "t1.ann") {
				t.Errorf("SMART-T33: %s for %s: got %d %s", name, path, got.code, got.text)
			}
		}
	}
	if got := w.get(a.str("access_token"), "Observation"); got.code != 200 {
		t.Errorf("the access token: got %d", got.code)
	}
}

// TestSMARTT43: no document of the server has a private member of a key (SMART-385); clientauth tests the kid of an assertion.
func TestSMARTT43(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, path := range []string{"/oauth/jwks.json", "/oauth/sign-in-keys.json", "/sample-sign-in/sample-staff/jwks.json", "/fhir/.well-known/smart-configuration", "/fhir/.well-known/openid-configuration"} {
		got := read(w.do(w.request("GET", site+path, "")))
		if got.code != 200 {
			t.Errorf("SMART-T43: %s: got %d", path, got.code)
		}
		for _, key := range gjson.Get(got.text, "keys").Array() {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if key.Get(private).Exists() {
					t.Errorf("SMART-T43: %s has the member %s: %s", path, private, key.Raw)
				}
			}
			if key.Get("kid").Str == "" || key.Get("kty").Str == "oct" {
				t.Errorf("SMART-T43: %s: got the key %s", path, key.Raw)
			}
		}
	}
	signing, signIn := keysAt(w, "/oauth/jwks.json"), keysAt(w, "/oauth/sign-in-keys.json")
	if len(signing) == 0 || len(signIn) == 0 || slices.ContainsFunc(signIn, func(k string) bool { return slices.Contains(signing, k) }) {
		t.Errorf("SMART-183: the keys of ID tokens are %v, those of the sign-in %v, want others", signing, signIn)
	}
}

// keysAt returns the public values of the keys of a set.
func keysAt(w *world, path string) (out []string) {
	for _, key := range gjson.Get(read(w.do(w.request("GET", site+path, ""))).text, "keys").Array() {
		out = append(out, key.Get("n").Str+key.Get("x").Str)
	}
	return out
}
