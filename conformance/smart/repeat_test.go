package smart

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart/clients"
)

// page opens a request in a browser and returns the address to which the browser was sent away; "" for a page.
func (b *browser) ask(client, scope string, change ...func(url.Values)) string {
	b.w.Helper()
	params := b.w.authorization(client, scope)
	for _, f := range change {
		f(params)
	}
	return b.open(site + "/oauth/authorize?" + params.Encode())
}

// add registers another client.
func (w *world) add(name string, c clients.Client) {
	w.Helper()
	c.Name = "The " + name
	added, err := w.smart[0].Clients.Add(w.Context(), "ann", c)
	w.must(err)
	_, err = w.smart[0].Clients.Approve(w.Context(), "bob", added.ID, added.Digest())
	w.must(err)
	w.ids[name] = added.ID
	w.now = w.now.Add(time.Second)
}

func prompt(value string) func(url.Values) { return func(v url.Values) { v.Set("prompt", value) } }

// TestSMART222: a request within what was granted before, in force, for the same client, user and patient, needs no page. Anything
// else does (SMART-210).
func TestSMART222(t *testing.T) {
	w := newWorld(t, nil, 2)
	b := w.browser()
	const scope = "openid launch/patient patient/Observation.rs patient/Condition.rs offline_access"
	first := w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	if first.str("refresh_token") == "" {
		t.Fatalf("got %s", first.text)
	}
	asks := func(what, client, scope string, change ...func(url.Values)) {
		t.Helper()
		if location := b.ask(client, scope, change...); location != "" || !has(b.forms(), "decision") {
			t.Errorf("SMART-210: %s: got %q and %d, want the page", what, location, b.page.code)
		}
	}
	silent := func(what, client, scope string, change ...func(url.Values)) answer {
		t.Helper()
		location := b.ask(client, scope, change...)
		if location == "" {
			t.Errorf("SMART-222: %s: got the page at %s", what, b.at)
			return answer{}
		}
		return w.exchange(client, sentBack(t, location).Get("code"))
	}
	if a := silent("the same request", "app", scope); a.str("scope") != first.str("scope") || a.str("patient") != "t1.ann" {
		t.Errorf("SMART-222: got %s", a.text)
	}
	if a := silent("with prompt=none", "app", "patient/Condition.rs", prompt("none")); a.str("scope") != "patient/Condition.rs" {
		t.Errorf("SMART-097, 222: got %s, want no more than was asked for", a.text)
	}
	silent("a constrained scope", "app", "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory")
	asks("SMART-097: prompt=consent", "app", scope, prompt("consent"))
	asks("another type", "app", "patient/Encounter.rs")
	asks("another permission", "app", "patient/Condition.cruds")
	asks("another level", "app", "user/Condition.rs")
	asks("a scope that is not of resources", "app", "openid fhirUser patient/Condition.rs")
	asks("another client", "secret", "patient/Condition.rs")
	w.now = w.now.Add(17 * time.Minute)
	silent("after the life of a token", "app", scope)

	// The offline access of a repeat ends when the person was told.
	w.now = w.now.Add(364 * 24 * time.Hour)
	b = w.browser()
	b.ask("app", scope)
	back := sentBack(t, b.signIn("ann"))
	a := w.exchange("app", back.Get("code"))
	w.now = w.now.Add(24 * time.Hour)
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); a.str("refresh_token") == "" || got.str("error") != "invalid_grant" {
		t.Errorf("SMART-222, 347: after the year of the decision: got %s", got.text)
	}
	b = w.browser()
	b.ask("app", scope)
	if location := b.signIn("ann"); location != "" || !has(b.forms(), "decision") {
		t.Errorf("SMART-210: the decision has ended: got %q", location)
	}

	// Without offline access the decision lives as long as the tokens; a repeat does not prolong it.
	b.allow()
	w.now = w.now.Add(400 * 24 * time.Hour)
	b = w.browser()
	w.exchange("app", b.journey("app", "patient/Condition.rs", "ann", "").Get("code"))
	w.now = w.now.Add(10 * time.Minute)
	silent("ten minutes later", "app", "patient/Condition.rs")
	w.now = w.now.Add(10 * time.Minute)
	asks("after the first decision, with only a repeat in force", "app", "patient/Condition.rs")

	// A grant that was stopped counts no more, nor that of another user.
	b.allow()
	listed := func() int {
		b.open(site + "/my/apps")
		return strings.Count(b.page.text, `name="grant"`)
	}
	alone := listed()
	repeated := silent("before it is stopped", "app", "patient/Condition.rs")
	if n := listed(); n != alone {
		t.Errorf("SMART-222, 405: with a repeat %d decisions are listed, want %d", n, alone)
	}
	if got := w.get(repeated.str("access_token"), "Condition"); got.code != 200 {
		t.Errorf("SMART-222: got %d", got.code)
	}
	for b.open(site + "/my/apps"); has(b.forms(), "apps"); {
		b.submit("apps", nil)
	}
	if got := w.get(repeated.str("access_token"), "Condition"); got.code != 401 {
		t.Errorf("SMART-222, 405: a repeat after its decision was stopped: got %d", got.code)
	}
	asks("SMART-210: stopped by the person", "app", "patient/Condition.rs")
	b.allow()
	b = w.browser()
	b.ask("app", "patient/Condition.rs")
	if location := b.signIn("bob"); location != "" || !has(b.forms(), "decision") {
		t.Errorf("SMART-222: another user: got %q", location)
	}
}

