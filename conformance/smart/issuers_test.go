package smart

import (
	"net/url"
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// TestSMART185: a person is known by issuer and subject alone. The same subject at another issuer is somebody else, to whom nothing of the
// person is given, and a name that an issuer says links nobody.
func TestSMART185(t *testing.T) {
	change := func(w *world, user string, f func(*policy.Person)) {
		for i := range w.policy.People {
			if p := &w.policy.People[i]; p.User == user {
				f(p)
				return
			}
		}
	}
	const scope = "openid patient/Patient.rs offline_access"
	here := site + "/sample-sign-in/sample-patients"
	w := newWorld(t, nil, 2)
	change(w, "ann", func(p *policy.Person) { p.Issuer = here })
	b := w.browser()
	a := w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	if got := w.get(a.str("access_token"), "Patient"); got.code != 200 || !strings.Contains(got.text, "t1.ann") {
		t.Fatalf("SMART-185: at the issuer of the policy: got %d %s", got.code, got.text)
	}
	active, err := w.smart[0].Grants.Resolve(t.Context(), a.str("access_token"))
	w.must(err)
	if who := active.Grant.SessionUser; who.Issuer != here || who.Subject != "nhs-login-1" {
		t.Errorf("SMART-185: the grant is of %+v", who)
	}
	change(w, "ann", func(p *policy.Person) { p.Issuer = "https://other.example" })
	if got := w.get(a.str("access_token"), "Patient"); got.code != 401 {
		t.Errorf("SMART-185: the token of the subject at another issuer: got %d", got.code)
	}
	form, as := w.as("ehr", url.Values{"token": {a.str("access_token")}})
	if got := w.post("/oauth/introspect", form, as); got.body["active"] != false {
		t.Errorf("SMART-185: introspection: got %s", got.text)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-185: the refresh token: got %d %s", got.code, got.text)
	}
	if got := sentBack(t, b.ask("app", scope)); got.Get("error") != "access_denied" {
		t.Errorf("SMART-185: the session: got %v", got)
	}
	if b.open(site + "/browse/"); strings.Contains(b.page.text, "/browse/patient/") {
		t.Error("SMART-185: the session browses")
	}
	if b.open(site + "/my/apps"); b.page.code != 400 {
		t.Errorf("SMART-185: the page of apps: got %d", b.page.code)
	}
	other := w.browser()
	other.ask("app", scope)
	if location := other.signIn("ann"); location != "" || other.page.code != 403 {
		t.Errorf("SMART-185: a sign-in at another issuer than the policy names: got %d and %q", other.page.code, location)
	}

	// The issuer says the name "ann", which is somebody else's account now, and the account has the number of the one who signs in.
	w = newWorld(t, nil, 1)
	change(w, "bob", func(p *policy.Person) { p.User = "robert" })
	change(w, "ann", func(p *policy.Person) { p.User, p.Subject = "bob", "nhs-login-7" })
	c := w.browser()
	c.ask("app", scope)
	for name, f := range c.forms() {
		for _, value := range f.offers["person"] {
			if value == "nhs-login-3" { // whom the issuer calls bob
				c.submit(name, url.Values{"person": {value}})
			}
		}
	}
	a = w.exchange("app", sentBack(t, c.allow()).Get("code"))
	if a.str("patient") != "t1.bob" {
		t.Errorf("SMART-185: a name of the issuer found the account of another person: got %s", a.text)
	}
}
