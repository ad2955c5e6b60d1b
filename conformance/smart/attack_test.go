package smart

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/tidwall/gjson"

	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/store/storetest"
)

// TestPractitionersAreNamed: where PractitionerRole needs _id or identifier, no include lists them either (SMART-256, 282).
func TestPractitionersAreNamed(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Organization", "org", `"name":"Trust"`)
	w.put("PractitionerRole", "role", `"practitioner":{"reference":"Practitioner/t1.doctor"},"organization":{"reference":"Organization/t1.org"}`)
	patient := w.exchange("app", w.browser().journey("app", "patient/*.rs", "ann", "").Get("code")).str("access_token")
	staff := w.exchange("clinical", w.browser().journey("clinical", "patient/*.rs", "doctor", annsNumber).Get("code")).str("access_token")
	wide := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "doctor", "").Get("code")).str("access_token")
	for _, path := range []string{"Organization?_revinclude=PractitionerRole:organization", "Organization?_revinclude=PractitionerRole:organization&_include:iterate=PractitionerRole:practitioner",
		"Organization?_revinclude=PractitionerRole:*", "Practitioner?_id=t1.doctor&_revinclude=PractitionerRole:practitioner"} {
		for who, token := range map[string]string{"a patient": patient, "staff with patient/ scopes": staff} {
			if got := w.get(token, path); got.code != 200 || strings.Contains(got.text, "PractitionerRole/t1.role") || strings.Contains(got.text, `"t1.role"`) {
				t.Errorf("SMART-256: %s: %s: got %d %s", who, path, got.code, got.text)
			}
		}
		if got := w.get(wide, path); got.code != 200 || !strings.Contains(got.text, "t1.role") {
			t.Errorf("SMART-256: staff with user/ scopes: %s: got %d %s", path, got.code, got.text)
		}
	}
}

// TestIntrospectionOfEndedRoles: a token that the record refuses, because its user has left or has another role, is not active at
// introspection either (SMART-003, 205, 394).
func TestIntrospectionOfEndedRoles(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "nurse", "").Get("code")).str("access_token")
	active := func() (record, introspection bool) {
		form, change := w.as("ehr", url.Values{"token": {token}})
		got := w.post("/oauth/introspect", form, change)
		if got.body["active"] == false && len(got.body) > 1 {
			t.Errorf("SMART-394: got %s", got.text)
		}
		return w.get(token, "Observation").code == 200, got.body["active"] == true
	}
	expect := func(when string, want bool) {
		t.Helper()
		if record, introspection := active(); record != want || introspection != want {
			t.Errorf("SMART-205, 394: %s: record %v, introspection %v, want %v", when, record, introspection, want)
		}
	}
	expect("before", true)
	for i := range w.policy.People {
		if w.policy.People[i].User == "nurse" {
			w.policy.People[i].Role = "R3"
		}
	}
	expect("with another role", false)
	w.policy.People = w.policy.People[2:]
	expect("after the user has left", false)
}

// TestRepeatsEndWithDecision: an administrator who ends the grant of a decision ends those that repeat it (SMART-222, 402).
func TestRepeatsEndWithDecision(t *testing.T) {
	w := newWorld(t, nil, 1)
	const scope = "launch/patient patient/Condition.rs offline_access"
	b := w.browser()
	w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	w.now = w.now.Add(time.Minute)
	again := w.exchange("app", sentBack(t, b.ask("app", scope)).Get("code"))
	list, err := w.smart[0].Grants.OfUser(t.Context(), "ann")
	w.must(err)
	if len(list) != 2 || !list[1].Repeats(list[0].ID) {
		t.Fatalf("got %+v", list)
	}
	w.must(w.smart[0].Grants.EndOne(t.Context(), "admin", list[0].ID))
	if got := w.get(again.str("access_token"), "Condition"); got.code != 401 {
		t.Errorf("SMART-402: the token of a repeat: got %d", got.code)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-402: the refresh token of a repeat: got %s", got.text)
	}
}

// TestStartsOfSignIn: a browser that opens one transaction again and again does not fill State with sign-ins (SMART-482, T44).
func TestStartsOfSignIn(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.ask("app", "patient/*.rs")
	at := ""
	for _, path := range b.visited {
		if strings.HasPrefix(path, "/oauth/transaction/") {
			at = path
		}
	}
	codes := map[int]int{}
	for range 2000 {
		r := w.request("GET", site+at, "")
		r.RemoteAddr = "192.0.2.251:9"
		for name, value := range b.cookies {
			r.Header.Add("Cookie", name+"="+value)
		}
		codes[w.do(r).Code]++
	}
	waiting := 0
	for _, err := range w.engine.Values(t.Context(), "signin/") {
		w.must(err)
		waiting++
	}
	if waiting > 601 || codes[429] != 1400 {
		t.Errorf("SMART-482: after 2000 starts %d sign-ins wait, with the answers %v; the limit is 600 a minute", waiting, codes)
	}
}

