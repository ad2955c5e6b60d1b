package smart

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carerecord/consent/policy"
	"carerecord/interop/smart"
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store/storetest"
)

// online returns the answer with the tokens of an EHR launch with online access, by the doctor.
func (b *browser) online() answer {
	b.w.Helper()
	handle := b.w.announce(b.w.backend("ehr", "__launch"), map[string]any{"client_id": b.w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	back := b.journey("clinical", "launch patient/Observation.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) })
	return b.w.exchange("clinical", back.Get("code"))
}

// sessionsOf returns the sessions of a user.
func (w *world) sessionsOf(user string) []session.Session {
	w.Helper()
	person, _ := w.policy.Person(user)
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32)) // as the servers
	w.must(err)
	sessions, err := session.New(session.Config{State: w.engine, Digests: digests, Clock: func() time.Time { return w.now }})
	w.must(err)
	who := session.User{Issuer: site + "/sample-sign-in/sample-staff", Subject: person.Subject, Kind: session.Staff}
	switch person.Kind {
	case policy.KindAdministrator:
		who.Issuer, who.Kind = site+"/sample-sign-in/sample-administrators", session.Administrator
	case "patient", policy.KindProxy:
		who.Issuer, who.Kind = site+"/sample-sign-in/sample-patients", session.Patient
	}
	list, err := sessions.List(w.Context(), who)
	w.must(err)
	return list
}

// TestSMART348: requests with the online tokens of a session are activity of it, stored at most once a minute; others are not. The
// session ends after twelve hours in any case, and with it the refresh.
func TestSMART348(t *testing.T) {
	for name, c := range map[string]struct{ online, alive bool }{"with an online token": {true, true}, "with another token": {false, false}} {
		w := newWorld(t, nil, 1)
		b := w.browser()
		a := b.online()
		if !c.online {
			a = w.exchange("clinical", b.journey("clinical", "launch/patient patient/Observation.rs", "doctor", bobsNumber).Get("code"))
		}
		w.now = w.now.Add(14 * time.Minute)
		at := w.now
		if got := w.get(a.str("access_token"), "Observation"); got.code != 200 {
			t.Fatalf("got %d", got.code)
		}
		w.now = w.now.Add(30 * time.Second)
		w.get(a.str("access_token"), "Observation")
		if got := w.sessionsOf("doctor"); c.online && (len(got) != 1 || !got[0].LastUsed.Equal(at)) {
			t.Errorf("SMART-348: %s: the session is %+v, want it used last at %s", name, got, at)
		}
		w.now = at.Add(29 * time.Minute)
		if b.open(site + "/my/apps"); (b.at == "/my/apps") != c.alive {
			t.Errorf("SMART-348: %s: after 43 minutes, 29 of them idle: got %d", name, b.page.code)
		}
	}
	w := newWorld(t, nil, 1)
	a := w.browser().online()
	for range 71 {
		w.now = w.now.Add(10 * time.Minute)
		if a = w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); a.code != 200 {
			t.Fatalf("SMART-348: within twelve hours: got %s", a.text)
		}
	}
	w.now = w.now.Add(10 * time.Minute)
	if got := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-348: after twelve hours: got %d %s", got.code, got.text)
	}
	idle := newWorld(t, nil, 1)
	a = idle.browser().online()
	idle.now = idle.now.Add(30 * time.Minute)
	if got := idle.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-348, T19: after the idle end: got %d %s", got.code, got.text)
	}
}

// TestSMART349: there is no grace time for a refresh token whose answer was lost: the direct predecessor, at once, by the same client,
// is reuse.
func TestSMART349(t *testing.T) {
	w := newWorld(t, nil, 1)
	first := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}}
	second := w.token("app", form)
	if again := w.token("app", form); second.code != 200 || again.str("error") != "invalid_grant" {
		t.Errorf("SMART-349: got %d and %s", second.code, again.text)
	}
	if got := w.get(second.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-343, 349: the family goes on: %d", got.code)
	}
}

