package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/interop/smart/clients"
)

// day sets the clock to some days after an instant.
func (w *world) day(began time.Time, days int) { w.now = began.AddDate(0, 0, days) }

// asked returns a browser in which somebody has signed in for an app, and whether a reminder was shown.
func (w *world) asked(user string) (b *browser, reminded bool) {
	w.Helper()
	b = w.browser()
	b.ask("app", "patient/*.rs offline_access", prompt("consent"))
	b.signIn(user)
	if b.page.code != http.StatusOK {
		w.Fatalf("got %d at %s", b.page.code, b.at)
	}
	return b, has(b.forms(), "reminder")
}

// TestSMART224: a person with an app that has offline access is reminded of it once a year, on the way to what the person is doing: not
// after 364 days, after 365, not on the next day, and again a year later. The years begin when the first app was allowed.
func TestSMART224(t *testing.T) {
	w := newWorld(t, nil, 2)
	began := w.now
	w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "ann", "").Get("code"))
	for _, c := range []struct {
		day  int
		want bool
	}{{1, false}, {300, false}, {364, false}, {365, true}, {366, false}, {729, false}, {730, true}, {731, false}} {
		w.day(began, c.day)
		b, got := w.asked("ann")
		if got != c.want {
			t.Fatalf("SMART-224: on day %d: got a reminder: %t, want %t", c.day, got, c.want)
		}
		if c.want {
			if !strings.Contains(b.page.text, "Apps that can use your record when you are not here") || !strings.Contains(b.page.text, "Stop The app") {
				t.Errorf("SMART-224: on day %d: got %s", c.day, b.page.text)
			}
			forged := &browser{w: w, cookies: b.cookies, origin: "https://evil.example"}
			if forged.send(b.forms()["reminder"], nil); forged.page.code != http.StatusForbidden {
				t.Errorf("SMART-163: the form from another origin: got %d", forged.page.code)
			}
			if b.open(site + b.at); !has(b.forms(), "reminder") {
				t.Errorf("SMART-224: the page loaded again, as after a change of the language: got %d at %s", b.page.code, b.at)
			}
			if b.submit("reminder", nil); !has(b.forms(), "decision") {
				t.Fatalf("SMART-224: after the reminder: got %d at %s", b.page.code, b.at)
			}
		}
		if code := sentBack(t, b.allow()).Get("code"); w.exchange("app", code).code != 200 {
			t.Errorf("SMART-224: on day %d the journey does not end", c.day)
		}
	}
	if !w.audited("reminder", "page/reminder") {
		t.Error("SMART-224: the audit trail has no reminder")
	}
}

// TestReminderOfApproved: the year begins with the first app with offline access, also where the organisation has approved the app and the
// person saw no page (SMART-220, 224).
func TestReminderOfApproved(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("chart", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, Offline: true})
	w.approve("chart", "T1", "user/Condition.rs offline_access")
	b, began := w.browser(), w.now
	reminded := func() bool {
		location := b.ask("chart", "user/Condition.rs offline_access")
		if strings.Contains(b.at, "/sample-sign-in/") {
			location = b.signIn("doctor")
		}
		if location == "" && !has(b.forms(), "reminder") {
			t.Fatalf("SMART-220: got %d at %s", b.page.code, b.at)
		}
		if location != "" {
			w.exchange("chart", sentBack(t, location).Get("code"))
		}
		return location == ""
	}
	for _, c := range []struct {
		day  int
		want bool
	}{{0, false}, {1, false}, {364, false}, {365, true}} {
		w.day(began, c.day)
		w.approve("chart", "T1", "user/Condition.rs offline_access")
		if got := reminded(); got != c.want {
			t.Errorf("SMART-224: on day %d: got a reminder: %v, want %v", c.day, got, c.want)
		}
	}
}