// TestLogoutOfAdministrators: the issuer of administrators ends their sessions too (SMART-169, 209).
func TestLogoutOfAdministrators(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.administration()
	b := w.browser()
	b.journey("administration", "__clients", "admin", "")
	if got := sentBack(t, b.ask("administration", "__clients", prompt("none"))); got.Get("code") == "" {
		t.Errorf("SMART-169: a signed-in administrator: got %v", got)
	}
	_, sample, err := serverKeys()
	w.must(err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: sample, KeyID: "sample-sample-administrators"}}, nil)
	w.must(err)
	text, err := jwt.Signed(signer).Claims(map[string]any{"iss": site + "/sample-sign-in/sample-administrators", "sub": "900000000301", "aud": "carerecord", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(),
		"jti": rand.Text(), "events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}).Serialize()
	w.must(err)
	if got := w.post("/oauth/logout/sample-administrators", url.Values{"logout_token": {text}}); got.code != 200 {
		t.Errorf("SMART-169: got %d %s", got.code, got.text)
	}
	if got := sentBack(t, b.ask("administration", "__clients", prompt("none"))); got.Get("error") != "login_required" {
		t.Errorf("SMART-169: the session goes on: %v", got)
	}
}

// watched is an engine that calls a function after a value of State was read.
type watched struct {
	*storetest.Reference
	after func(key string)
}

func (e *watched) Lookup(ctx context.Context, key string) ([]byte, error) {
	value, err := e.Reference.Lookup(ctx, key)
	if e.after != nil {
		e.after(key)
	}
	return value, err
}

// TestGrantAndNarrowerRegistration: a narrower registration that comes into force while a person decides ends what the decision grants by
// the one before (SMART-065, 236).
func TestGrantAndNarrowerRegistration(t *testing.T) {
	var e *watched
	w := openWorld(t, func(clock func() time.Time) engine {
		e = &watched{Reference: storetest.NewReference(clock)}
		return e
	}, 1)
	b := w.browser()
	b.ask("app", "patient/*.rs")
	b.signIn("ann")
	e.after = func(key string) {
		if key != "smart/client/"+w.ids["app"] {
			return
		}
		e.after = nil
		w.now = w.now.Add(time.Millisecond)
		c, err := w.smart[0].Clients.Get(t.Context(), w.ids["app"])
		w.must(err)
		with := *c
		with.Scopes = "patient/Condition.rs"
		proposed, err := w.smart[0].Clients.Change(t.Context(), "ann", c.ID, with)
		w.must(err)
		_, err = w.smart[0].Clients.Approve(t.Context(), "bob", c.ID, proposed.Digest())
		w.must(err)
		w.now = w.now.Add(time.Millisecond)
	}
	location := b.allow()
	w.now = w.now.Add(time.Second)
	if a := w.exchange("app", sentBack(t, location).Get("code")); a.code == 200 {
		t.Errorf("SMART-236: the client has %s by its registration before", a.str("scope"))
	}
}

// TestConfirmedOnDevice: any program of a device may open a port or register a scheme, so nobody's session gives such a client a code
// without an act of the person (SMART-222, RFC 8252 section 8.6).
func TestConfirmedOnDevice(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, to := range []string{"http://127.0.0.1/back", "uk.example.app:/back"} {
		w.add(to, clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{to}})
		w.approve(to, "T1", "user/Condition.rs")
		there := func(v url.Values) { v.Set("redirect_uri", to) }
		b := w.browser()
		b.ask(to, "user/Condition.rs", there)
		if location := b.signIn("doctor"); location != "" || !has(b.forms(), "decision") {
			t.Errorf("SMART-222: %s: got %q without a page", to, location)
		}
		if location := b.ask(to, "user/Condition.rs", there, prompt("none")); !strings.Contains(location, "consent_required") {
			t.Errorf("SMART-222: %s with prompt=none: got %q", to, location)
		}
		c := clients.Client{Name: "Administration", Kind: clients.Public, Audience: []string{clients.ForAdministrators}, Rights: []string{clients.RightClients}, Purposes: []string{"HOPERAT"}, RedirectURIs: []string{to}}
		if _, err := w.smart[0].Clients.Add(t.Context(), "ann", c); err == nil {
			t.Errorf("SMART-209: an app for administrators with %s is registered", to)
		}
	}
}