// TestSMART170: a user sees the own sessions, ends one of them, and signs out everywhere; the online grants of a session end with it.
// Nobody ends the session of somebody else.
func TestSMART170(t *testing.T) {
	w := newWorld(t, nil, 2)
	here, there, other := w.browser(), w.browser(), w.browser()
	tokens := []answer{here.online(), there.online()}
	other.ask("clinical", "user/Condition.rs")
	other.signIn("nurse")
	if here.open(site + "/my/sessions"); here.page.code != 200 {
		t.Fatalf("SMART-170: got %d", here.page.code)
	}
	list := w.sessionsOf("doctor")
	if len(list) != 2 {
		t.Fatalf("SMART-170: got %d sessions", len(list))
	}
	other.open(site + "/my/sessions")
	foreign := other.forms()["sessions"]
	foreign.fields.Set("session", list[0].ID)
	if other.send(foreign, url.Values{"session": {list[0].ID}}); len(w.sessionsOf("doctor")) != 2 {
		t.Error("SMART-170: the nurse has ended a session of the doctor")
	}
	hereID, thereID := "", ""
	for _, s := range list {
		active, err := w.smart[0].Grants.Resolve(t.Context(), tokens[1].str("access_token"))
		w.must(err)
		if s.ID == active.Grant.Session {
			thereID = s.ID
		} else {
			hereID = s.ID
		}
	}
	here.open(site + "/my/sessions")
	here.submit("sessions", url.Values{"session": {thereID}})
	if there.open(site + "/my/sessions"); there.at != "/my/sessions/sign-in" {
		t.Errorf("SMART-170: the other browser: got %d", there.page.code)
	}
	if x, y := w.get(tokens[0].str("access_token"), "Observation").code, w.get(tokens[1].str("access_token"), "Observation").code; x != 200 || y != 401 {
		t.Errorf("SMART-169, 170: the online tokens have %d and %d", x, y)
	}
	there.ask("clinical", "user/Condition.rs")
	there.signIn("doctor")
	here.open(site + "/my/sessions")
	here.submit("sessions", url.Values{"session": {"all"}})
	if here.at != "/my/sign-out" || here.page.code != 200 || here.cookies["carerecord-staff"] != "" {
		t.Errorf("SMART-170: the sign-out everywhere leads to %s with %d and the cookies %v", here.at, here.page.code, here.cookies)
	}
	if got := w.sessionsOf("doctor"); len(got) != 0 || hereID == "" {
		t.Errorf("SMART-170: after the sign-out everywhere: got %+v", got)
	}
	if got := w.get(tokens[0].str("access_token"), "Observation").code; got != 401 {
		t.Errorf("SMART-169, 170: an online token after the sign-out everywhere: got %d", got)
	}
	if other.open(site + "/my/sessions"); other.at != "/my/sessions" {
		t.Errorf("SMART-170: the nurse: got %d", other.page.code)
	}
}

