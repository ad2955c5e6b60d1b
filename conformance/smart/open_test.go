package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/store/storetest"
)

// launchable registers an app for patients that our pages can open.
func (w *world) launchable() {
	w.Helper()
	w.add("launchable", clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, RedirectURIs: []string{redirect}, LaunchURLs: []string{"https://app.example/launch?x=1", "https://app.example/other"}})
}

// opened presses the button that opens an app, and returns the handle with which the browser leaves, "" for none.
func (b *browser) opened() string {
	b.w.Helper()
	f, ok := b.forms()["open"]
	if !ok {
		b.w.Fatalf("SMART-120: the page at %s has no button: %d", b.at, b.page.code)
	}
	u, err := url.Parse(b.send(f, nil))
	b.w.must(err)
	return u.Query().Get("launch")
}

// using returns a browser on the page of the apps of Ann, who uses an app that our pages can open and one that they cannot.
func (w *world) using() *browser {
	w.Helper()
	b := w.browser()
	for _, name := range []string{"app", "launchable"} {
		w.exchange(name, b.journey(name, "patient/*.rs", "ann", "").Get("code"))
	}
	b.open(site + "/my/apps")
	return b
}

// TestOpenApp: a patient opens an app that the patient uses from the page of the apps, and the app gets a token with the own record in context,
// after the pages of the authorization (SMART-120, 122). The browser comes to the app by a page of ours (SMART-166).
func TestOpenApp(t *testing.T) {
	w := newWorld(t, nil, 2)
	w.launchable()
	b := w.using()
	if n := strings.Count(b.page.text, `action="/my/apps/open"`); n != 1 || !strings.Contains(b.page.text, "Open The launchable") {
		t.Fatalf("SMART-120: got %d buttons: %s", n, b.page.text)
	}
	f := b.forms()["open"]
	b.stay = true
	if b.send(f, nil); b.page.code != 200 || strings.Contains(b.page.text, "cr_lh_") || strings.Contains(b.page.text, "app.example") || !strings.Contains(b.page.text, "The launchable opens") {
		t.Fatalf("SMART-166: got %d at %s: %s", b.page.code, b.at, b.page.text)
	}
	to := b.open(site + b.at + "/app")
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, "https://app.example/launch?x=1&") || u.Query().Get("iss") != base || b.page.code != http.StatusSeeOther || b.page.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("SMART-122: got %q with %v", to, b.page.header)
	}
	b.stay = false
	handle := u.Query().Get("launch")
	location := b.ask("launchable", "launch patient/Observation.rs openid", func(v url.Values) { v.Set("launch", handle) })
	if location == "" {
		location = b.allow()
	}
	got := w.exchange("launchable", sentBack(t, location).Get("code"))
	if got.code != 200 || got.str("patient") != "t1.ann" || gjson.Get(w.get(got.str("access_token"), "Observation").text, "total").Int() != 2 {
		t.Errorf("SMART-120, 370: got %d %s", got.code, got.text)
	}
	if !w.audited("launch-announce", "client/"+w.ids["launchable"]) {
		t.Error("SMART-494: the audit trail has no launch")
	}
}