// TestFailuresOfOthers: failures at an address do not block a client that authenticates by an assertion there, and long names of clients
// fill no memory (SMART-482, 483, T44).
func TestFailuresOfOthers(t *testing.T) {
	w := newWorld(t, nil, 1)
	here := func(r *http.Request) { r.RemoteAddr = "192.0.2.251:9" }
	codes := map[int]int{}
	for range 601 {
		codes[w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {clientauth.AssertionType}, "client_assertion": {w.assertion("nobody")}}, here).code]++
		codes[w.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"cr_rt_x"}}, here).code]++
	}
	if codes[429] != 2 {
		t.Errorf("SMART-482: got %v", codes)
	}
	form, _ := w.as("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {"__launch"}})
	if a := w.post("/oauth/token", form, here); a.code != 200 {
		t.Errorf("SMART-483: a backend client at the same address: got %d %s", a.code, a.text)
	}
	before, after := runtime.MemStats{}, runtime.MemStats{}
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1000 {
		w.post("/oauth/revoke", url.Values{"token": {"x"}, "client_id": {fmt.Sprint(i) + strings.Repeat("x", 60_000)}}, here)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(w)
	if after.HeapAlloc > before.HeapAlloc+20<<20 {
		t.Errorf("SMART-T44: 1000 requests have left %d MB", (after.HeapAlloc-before.HeapAlloc)>>20)
	}
}

// TestLimitsByNetwork: the addresses of one IPv6 network share a counter (SMART-482).
func TestLimitsByNetwork(t *testing.T) {
	w := newWorld(t, nil, 1)
	codes := map[int]int{}
	for i := range 700 {
		r := w.request("GET", site+"/oauth/authorize?"+w.authorization("app", "patient/*.rs").Encode(), "")
		r.RemoteAddr = fmt.Sprintf("[2001:db8::%x]:9", i+1)
		codes[w.do(r).Code]++
	}
	if codes[429] != 100 {
		t.Errorf("SMART-482: got %v, want 600 of one network", codes)
	}
}

// TestUserOfAnother: a name of the policy that is given to somebody else gives nothing of the one to the other: neither the tokens, nor
// the session, nor the decisions (SMART-185, 210).
func TestUserOfAnother(t *testing.T) {
	w := newWorld(t, nil, 1)
	const scope = "openid patient/Patient.rs offline_access"
	b := w.browser()
	a := w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	if got := w.get(a.str("access_token"), "Patient"); got.code != 200 || !strings.Contains(got.text, "t1.ann") {
		t.Fatalf("got %d %s", got.code, got.text)
	}
	for i := range w.policy.People {
		if p := &w.policy.People[i]; p.User == "ann" {
			p.Subject, p.Patient, p.BirthDate = "nhs-login-9", bobsNumber, "1970-03-04"
		}
	}
	if got := w.get(a.str("access_token"), "Patient"); got.code != 401 {
		t.Errorf("SMART-185: the token of the one who had the name: got %d %s", got.code, got.text)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-185: the refresh token: got %d %s", got.code, got.text)
	}
	if got := sentBack(t, b.ask("app", scope)); got.Get("error") != "access_denied" {
		t.Errorf("SMART-185: the session: got %v and %d at %s", got, b.page.code, b.at)
	}
	if b.open(site + "/browse/"); strings.Contains(b.page.text, "/browse/patient/") {
		t.Error("SMART-185: the session browses")
	}
	if b.open(site + "/my/apps"); b.page.code != 400 {
		t.Errorf("SMART-185: the page of apps: got %d", b.page.code)
	}
}

// TestRefreshAfterAgreement: an organisation that has left the agreement gets no more tokens (SMART-204, 346).
func TestRefreshAfterAgreement(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("desk", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, Offline: true})
	a := w.exchange("desk", w.browser().journey("desk", "user/Condition.rs offline_access", "doctor", "").Get("code"))
	code := w.browser().journey("desk", "user/Condition.rs", "nurse", "").Get("code")
	w.policy.Agreement.Organisations = []string{"G1"}
	if got := w.get(a.str("access_token"), "Condition"); got.code < 400 {
		t.Errorf("SMART-204: the record: got %d", got.code)
	}
	if got := w.token("desk", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-346: got %d %s", got.code, got.text)
	}
	if got := w.exchange("desk", code); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-320: a code: got %d %s", got.code, got.text)
	}
}