// TestBackChannelLogout: a logout token of the issuer ends the sessions of its user, on every browser, and the online grants (SMART-169).
func TestBackChannelLogout(t *testing.T) {
	w := newWorld(t, nil, 2)
	here, other := w.browser(), w.browser()
	a := here.online()
	other.ask("clinical", "user/Condition.rs")
	other.signIn("nurse")
	_, sample, err := serverKeys()
	w.must(err)
	path, algorithm := "/oauth/logout/sample-staff", jose.RS256
	logout := func(issuer, kid string, change func(map[string]any)) answer {
		claims := map[string]any{"iss": site + "/sample-sign-in/" + issuer, "sub": "900000000102", "aud": "carerecord", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "jti": rand.Text(),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		change(claims)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: sample, KeyID: kid}}, nil)
		w.must(err)
		text, err := jwt.Signed(signer).Claims(claims).Serialize()
		w.must(err)
		return w.post(path, url.Values{"logout_token": {text}})
	}
	if got := logout("sample-patients", "sample-sample-patients", func(map[string]any) {}); got.code != 400 || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("SMART-169: a token of another issuer: got %d", got.code)
	}
	if got := w.post("/oauth/logout/none", url.Values{}); got.code != 404 {
		t.Errorf("SMART-169: an unknown issuer: got %d", got.code)
	}
	if here.open(site + "/my/apps"); here.page.code != 200 {
		t.Fatalf("SMART-169: a refused token has ended a session: %d", here.page.code)
	}
	if got := logout("sample-staff", "sample-sample-staff", func(map[string]any) {}); got.code != 200 {
		t.Fatalf("SMART-169: got %d %s", got.code, got.text)
	}
	if here.open(site + "/my/apps"); here.at != "/my/apps/sign-in" {
		t.Errorf("SMART-169: the session goes on: %d at %s", here.page.code, here.at)
	}
	if got := w.get(a.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-169: an online token: got %d", got.code)
	}
	if other.open(site + "/my/apps"); other.at != "/my/apps" {
		t.Errorf("SMART-169: the nurse: got %d", other.page.code)
	}
	if !w.audited("logout", "issuer/staff") || !w.audited("logout", "issuer/sample-staff") {
		t.Error("SMART-169, 494: the audit trail has no record of the logout, or none of the refusal")
	}
	w.administration()
	for _, c := range []struct {
		name, client, scope, user, subject string
		algorithm                          jose.SignatureAlgorithm
	}{{"patients", "app", "patient/Observation.rs", "ann", "nhs-login-1", jose.RS512}, {"administrators", "administration", "__clients", "admin", "900000000301", jose.RS256}} {
		b := w.browser()
		b.journey(c.client, c.scope, c.user, "")
		if got := w.sessionsOf(c.user); len(got) != 1 {
			t.Fatalf("%s: got the sessions %+v", c.user, got)
		}
		path, algorithm = "/oauth/logout/sample-"+c.name, c.algorithm
		if got := logout("sample-"+c.name, "sample-sample-"+c.name, func(claims map[string]any) { claims["sub"] = c.subject }); got.code != 200 {
			t.Errorf("SMART-169: a logout token for %s: got %d %s", c.name, got.code, got.text)
		}
		if got := w.sessionsOf(c.user); len(got) != 0 {
			t.Errorf("SMART-169: the sessions of %s go on: %+v", c.user, got)
		}
	}
}

// TestSMART482Logout: refused logout tokens of one address are limited.
func TestSMART482Logout(t *testing.T) {
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = 2 })
	for _, want := range []int{400, 400, 429} {
		if got := w.post("/oauth/logout/sample-staff", url.Values{"logout_token": {"x"}}, func(r *http.Request) { r.RemoteAddr = "192.0.2.1:9" }); got.code != want {
			t.Errorf("SMART-482: a refused logout token: got %d, want %d", got.code, want)
		}
	}
}

