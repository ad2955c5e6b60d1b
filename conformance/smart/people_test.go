package smart

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/printed"
)

// values are what differs between two pages of one kind.
var values = regexp.MustCompile(`cr_tx_[A-Za-z0-9_-]+|cr_xs_[A-Za-z0-9_-]+|name="transaction" value="[^"]*"`)

// TestSMART147: a patient without a usable record sees what to do next, and a button leads back to the app with access_denied. The
// page is the same whether there is no record or it is withheld.
func TestSMART147(t *testing.T) {
	w := newWorld(t, nil, 1)
	texts := map[string]string{}
	stop := func(name, user string) {
		t.Helper()
		b := w.browser()
		b.ask("app", "patient/*.rs openid")
		if location := b.signIn(user); location != "" || b.page.code != http.StatusForbidden || !has(b.forms(), "leave") {
			t.Errorf("SMART-147: %s: got %d and %q, want a page", name, b.page.code, location)
			return
		}
		texts[values.ReplaceAllString(b.page.text, "")] = name
		forged := &browser{w: w, cookies: b.cookies, origin: "https://evil.example"}
		if forged.send(b.forms()["leave"], nil) != "" || forged.page.code != http.StatusForbidden {
			t.Errorf("SMART-163, T10: %s: the form from another origin: got %d", name, forged.page.code)
		}
		back := sentBack(t, b.submit("leave", nil))
		if back.Get("error") != "access_denied" || back.Get("state") != "the state" || back.Get("iss") != base || back.Get("code") != "" {
			t.Errorf("SMART-147, 089: %s: got %v", name, back)
		}
		if location := b.ask("app", "patient/*.rs", prompt("none")); sentBack(t, location).Get("error") != "access_denied" {
			t.Errorf("SMART-097: %s with prompt=none: got %q", name, location)
		}
	}
	stop("no record", "stranger")
	w.put("Patient", "ann", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"identifier":[{"system":"`+nhs+`","value":"`+annsNumber+`"}],"birthDate":"1960-01-02"`)
	stop("a withheld record", "ann")
	if len(texts) != 1 {
		t.Errorf("SMART-147: there are %d pages: %v", len(texts), texts)
	}
}

// put stores a resource as the source system of T1.
func (w *world) put(typ, id, body string) {
	w.Helper()
	if a := w.send("PUT", "feed", typ+"/t1."+id, body); a.Code >= 300 {
		w.Fatalf("put %s/%s: %d %s", typ, id, a.Code, a.Body)
	}
}

// send sends a request about a resource as a source system. The body is without the members that the address gives.
func (w *world) send(method, feed, address, body string) *httptest.ResponseRecorder {
	w.Helper()
	token, _, err := w.smart[0].Printed.Issue(w.Context(), "test", printed.Request{Client: feed})
	w.must(err)
	typ, id, _ := strings.Cut(address, "/")
	if body != "" {
		body = `{"resourceType":"` + typ + `","id":"` + id + `",` + body + `}`
	}
	r := w.request(method, base+"/"+address, body)
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Authorization", "Bearer "+token)
	return w.do(r)
}

// TestProxies: a proxy is refused with a page and uses no app, since there are no authorities yet (SMART-143, 258, 346, 383, 406). No
// grant of a proxy gives anything.
func TestProxies(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.ask("app", "patient/*.rs openid fhirUser")
	if location := b.signIn("carer"); location != "" || b.page.code != http.StatusForbidden || !strings.Contains(b.page.text, "You cannot act for another person here") {
		t.Fatalf("SMART-143: got %d and %q", b.page.code, location)
	}
	if back := sentBack(t, b.submit("leave", nil)); back.Get("error") != "access_denied" {
		t.Errorf("SMART-143: got %v", back)
	}
	if back := sentBack(t, b.ask("app", "patient/*.rs", prompt("none"))); back.Get("error") != "access_denied" {
		t.Errorf("SMART-143: with prompt=none: got %v", back)
	}
	b.ask("clinical", "user/*.rs")
	if b.signIn("doctor"); !has(b.forms(), "decision") {
		t.Errorf("staff in the browser of a proxy: got %d", b.page.code)
	}
	if _, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids["app"], User: "carer"}); err == nil {
		t.Error("SMART-258: a proxy has a printed token")
	}
	// Somebody with a grant who is a proxy now has nothing (SMART-346).
	a := w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "bob", "").Get("code"))
	for i, p := range w.policy.People {
		if p.User == "bob" {
			w.policy.People[i].Kind = policy.KindProxy
		}
	}
	if got := w.get(a.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-258: got %d", got.code)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-346: got %s", got.text)
	}
}

// TestSMART203: a member of staff with several roles chooses one; the choice belongs to the transaction, and the grant has exactly one
// role and one organisation (SMART-205). The session id changes (SMART-161, T36). Somebody without a role is refused with a page.
func TestSMART203(t *testing.T) {
	w := newWorld(t, nil, 2)
	b := w.browser()
	b.ask("clinical", "user/Condition.rs")
	b.signIn("locum")
	f := b.forms()["role"]
	if got := strings.Join(f.offers["role"], ","); got != "T1 R1,G1 R3" {
		t.Fatalf("SMART-203, 204: got the roles %q, want those at organisations with an agreement", got)
	}
	before := b.cookies["carerecord-staff"]
	old := &browser{w: w, cookies: map[string]string{}, origin: site}
	for k, v := range b.cookies {
		old.cookies[k] = v
	}
	for name, value := range map[string]string{"nothing": "", "a role that was not offered": "X1 R1", "somebody else's": "T1 R3"} {
		if b.submit("role", url.Values{"role": {value}}); b.page.code != http.StatusBadRequest || !has(b.forms(), "role") {
			t.Errorf("SMART-203: %s: got %d", name, b.page.code)
		}
		if b.open(site + b.at); b.page.code != 200 || !has(b.forms(), "role") { // as after a change of the language
			t.Errorf("SMART-203: %s: the page loaded again: got %d", name, b.page.code)
		}
	}
	other := w.browser() // another tab of another person has a role page of its own
	other.ask("clinical", "user/Condition.rs")
	other.signIn("locum")
	if location := b.send(other.forms()["role"], url.Values{"role": {"G1 R3"}}); location != "" || b.page.code < 400 {
		t.Errorf("SMART-163: the form of another browser: got %d", b.page.code)
	}
	b.open(site + "/oauth/transaction/" + other.transaction())
	b.ask("clinical", "user/Condition.rs")
	b.submit("role", url.Values{"role": {"G1 R3"}})
	if !has(b.forms(), "decision") {
		t.Fatalf("SMART-203: got %d at %s", b.page.code, b.at)
	}
	if now := b.cookies["carerecord-staff"]; now == before || now == "" {
		t.Errorf("SMART-161: the session id is as before")
	}
	if old.open(site + "/my/apps"); old.at == "/my/apps" {
		t.Errorf("SMART-161, T36: the session id of before the choice still works")
	}
	first := b.at
	// A second tab chooses the other role: two tabs never mix.
	b.ask("clinical", "user/Condition.rs", func(v url.Values) { v.Set("state", "second") })
	if b.submit("role", url.Values{"role": {"T1 R1"}}); !has(b.forms(), "decision") {
		t.Fatalf("SMART-203: the second tab: got %d", b.page.code)
	}
	second := w.exchange("clinical", sentBack(t, b.allow()).Get("code"))
	b.open(site + first)
	a := w.exchange("clinical", sentBack(t, b.allow()).Get("code"))
	for name, c := range map[string]struct {
		token, role, organisation string
	}{"first tab": {a.str("access_token"), "R3", "G1"}, "second tab": {second.str("access_token"), "R1", "T1"}} {
		active, err := w.smart[0].Grants.Resolve(t.Context(), c.token)
		if err != nil || active.Grant.Role != c.role || active.Grant.Organisation != c.organisation {
			t.Errorf("SMART-163, 205: the %s: got the role %q at %q (%v)", name, active.Grant.Role, active.Grant.Organisation, err)
		}
		if got := w.get(c.token, "Condition"); got.code != 200 {
			t.Errorf("SMART-205: the %s: got %d", name, got.code)
		}
	}
	if !w.audited("role-choice", "client/"+w.ids["clinical"]) {
		t.Errorf("SMART-203: the audit trail has no choice of a role")
	}
	if back := sentBack(t, b.ask("clinical", "user/Condition.rs", prompt("none"))); back.Get("error") != "interaction_required" {
		t.Errorf("SMART-097: with prompt=none: got %v", back)
	}
	// A role that is gone ends the tokens of it, and those of the other role go on.
	for i, p := range w.policy.People {
		if p.User == "locum" {
			w.policy.People[i].Roles = nil
		}
	}
	if x, y := w.get(a.str("access_token"), "Condition").code, w.get(second.str("access_token"), "Condition").code; x != 401 || y != 200 {
		t.Errorf("SMART-205, 346: after one role has ended: got %d and %d", x, y)
	}

	none := w.browser()
	none.ask("clinical", "user/Condition.rs")
	if location := none.signIn("newcomer"); location != "" || none.page.code != http.StatusForbidden || !strings.Contains(none.page.text, "You have no role here") {
		t.Errorf("SMART-203: nobody's role: got %d and %q", none.page.code, location)
	}
	if back := sentBack(t, none.submit("leave", nil)); back.Get("error") != "access_denied" {
		t.Errorf("SMART-203: nobody's role: got %v", back)
	}
}

// TestSMART208: a role that a person does not have at a sign-in ends the grants made in it, also for the time when the person has it again.
func TestSMART208(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	tokens := map[string]answer{}
	for _, role := range []string{"T1 R1", "G1 R3"} {
		b.ask("clinical", "user/Condition.rs", prompt("consent"))
		b.inRole("locum", role)
		tokens[role] = w.exchange("clinical", sentBack(t, b.allow()).Get("code"))
	}
	at := slices.IndexFunc(w.policy.People, func(p policy.Person) bool { return p.User == "locum" })
	roles := w.policy.People[at].Roles
	sees := func(what string, want map[string]int) {
		t.Helper()
		for role, code := range want {
			if got := w.get(tokens[role].str("access_token"), "Condition").code; got != code {
				t.Errorf("SMART-208: %s: the token of %s: got %d, want %d", what, role, got, code)
			}
		}
	}
	w.policy.People[at].Roles = nil
	sees("without the role", map[string]int{"T1 R1": 200, "G1 R3": 401})
	w.now = w.now.Add(time.Second)
	b.ask("clinical", "user/Condition.rs", prompt("login"))
	b.signIn("locum")
	w.policy.People[at].Roles = roles
	sees("with the role again", map[string]int{"T1 R1": 200, "G1 R3": 401})
}

// inRole signs somebody in, if nobody is, and chooses a role.
func (b *browser) inRole(user, role string) {
	b.w.Helper()
	if !has(b.forms(), "role") {
		b.signIn(user)
	}
	b.submit("role", url.Values{"role": {role}})
}

// TestRolesOfLaunches: in a launch the role is one at the organisation of the EHR, and for an app of one organisation one at that
// (SMART-121, 203, 204).
func TestRolesOfLaunches(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "locum", "patient": "t1.bob"})
	if a.code != 201 {
		t.Fatalf("got %d %s", a.code, a.text)
	}
	got := w.exchange("clinical", w.browser().journey("clinical", "launch user/Condition.rs", "locum", "", func(v url.Values) { v.Set("launch", a.str("launch")) }).Get("code"))
	active, err := w.smart[0].Grants.Resolve(t.Context(), got.str("access_token"))
	if err != nil || active.Grant.Organisation != "T1" {
		t.Errorf("SMART-121: got the organisation %q (%v)", active.Grant.Organisation, err)
	}
	w.add("practice", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, Organisation: "G1"})
	got = w.exchange("practice", w.browser().journey("practice", "user/Condition.rs", "locum", "").Get("code"))
	active, err = w.smart[0].Grants.Resolve(t.Context(), got.str("access_token"))
	if err != nil || active.Grant.Organisation != "G1" || active.Grant.Role != "R3" {
		t.Errorf("SMART-204: got %q at %q (%v)", active.Grant.Role, active.Grant.Organisation, err)
	}
	b := w.browser()
	b.ask("practice", "user/Condition.rs")
	if back := sentBack(t, b.signIn("doctor")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-204: a user of another organisation: got %v", back)
	}
}

// TestSMART160: somebody else who signs in ends the transactions, the online grants and the codes of the user before, in this browser
// and for this kind of people. Patients and staff have cookies of different names.
func TestSMART160(t *testing.T) {
	w := newWorld(t, nil, 2)
	token := w.backend("ehr", "__launch")
	handle := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	b := w.browser()
	online := w.exchange("clinical", b.journey("clinical", "launch patient/Observation.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	b.ask("clinical", "launch/patient patient/Observation.rs")
	transaction := b.at
	b.ask("app", "patient/Observation.rs")
	if b.signIn("ann"); b.cookies["carerecord-staff"] == "" || b.cookies["carerecord-patient"] == "" {
		t.Fatalf("SMART-160: got the cookies %v", b.cookies)
	}
	patients := b.at
	elsewhere := w.browser()
	elsewhere.ask("clinical", "launch/patient patient/Observation.rs")
	elsewhere.signIn("doctor")

	w.now = w.now.Add(time.Second)
	b.ask("clinical", "user/Condition.rs openid", prompt("login"))
	own := b.transaction()
	b.signIn("doctor")
	if b.open(site + transaction); b.page.code != 200 {
		t.Errorf("SMART-160: the same user signs in again: got %d", b.page.code)
	}
	w.now = w.now.Add(time.Second)
	b.ask("clinical", "user/Condition.rs openid", prompt("login"))
	b.signIn("nurse")
	if b.page.code != 200 || !has(b.forms(), "decision") {
		t.Errorf("SMART-160: the transaction of the sign-in: got %d", b.page.code)
	}
	for name, path := range map[string]string{"the transaction of the doctor": transaction, "another one of the doctor": "/oauth/transaction/" + own} {
		if b.open(site + path); b.page.code != 400 {
			t.Errorf("SMART-160: %s: got %d", name, b.page.code)
		}
	}
	if b.open(site + patients); b.page.code != 200 || !has(b.forms(), "decision") {
		t.Errorf("SMART-160: the transaction of a patient: got %d", b.page.code)
	}
	if elsewhere.open(site + elsewhere.at); elsewhere.page.code != 200 {
		t.Errorf("SMART-160: the doctor in another browser: got %d", elsewhere.page.code)
	}
	if got := w.get(online.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-160: an online token of the doctor: got %d", got.code)
	}
	if got := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {online.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-160: an online refresh token of the doctor: got %s", got.text)
	}

	// The code of a session that somebody else ends.
	c := w.browser()
	code := c.journey("clinical", "user/Condition.rs", "doctor", "").Get("code")
	w.now = w.now.Add(time.Second)
	c.ask("clinical", "user/Condition.rs", prompt("login"))
	c.signIn("nurse")
	if got := w.exchange("clinical", code); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-160: a code of the doctor: got %d %s", got.code, got.text)
	}

	// The session has ended by itself.
	d := w.browser()
	d.ask("clinical", "launch/patient patient/Observation.rs")
	d.signIn("doctor")
	for range 28 { // nearly twelve hours of work
		w.now = w.now.Add(25 * time.Minute)
		d.ask("clinical", "launch/patient patient/Observation.rs")
	}
	w.now = w.now.Add(15 * time.Minute)
	d.ask("clinical", "launch/patient patient/Observation.rs")
	transaction = d.at
	w.now = w.now.Add(6 * time.Minute)
	d.ask("clinical", "user/Condition.rs")
	if d.signIn("nurse"); !has(d.forms(), "decision") || !strings.HasPrefix(transaction, "/oauth/transaction/") {
		t.Fatalf("got %d, and before %s", d.page.code, transaction)
	}
	if d.open(site + transaction); d.page.code != 400 {
		t.Errorf("SMART-160: the transaction of a session that has ended: got %d", d.page.code)
	}
}