// TestNoReminder: nobody is reminded whose apps have no offline access, who was on the page of the apps within the year, or where no page
// may be shown (SMART-224). A reminder that is not answered stays due.
func TestNoReminder(t *testing.T) {
	w := newWorld(t, nil, 1)
	began := w.now
	w.exchange("both", w.browser().journey("both", "patient/*.rs", "bob", "").Get("code"))
	if _, got := w.asked("bob"); got {
		t.Error("SMART-224: a reminder of access that ends with the token")
	}
	w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "ann", "").Get("code"))
	w.day(began, 200)
	b, _ := w.asked("ann")
	w.exchange("app", sentBack(t, b.allow()).Get("code"))
	b.open(site + "/my/apps")
	if !w.audited("reminder", "page/apps") {
		t.Error("SMART-224: the audit trail has no visit of the apps")
	}
	w.day(began, 365)
	for _, user := range []string{"ann", "bob"} {
		if _, got := w.asked(user); got {
			t.Errorf("SMART-224: %s is reminded", user)
		}
	}
	w.day(began, 200+364)
	if _, got := w.asked("ann"); got {
		t.Error("SMART-224: a reminder 364 days after the page of the apps")
	}
	w.day(began, 200+365)
	if _, got := w.asked("ann"); got {
		t.Error("SMART-224: a reminder though all access has ended")
	}
	w.day(began, 200)
	w.exchange("secret", w.browser().journey("secret", "patient/*.rs offline_access", "bob", "").Get("code"))
	w.day(began, 600)
	// The year of Bob, which began on day 200, is over.
	c, got := w.asked("bob")
	if got {
		t.Fatal("SMART-224: a reminder though all access has ended")
	}
	w.exchange("app", sentBack(t, c.allow()).Get("code"))
	w.day(began, 700)
	w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "bob", "", prompt("consent")).Get("code"))
	w.day(began, 964)
	if _, got := w.asked("bob"); got {
		t.Error("SMART-224: a reminder within a year")
	}
	w.day(began, 965) // a new year began on day 600
	c, got = w.asked("bob")
	if !got {
		t.Fatal("SMART-224: no reminder a year after the access that began anew")
	}
	if back := sentBack(t, c.ask("app", "patient/*.rs", prompt("none"))); back.Get("error") != "consent_required" && back.Get("code") == "" {
		t.Errorf("SMART-097, 224: with prompt=none: got %v", back)
	}
	if _, got := w.asked("bob"); !got {
		t.Error("SMART-224: a reminder that was not answered is not shown again")
	}
}

// TestReminderBeforeOwnPages: the reminder comes before the pages of ours too, and leads on to them; the page stops an app with all that
// repeats its decision, and then shows the rest, or goes on (SMART-224, 405).
func TestReminderBeforeOwnPages(t *testing.T) {
	w := newWorld(t, nil, 2)
	began := w.now
	w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "ann", "").Get("code"))
	w.day(began, 300)
	for _, name := range []string{"app", "secret"} {
		w.exchange(name, w.browser().journey(name, "patient/*.rs offline_access", "ann", "", prompt("consent")).Get("code"))
	}
	refresh := w.exchange("app", w.browser().journey("app", "patient/*.rs offline_access", "ann", "").Get("code")).str("refresh_token")
	w.day(began, 365)
	for _, page := range []string{"/my/sessions", "/browse/"} {
		b := w.browser()
		b.open(site + page)
		b.submit("sign-in", url.Values{"kind": {"patient"}})
		if b.signIn("ann"); b.at != page || !has(b.forms(), "reminder") {
			t.Fatalf("SMART-224: %s: got %d at %s", page, b.page.code, b.at)
		}
		if none := (&browser{w: w, cookies: map[string]string{}, origin: site}); none.send(b.forms()["reminder"], nil) != "" || none.page.code != http.StatusForbidden {
			t.Errorf("SMART-163: the form without a session: got %d", none.page.code)
		}
		if b.open(site + strings.TrimSuffix(page, "/") + "/reminder"); b.at != page {
			t.Errorf("SMART-224: the path of the form, loaded: got %d at %s", b.page.code, b.at)
		}
	}
	b := w.browser()
	b.ask("both", "patient/Observation.rs")
	b.submit("kind", url.Values{"kind": {"patient"}})
	b.signIn("ann")
	list, err := w.smart[0].Grants.OfUser(t.Context(), "ann")
	w.must(err)
	of := map[string]string{}
	for _, g := range list {
		if g.Decision == "" {
			of[g.Client] = g.ID
		}
	}
	stop := func(name string) { b.submit("reminder", url.Values{"grant": {of[w.ids[name]]}}) }
	if stop("app"); !has(b.forms(), "reminder") || strings.Contains(b.page.text, "Stop The app") {
		t.Errorf("SMART-224: after one was stopped: got %d at %s", b.page.code, b.at)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-405: the token that repeats the decision: got %s", got.text)
	}
	if stop("secret"); !has(b.forms(), "decision") {
		t.Errorf("SMART-224: after all were stopped: got %d at %s", b.page.code, b.at)
	}
	sentBack(t, b.allow())
}