// TestSMART222Redirects: a public client whose redirect URI anybody on the device may take has to ask each time; one that
// authenticates has not.
func TestSMART222Redirects(t *testing.T) {
	w := newWorld(t, nil, 1)
	patients := clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}}
	for name, c := range map[string]struct {
		kind     clients.Kind
		redirect string
		silent   bool
	}{
		"web":         {clients.Public, redirect, true},
		"loopback":    {clients.Public, "http://127.0.0.1/back", false},
		"scheme":      {clients.Public, "uk.example.app:/back", false},
		"with secret": {clients.Symmetric, "http://127.0.0.1/back", true},
	} {
		client := patients
		client.Kind, client.RedirectURIs = c.kind, []string{c.redirect}
		w.add(name, client)
		to := func(v url.Values) { v.Set("redirect_uri", c.redirect) }
		b := w.browser()
		b.ask(name, "patient/Condition.rs", to)
		b.signIn("ann")
		if location := b.allow(); !strings.HasPrefix(location, c.redirect+"?code=") {
			t.Fatalf("%s: got %q", name, location)
		}
		if location := b.ask(name, "patient/Condition.rs", to); (location != "") != c.silent || c.silent && !strings.Contains(location, "code=") {
			t.Errorf("SMART-222: %s: the second time: got %q", name, location)
		}
	}
}

// TestSMART222Staff: for staff the patient and the role are part of a decision.
func TestSMART222Staff(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.journey("clinical", "launch/patient patient/Condition.rs", "doctor", bobsNumber)
	for number, silent := range map[string]bool{bobsNumber: true, annsNumber: false} {
		b.ask("clinical", "launch/patient patient/Condition.rs")
		b.submit("search", url.Values{"number": {number}})
		location := b.submit("patient", url.Values{"patient": b.forms()["patient"].offers["patient"]})
		if (location != "") != silent || !silent && !has(b.forms(), "decision") {
			t.Errorf("SMART-222: the patient %s: got %q", number, location)
		}
	}
	locum := w.browser()
	locum.ask("clinical", "user/Condition.rs")
	locum.signIn("locum")
	locum.submit("role", url.Values{"role": {"G1 R3"}})
	locum.allow()
	for role, silent := range map[string]bool{"G1 R3": true, "T1 R1": false} {
		locum.ask("clinical", "user/Condition.rs")
		if location := locum.submit("role", url.Values{"role": {role}}); (location != "") != silent {
			t.Errorf("SMART-222: the role %s: got %q", role, location)
		}
	}
}

// TestSMART221: the decision is stored with who, for whom, what was asked and granted, the version of the texts, time and end; the
// audit trail has it, and tokens point to it.
func TestSMART221(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.ask("app", "patient/Observation.rs patient/Condition.rs offline_access")
	b.signIn("ann")
	back := sentBack(t, b.submit("decision", url.Values{"decision": {"allow"}, "group": {"Condition"}, "category": b.forms()["decision"].offers["category"], "offline": {"yes"}}))
	list, err := w.smart[0].Grants.OfUser(t.Context(), "ann")
	w.must(err)
	if len(list) != 1 {
		t.Fatalf("got %d grants", len(list))
	}
	g := list[0].Grant
	if g.User != "ann" || g.Client != w.ids["app"] || g.Patient != "t1.ann" || g.Person == "" || g.Requested != "patient/Observation.rs patient/Condition.rs offline_access" ||
		g.Scopes != "offline_access patient/Condition.rs" || g.Texts == "" || g.Decision != "" || !g.Made.Equal(w.now) || !g.Ends.Equal(w.now.AddDate(1, 0, 0)) {
		t.Errorf("SMART-221: got %+v", g)
	}
	if !w.audited("authorization", "grant/"+g.ID) {
		t.Errorf("SMART-221: the audit trail has no record of the decision")
	}
	a := w.exchange("app", back.Get("code"))
	active, err := w.smart[0].Grants.Resolve(t.Context(), a.str("access_token"))
	if err != nil || active.Grant.ID != g.ID {
		t.Errorf("SMART-221: the token points to %q (%v)", active.Grant.ID, err)
	}
	again := w.exchange("app", sentBack(t, b.ask("app", "patient/Condition.rs")).Get("code"))
	active, err = w.smart[0].Grants.Resolve(t.Context(), again.str("access_token"))
	if err != nil || active.Grant.Decision != "grant/"+g.ID {
		t.Errorf("SMART-221: a repeat points to the decision %q (%v)", active.Grant.Decision, err)
	}
}

// audited reports whether the audit trail has a record of an event.
func (w *world) audited(interaction, of string) bool {
	w.Helper()
	for r, err := range w.engine.Records(w.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == interaction && at.Get("type").Str == of {
			return true
		}
	}
	return false
}