// TestOpenAppRefused: the handle is for this user and this app, once and for five minutes. Nothing opens without the form of the session, or where
// the app is suspended, was stopped or is none that our pages can open (SMART-120, 121, 124, 125, 163).
func TestOpenAppRefused(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.launchable()
	b := w.using()
	with := func(handle string) func(url.Values) { return func(v url.Values) { v.Set("launch", handle) } }
	const scope = "launch patient/Observation.rs"

	if got := sentBack(t, b.ask("app", scope, with(b.opened()))); got.Get("error") != "invalid_request" || got.Get("code") != "" {
		t.Errorf("SMART-124: another client: got %v", got)
	}
	b.open(site + "/my/apps")
	bob := w.browser()
	bob.ask("launchable", scope, with(b.opened()))
	if bob.signIn("bob"); bob.page.code != http.StatusForbidden || strings.Contains(bob.page.text, "nn Other") || has(bob.forms(), "decision") {
		t.Errorf("SMART-125: another user: got %d at %s", bob.page.code, bob.at)
	}
	b.open(site + "/my/apps")
	handle := b.opened()
	b.ask("launchable", scope, with(handle))
	if got := sentBack(t, b.ask("launchable", scope, with(handle))); got.Get("error") != "invalid_request" {
		t.Errorf("SMART-121: a second time: got %v", got)
	}
	b.open(site + "/my/apps")
	handle = b.opened()
	w.now = w.now.Add(5 * time.Minute)
	if got := sentBack(t, b.ask("launchable", scope, with(handle))); got.Get("error") != "invalid_request" {
		t.Errorf("SMART-121: after five minutes: got %v", got)
	}

	b.open(site + "/my/apps")
	f := b.forms()["open"]
	other := w.browser()
	other.journey("app", "patient/*.rs", "bob", "")
	for name, c := range map[string]struct {
		from *browser
		form form
		with url.Values
		code int
	}{
		"another origin":        {&browser{w: w, cookies: b.cookies, origin: "https://evil.example"}, f, nil, 403},
		"no CSRF value":         {b, f, url.Values{"csrf": nil}, 403},
		"nobody is signed in":   {w.browser(), f, nil, 403},
		"another session":       {other, f, nil, 403},
		"no grant":              {b, f, url.Values{"grant": {"none"}}, 404},
		"an app without a page": {b, f, url.Values{"grant": {grantOf(w, "ann", "app")}}, 404},
		"somebody else's grant": {b, f, url.Values{"grant": {grantOf(w, "bob", "app")}}, 404},
	} {
		if location := c.from.send(c.form, c.with); location != "" || c.from.page.code != c.code {
			t.Errorf("SMART-120, 163: %s: got %d at %s and %q, want %d", name, c.from.page.code, c.from.at, location, c.code)
		}
	}
	b.stay = true
	b.send(f, nil)
	at := b.at
	for _, path := range []string{at, at + "/app"} {
		if location := other.open(site + path); location != "" || other.page.code != 400 {
			t.Errorf("SMART-163: %s in another browser: got %d and %q", path, other.page.code, location)
		}
	}
	if location := b.open(site + at + "/app"); location == "" {
		t.Fatalf("got %d", b.page.code)
	}
	if location := b.open(site + at + "/app"); location != "" || b.page.code != 400 {
		t.Errorf("SMART-120: the step a second time: got %d and %q", b.page.code, location)
	}
	b.send(f, nil)
	at = b.at
	w.now = w.now.Add(time.Minute)
	if location := b.open(site + at + "/app"); location != "" || b.page.code != 400 {
		t.Errorf("SMART-120: the step after a minute: got %d and %q", b.page.code, location)
	}
	b.send(f, nil)
	at = b.at
	_, err := w.smart[0].Clients.Suspend(t.Context(), "ann", w.ids["launchable"])
	w.must(err)
	if location := b.open(site + at + "/app"); location != "" || b.page.code != 404 {
		t.Errorf("SMART-065: the step of a client that was suspended: got %d and %q", b.page.code, location)
	}
	if b.send(f, nil); b.page.code != 404 {
		t.Errorf("SMART-065: the form of a client that is suspended: got %d", b.page.code)
	}
	if b.open(site + "/my/apps"); has(b.forms(), "open") {
		t.Error("SMART-065: there is a button for a client that is suspended")
	}
}

// grantOf returns the id of a grant of a user to a client.
func grantOf(w *world, user, client string) string {
	w.Helper()
	list, err := w.smart[0].Grants.OfUser(w.Context(), user)
	w.must(err)
	for _, g := range list {
		if g.Client == w.ids[client] {
			return g.ID
		}
	}
	w.Fatalf("%s has no grant of %s", user, client)
	return ""
}

// TestOpenAppWithout: where launches are switched off there is no button and nothing opens, nor for staff, whose launches come from an EHR
// (SMART-006, 120).
func TestOpenAppWithout(t *testing.T) {
	without, err := capabilities.Without(capabilities.LaunchEHR)
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Capabilities = without })
	w.launchable()
	b := w.using()
	if has(b.forms(), "open") {
		t.Error("SMART-006: there is a button")
	}
	f := form{action: "/my/apps/open", fields: b.forms()["sign-out"].fields}
	if b.send(f, url.Values{"grant": {grantOf(w, "ann", "launchable")}}); b.page.code != 404 {
		t.Errorf("SMART-006: got %d", b.page.code)
	}
	w = newWorld(t, nil, 1)
	w.add("two", clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients, clients.ForClinicians}, Scopes: "patient/*.rs user/*.rs", Purposes: []string{"PATRQT", "TREAT"}, RedirectURIs: []string{redirect}, LaunchURLs: []string{"https://app.example/launch"}})
	staff := w.browser()
	staff.ask("two", "user/Condition.rs")
	staff.submit("kind", url.Values{"kind": {"staff"}})
	staff.signIn("doctor")
	staff.allow()
	if staff.open(site + "/my/apps"); has(staff.forms(), "open") || !strings.Contains(staff.page.text, "The two") {
		t.Errorf("SMART-120: staff: got %s", staff.page.text)
	}
}