// TestLaunchTexts: the launch API answers for a hidden patient or encounter as for an unknown one (SMART-127, 252).
func TestLaunchTexts(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Patient", "secret", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"identifier":[{"system":"`+nhs+`","value":"9990000042"}],"birthDate":"1960-01-02"`)
	w.put("Encounter", "secret-e", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/t1.secret"}`)
	token := w.backend("ehr", "__launch")
	seen := map[string]int{}
	for _, with := range []map[string]any{{"patient": "t1.secret"}, {"patient": "t1.unknown"}, {"nhs_number": "9990000042"}, {"nhs_number": "9990000050"}, {"patient": "t1.ann", "encounter": "t1.secret-e"}, {"patient": "t1.ann", "encounter": "t1.unknown"},
		{"patient": "t1.ann", "fhirContext": []map[string]any{{"reference": "Patient/t1.secret", "role": "https://x.example/role"}}}, {"patient": "t1.ann", "fhirContext": []map[string]any{{"reference": "Patient/t1.unknown", "role": "https://x.example/role"}}}, {"patient": "t1.secret", "encounter": "t1.secret-e"}} {
		with["client_id"], with["user"] = w.ids["clinical"], "doctor"
		got := w.announce(token, with)
		got.header.Del("X-Request-Id")
		seen[fmt.Sprint(got.code, got.text, got.header)]++
	}
	if len(seen) != 1 {
		t.Errorf("SMART-127: got %v", seen)
	}
}

// TestContextOfTwoSpellings: what an app is told of fhirContext is what was checked: a member with another spelling is refused (SMART-127).
func TestContextOfTwoSpellings(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.backend("ehr", "__launch")
	announce := func(fhirContext string) answer {
		r := w.request("POST", site+"/oauth/launch", `{"client_id":"`+w.ids["clinical"]+`","user":"doctor","patient":"t1.bob","fhirContext":`+fhirContext+`}`)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		return read(w.do(r))
	}
	for _, twice := range []string{
		`[{"reference":"Condition/t1.hidden","Reference":"Condition/t1.bob-c"}]`, `[{"Reference":"Condition/t1.bob-c"}]`, `[{"reference":"Condition/t1.bob-c","ROLE":"x"}]`, `[{"reference":1}]`, `[1]`, `{}`,
		`[{"canonical":"https://x.example/q","type":"Questionnaire","more":1}]`, `[{"identifier":null}]`, `[{"reference":"Condition/t1.hidden","reference":"Condition/t1.bob-c"}]`,
	} {
		if got := announce(twice); got.code != 400 {
			t.Errorf("SMART-127: %s: got %d %s, want 400", twice, got.code, got.text)
		}
	}
	got := announce(`[{"reference":"Condition/t1.bob-c"}]`)
	back := w.browser().journey("clinical", "launch user/Condition.rs", "doctor", "", func(v url.Values) { v.Set("launch", got.str("launch")) })
	if told := w.exchange("clinical", back.Get("code")).text; !strings.Contains(told, `"fhirContext":[{"reference":"Condition/t1.bob-c"}]`) || strings.Contains(told, "hidden") {
		t.Errorf("SMART-127: the app is told %s", told)
	}
}

// TestTwoRefusals: of two posts of a refusal one ends the transaction, with one record and one way back (SMART-089, 494).
func TestTwoRefusals(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browserOf("ann")
	f := b.forms()["decision"]
	if back := sentBack(t, b.send(f, url.Values{"decision": {"refuse"}})); back.Get("error") != "access_denied" {
		t.Errorf("SMART-089: got %v", back)
	}
	if location := b.send(f, url.Values{"decision": {"refuse"}}); location != "" {
		t.Errorf("a second refusal leads to %s", location)
	}
	if n := w.recorded("authorization-refused"); n != 1 {
		t.Errorf("SMART-494: there are %d records of the refusal", n)
	}
	carer := w.browser()
	carer.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode())
	carer.signIn("carer")
	for range 3 {
		carer.open(site + carer.at)
	}
	if n := w.recorded("authorization-refused"); n != 2 {
		t.Errorf("SMART-494: a page that was loaded four times made %d records", n-1)
	}
	if back := sentBack(t, carer.submit("leave", nil)); back.Get("error") != "access_denied" || w.recorded("authorization-refused") != 2 {
		t.Errorf("SMART-147: got %v and %d records", back, w.recorded("authorization-refused")-1)
	}
}

// recorded counts the records of an event.
func (w *world) recorded(name string) (n int) {
	w.Helper()
	for r, err := range w.engine.Records(w.Context(), 1) {
		w.must(err)
		if gjson.GetBytes(r.Payload, "interaction").Str == name {
			n++
		}
	}
	return n
}