// TestOwnPagesSignIn: the pages of a person's apps and sessions lead somebody without a session to a sign-in, and then to the page
// itself, of each kind of people; the end of the browser's own session leads to the page of the sign-out (SMART-165, 169, 170).
func TestOwnPagesSignIn(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, path := range []string{"/my/apps", "/my/sessions"} {
		for user, kind := range map[string]string{"ann": "patient", "doctor": "staff"} {
			b := w.browser()
			if b.open(site + path); b.at != path+"/sign-in" || b.page.code != 200 {
				t.Fatalf("SMART-170: %s without a session: got %d at %s", path, b.page.code, b.at)
			}
			if b.submit("sign-in", url.Values{"kind": {"nobody"}}); b.page.code != 400 || !has(b.forms(), "sign-in") {
				t.Errorf("SMART-165: %s: an unknown kind: got %d", path, b.page.code)
			}
			b.submit("sign-in", url.Values{"kind": {kind}})
			if b.signIn(user); b.at != path || b.page.code != 200 {
				t.Errorf("SMART-165: %s: after the sign-in of %s: got %d at %s", path, user, b.page.code, b.at)
			}
			b.open(site + "/my/sessions")
			if b.submit("sessions", url.Values{"session": {w.onlySession(b)}}); b.at != "/my/sign-out" || b.page.code != 200 {
				t.Errorf("SMART-169: the end of the own session leads to %s with %d", b.at, b.page.code)
			}
			if b.open(site + path); b.at != path+"/sign-in" {
				t.Errorf("SMART-169: the session goes on at %s", b.at)
			}
		}
	}
	b := w.browser()
	b.open(site + "/my/sessions")
	b.submit("sign-in", url.Values{"kind": {"patient"}})
	b.signIn("ann")
	b.open(site + "/my/apps/sign-in")
	b.submit("sign-in", url.Values{"kind": {"staff"}})
	b.signIn("doctor")
	b.open(site + "/my/sessions")
	if b.submit("sessions", url.Values{"session": {"all"}}); b.at != "/my/sessions" || b.page.code != 200 {
		t.Errorf("SMART-160: people of another kind stay signed in, so the page is %s with %d", b.at, b.page.code)
	}
	b.submit("sign-out", url.Values{})
	if b.at != "/my/sign-out" || b.page.code != 200 {
		t.Errorf("SMART-169: got %d at %s", b.page.code, b.at)
	}
}

// onlySession returns the id of the one session that the page of sessions lists.
func (w *world) onlySession(b *browser) string {
	w.Helper()
	_, after, found := strings.Cut(b.page.text, `name="session" value="`)
	id, _, _ := strings.Cut(after, `"`)
	if !found || id == "all" || strings.Count(b.page.text, `name="session" value="`) != 2 {
		w.Fatalf("the page does not list one session: %.900s", b.page.text)
	}
	return id
}

// TestAnsweredPage: the page of a request that was answered says so and nothing that may be false; it leads to the apps with access.
func TestAnsweredPage(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.ask("app", "patient/Condition.rs")
	b.signIn("ann")
	at := b.at
	b.allow()
	if b.open(site + at); b.page.code != 400 || !strings.Contains(b.page.text, "answered already") || strings.Contains(b.page.text, "Nothing was shared") || !strings.Contains(b.page.text, `href="/my/apps"`) {
		t.Errorf("SMART-480: got %d %s", b.page.code, b.page.text)
	}
}

// TestSeveralKinds: where a patient and a member of staff are signed in, in one browser, the link of a consent page leads to the apps of the
// person who decided, and the page and its forms stay with that person (SMART-170, 405).
func TestSeveralKinds(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	own := w.exchange("app", b.journey("app", "patient/Observation.rs", "ann", "").Get("code"))
	b.ask("clinical", "user/Condition.rs")
	b.signIn("doctor")
	if !strings.Contains(b.page.text, `href="/my/apps?as=staff"`) {
		t.Fatalf("SMART-405: the consent page leads to other apps: %s", b.page.text)
	}
	staff := w.exchange("clinical", sentBack(t, b.allow()).Get("code"))
	if b.open(site + "/my/apps"); !strings.Contains(b.page.text, "Stop The app") || strings.Contains(b.page.text, "Stop The clinical") {
		t.Errorf("SMART-405: without a kind: got %s", b.page.text)
	}
	b.open(site + "/my/apps?as=staff")
	if strings.Contains(b.page.text, "Stop The app") || !strings.Contains(b.page.text, "Stop The clinical") || !strings.Contains(b.page.text, `href="/my/sessions?as=staff"`) {
		t.Errorf("SMART-405: of staff: got %s", b.page.text)
	}
	if b.submit("apps?as=staff", nil); b.at != "/my/apps" || !strings.Contains(b.page.text, "The clinical has no access any more") {
		t.Errorf("SMART-405: after a stop: got %d at %s", b.page.code, b.at)
	}
	if w.get(staff.str("access_token"), "Condition").code != 401 || w.get(own.str("access_token"), "Observation").code != 200 {
		t.Error("SMART-405: another person's app was stopped")
	}
	b.open(site + "/my/sessions?as=staff")
	if b.submit("sessions?as=staff", url.Values{"session": {"all"}}); b.page.code != 200 {
		t.Errorf("SMART-170: got %d at %s", b.page.code, b.at)
	}
	if b.open(site + "/my/sessions?as=staff"); b.at != "/my/sessions/sign-in" {
		t.Errorf("SMART-170: of staff after the end: at %s", b.at)
	}
	if b.open(site + "/my/sessions?as=patient"); b.at != "/my/sessions" || b.page.code != 200 {
		t.Errorf("SMART-170: of the patient: got %d at %s", b.page.code, b.at)
	}
}

