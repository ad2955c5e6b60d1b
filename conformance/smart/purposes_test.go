package smart

import (
	"net/url"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart/clients"
)

// rolePurposes sets the purposes of a role of the region.
func (w *world) rolePurposes(code string, purposes ...string) {
	for i := range w.policy.Roles {
		if w.policy.Roles[i].Code == code {
			w.policy.Roles[i].Purposes = purposes
		}
	}
}

// TestSMART430: the purpose of use of a grant is that of the launch or the default, and client and role permit it: when the grant is made,
// at each refresh, and at each use of a token (SMART-346).
func TestSMART430(t *testing.T) {
	w := newWorld(t, nil, 2)
	w.add("chart", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT", "COC", "ETREAT", "HRESCH"}, RedirectURIs: []string{redirect}, LaunchURLs: []string{"https://app.example/launch"}})
	token := w.backend("ehr", "__launch")
	announce := func(client, user string, purpose any) answer {
		body := map[string]any{"client_id": w.ids[client], "user": user, "patient": "t1.ann"}
		if purpose != nil {
			body["purpose"] = purpose
		}
		return w.announce(token, body)
	}
	// launched returns the tokens of a launch.
	launched := func(purpose any) answer {
		t.Helper()
		a := announce("chart", "doctor", purpose)
		if a.code != 201 {
			t.Fatalf("SMART-430: a launch for %v: got %d %s", purpose, a.code, a.text)
		}
		return w.exchange("chart", w.browser().journey("chart", "launch user/Condition.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", a.str("launch")) }).Get("code"))
	}
	purposeOf := func(a answer) string {
		t.Helper()
		active, err := w.smart[0].Grants.Resolve(t.Context(), a.str("access_token"))
		w.must(err)
		return active.Grant.Purpose
	}
	if a := launched(nil); purposeOf(a) != "TREAT" || w.get(a.str("access_token"), "Condition").code != 200 {
		t.Errorf("SMART-430: without a purpose: got %q", purposeOf(a))
	}
	// Without a list a role has TREAT alone.
	for what, c := range map[string]struct {
		client  string
		purpose any
		code    int
	}{
		"a purpose that the role does not have": {"chart", "COC", 422}, "emergency access": {"chart", "ETREAT", 422}, "secondary use": {"chart", "HRESCH", 422}, "break-glass": {"chart", "BTG", 422},
		"one that the client does not have": {"clinical", "COC", 422}, "several": {"chart", []string{"TREAT", "COC"}, 400}, "several in one": {"chart", "TREAT COC", 422}, "another case": {"chart", "treat", 422},
	} {
		if a := announce(c.client, "doctor", c.purpose); a.code != c.code {
			t.Errorf("SMART-430: a launch for %s: got %d %s, want %d", what, a.code, a.text, c.code)
		}
	}
	w.rolePurposes("R1", "COC", "TREAT")
	a := launched("COC")
	if purposeOf(a) != "COC" {
		t.Errorf("SMART-430: a launch for COC: got %q", purposeOf(a))
	}
	if got := w.get(a.str("access_token"), "Condition"); got.code != 200 {
		t.Errorf("SMART-430: a token for COC: got %d %s", got.code, got.text)
	}
	w.now = w.now.Add(time.Second)
	refresh := func() answer {
		return w.token("chart", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	}
	if a = refresh(); a.code != 200 {
		t.Fatalf("SMART-346: got %d %s", a.code, a.text)
	}

	w.rolePurposes("R1", "TREAT")
	if got := w.get(a.str("access_token"), "Condition"); got.code != 401 {
		t.Errorf("SMART-430: a token for a purpose that the role has lost: got %d", got.code)
	}
	form, change := w.as("ehr", url.Values{"token": {a.str("access_token")}})
	if got := w.post("/oauth/introspect", form, change); got.body["active"] != false {
		t.Errorf("SMART-430: introspection of a token for a purpose that the role has lost: got %s", got.text)
	}
	if got := refresh(); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-346, 430: a refresh for a purpose that the role has lost: got %d %s", got.code, got.text)
	}

	// The role and the client may change between the launch and the grant.
	w.rolePurposes("R1", "TREAT", "COC")
	handle := announce("chart", "doctor", "COC").str("launch")
	w.rolePurposes("R1", "TREAT")
	b := w.browser()
	b.ask("chart", "launch user/Condition.rs", func(v url.Values) { v.Set("launch", handle) })
	if back := sentBack(t, b.signIn("doctor")); back.Get("error") != "access_denied" || !w.refusedFor("PURPOSE_REFUSED") {
		t.Errorf("SMART-430: a launch for a purpose that the role has lost: got %v", back)
	}
	w.rolePurposes("R1", "COC")
	b = w.browser()
	b.ask("chart", "user/Condition.rs")
	if back := sentBack(t, b.signIn("doctor")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-430: a role without the default: got %v", back)
	}
}

// TestRolesWithPurpose: of the roles of a person those are offered that have the purpose of use, and nobody chooses one that is refused
// afterwards (SMART-203, 430).
func TestRolesWithPurpose(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.rolePurposes("R3", "COC")
	b := w.browser()
	b.ask("clinical", "user/Condition.rs")
	if b.signIn("locum"); has(b.forms(), "role") || !has(b.forms(), "decision") {
		t.Fatalf("SMART-203: with one role that has the purpose: got %d at %s", b.page.code, b.at)
	}
	active, err := w.smart[0].Grants.Resolve(t.Context(), w.exchange("clinical", sentBack(t, b.allow()).Get("code")).str("access_token"))
	if err != nil || active.Grant.Role != "R1" || active.Grant.Purpose != "TREAT" {
		t.Errorf("SMART-430: got %+v (%v)", active.Grant, err)
	}
	w.rolePurposes("R1", "COC")
	b = w.browser()
	b.ask("clinical", "user/Condition.rs")
	if back := sentBack(t, b.signIn("locum")); back.Get("error") != "access_denied" || !w.refusedFor("PURPOSE_REFUSED") {
		t.Errorf("SMART-430: without a role that has the purpose: got %v", back)
	}
}

// TestApprovedForAnotherPurpose: what an organisation approved for treatment is not approved for a launch with another purpose (SMART-220,
// 430).
func TestApprovedForAnotherPurpose(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("chart", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT", "COC"}, RedirectURIs: []string{redirect}, LaunchURLs: []string{"https://app.example/launch"}})
	w.rolePurposes("R1", "TREAT", "COC")
	w.approve("chart", "T1", "launch user/Condition.rs")
	token := w.backend("ehr", "__launch")
	for purpose, page := range map[string]bool{"TREAT": false, "COC": true} {
		handle := w.announce(token, map[string]any{"client_id": w.ids["chart"], "user": "doctor", "patient": "t1.ann", "purpose": purpose}).str("launch")
		b := w.browser()
		b.ask("chart", "launch user/Condition.rs", func(v url.Values) { v.Set("launch", handle) })
		if location := b.signIn("doctor"); (location == "") != page || has(b.forms(), "decision") != page {
			t.Errorf("SMART-220: a launch for %s: got %q and %d, want a page: %v", purpose, location, b.page.code, page)
		}
	}
}

// refusedFor reports whether the last refusal of an authorization has a reason in the audit trail.
func (w *world) refusedFor(reason string) (is bool) {
	w.Helper()
	for r, err := range w.engine.Records(w.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == "authorization-refused" {
			is = at.Get("decision.reason").Str == reason
		}
	}
	return is
}