// TestPrintedToken: the page of the apps has a printed token, which was issued when it was made (SMART-405).
func TestPrintedToken(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.open(site + "/my/apps")
	b.submit("sign-in", url.Values{"kind": {"patient"}})
	b.signIn("ann")
	if _, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids["app"], User: "ann"}); err != nil {
		t.Fatal(err)
	}
	if b.open(site + "/my/apps"); !has(b.forms(), "apps") || strings.Contains(b.page.text, "Not yet") {
		t.Errorf("SMART-405: got %s", b.page.text)
	}
}

// TestStoppedApp: the page of the apps says once, in the same session, which app was stopped. It names the categories that were shared,
// says whether the app has access without the person, and tells two entries of one app apart (SMART-405).
func TestStoppedApp(t *testing.T) {
	w := newWorld(t, nil, 1)
	b, other := w.browser(), w.browser()
	for _, x := range []*browser{b, other} {
		x.open(site + "/my/apps")
		x.submit("sign-in", url.Values{"kind": {"patient"}})
		x.signIn("ann")
	}
	b.journey("app", "patient/Condition.rs offline_access", "ann", "", prompt("consent"))
	b.ask("app", "patient/Observation.rs", prompt("consent"))
	if b.submit("decision", url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": {"Observation|laboratory"}}) == "" {
		t.Fatalf("got %d %s", b.page.code, b.page.text)
	}
	b.open(site + "/my/apps")
	for what, n := range map[string]int{"Results of laboratory tests": 1, "Vital signs": 0, ", allowed on 1 June 2026, ": 2, "Access while you are not there": 2, ">Yes<": 1, ">No<": 1, "Made by": 0, `href="/my/sessions"`: 1, "has no access any more": 0} {
		if got := strings.Count(b.page.text, what); got != n {
			t.Errorf("SMART-405: %q: got %d, want %d: %s", what, got, n, b.page.text)
		}
	}
	b.stay = true
	f := b.forms()["apps"]
	f.fields.Set("grant", "none")
	if b.send(f, nil); strings.Contains(b.page.text, "has no access any more") {
		t.Error("SMART-405: nothing was stopped, and the page says so")
	}
	b.open(site + "/my/apps")
	if b.submit("apps", nil); b.at != "/my/apps" || !strings.Contains(b.page.text, "The app has no access any more") || strings.Contains(b.page.text, "allowed on") {
		t.Errorf("SMART-405: after the stop: got %d at %s: %s", b.page.code, b.at, b.page.text)
	}
	for _, x := range []*browser{b, other} {
		if x.open(site + "/my/apps"); x.page.code != 200 || strings.Contains(x.page.text, "has no access any more") {
			t.Errorf("SMART-405: the page again, or in another session: %s", x.page.text)
		}
	}
	b.submit("apps", nil)
	w.now = w.now.Add(time.Minute)
	if b.open(site + "/my/sessions"); !strings.Contains(b.page.text, `href="/my/apps"`) {
		t.Errorf("SMART-170: no link to the apps: %s", b.page.text)
	}
}
