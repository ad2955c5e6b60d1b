package smart

import (
	"errors"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/clients"
)

// everything is what an organisation may approve of a client of the worlds.
const everything = "openid fhirUser profile launch launch/patient launch/encounter online_access patient/*.cruds user/*.cruds"

// approve approves a client for the staff of an organisation, for a year.
func (w *world) approve(client, organisation, scopes string) {
	w.Helper()
	_, err := w.smart[0].Clients.ApproveFor(w.Context(), "manager", w.ids[client], clients.OrganisationApproval{Organisation: organisation, Scopes: scopes, Purpose: "TREAT", Ends: w.now.AddDate(1, 0, 0)})
	w.must(err)
}

// TestSMART220: staff see no screen for what their organisation has approved, and only for that: everything else they confirm as a whole.
// The approval has a name, a date and an end, and what ends it ends the grants that were made by it.
func TestSMART220(t *testing.T) {
	w := newWorld(t, nil, 2)
	w.add("chart", clients.Client{Kind: clients.Asymmetric, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs patient/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, KeysURL: "https://app.example/keys"})
	b := w.browser()
	// ask returns the grant of a request that needed no page; "" for one that did, with the scopes that the page would grant.
	ask := func(scope string) string {
		t.Helper()
		location := b.ask("chart", scope)
		if strings.HasPrefix(b.at, "/sample-sign-in/") || location == "" && !has(b.forms(), "decision") {
			location = b.signIn("doctor")
		}
		if location == "" {
			return ""
		}
		read, err := w.smart[0].Grants.ReadCode(t.Context(), sentBack(t, location).Get("code"))
		w.must(err)
		return read.Content.Grant
	}
	live := func(grant string) bool {
		t.Helper()
		_, err := w.smart[1].Grants.Get(t.Context(), grant)
		return err == nil
	}
	page := func(what, scope string) {
		t.Helper()
		if grant := ask(scope); grant != "" || !has(b.forms(), "decision") {
			t.Errorf("SMART-220: %s: got the grant %q, want the page", what, grant)
		}
	}
	silent := func(what, scope string) string {
		t.Helper()
		grant := ask(scope)
		if grant == "" || !live(grant) {
			t.Fatalf("SMART-220: %s: got the grant %q, in force %v", what, grant, grant != "")
		}
		return grant
	}
	page("an active app that no organisation has approved", "user/Condition.rs")
	w.approve("chart", "G1", "openid user/*.rs")
	page("approved by another organisation", "user/Condition.rs")
	w.approve("chart", "T1", "openid user/Condition.rs user/Encounter.rs")
	first := silent("within what is approved", "openid user/Condition.rs")
	g, err := w.smart[0].Grants.Get(t.Context(), first)
	w.must(err)
	registered, err := w.smart[0].Clients.Get(t.Context(), w.ids["chart"])
	w.must(err)
	a, ok := registered.ApprovalOf("T1", w.now)
	if !ok || a.By != "manager" || a.At.IsZero() || !a.Ends.Equal(w.now.AddDate(1, 0, 0)) || g.Decision != "approval/"+a.ID || g.Scopes != "openid user/Condition.rs" {
		t.Errorf("SMART-220: got the approval %+v and the grant %+v", a, g)
	}
	for what, scope := range map[string]string{"another type": "user/Condition.rs user/Observation.rs", "a letter more": "user/Condition.rs user/Encounter.rs user/Patient.r",
		"what is not of resources": "openid fhirUser user/Condition.rs", "a wildcard": "user/*.rs"} {
		page(what, scope)
	}
	b.ask("chart", "user/Condition.rs user/Observation.rs")
	if got := w.scopesOf(sentBack(t, b.allow()).Get("code")); got != "user/Condition.rs user/Observation.rs" {
		t.Errorf("SMART-220: a request beyond the approval was narrowed to %q", got)
	}
	if location := b.ask("chart", "user/Condition.rs", prompt("consent")); location != "" || !has(b.forms(), "decision") {
		t.Errorf("SMART-097: prompt=consent: got %q", location)
	}

	w.now = w.now.Add(17 * time.Minute) // the decision of the person ends, and is not repeated (SMART-222)
	// What ends an approval ends what was granted by it.
	for _, end := range []struct {
		name  string
		do    func() error
		after string // "page", or "silent" where the approval goes on
	}{
		{"withdrawn", func() error {
			_, err := w.smart[0].Clients.Withdraw(t.Context(), "manager", w.ids["chart"], "T1")
			return err
		}, "page"},
		{"replaced by less", func() error { w.approve("chart", "T1", "user/Encounter.rs"); return nil }, "page"},
		{"past its end", func() error { w.now = w.now.AddDate(1, 0, 0); b = w.browser(); return nil }, "page"},
		{"suspended and resumed", func() error {
			_, err := w.smart[0].Clients.Suspend(t.Context(), "ann", w.ids["chart"])
			_, again := w.smart[0].Clients.Resume(t.Context(), "ann", w.ids["chart"])
			return errors.Join(err, again)
		}, "page"},
		{"the ceiling shrinks below it, and grows again", func() error {
			for _, scopes := range []string{"user/Encounter.rs", "user/*.rs patient/*.rs"} {
				w.changeClient("chart", func(c *clients.Client) { c.Scopes = scopes })
			}
			return nil
		}, "page"},
		{"the ceiling shrinks, but not below it", func() error { w.changeClient("chart", func(c *clients.Client) { c.Scopes = "user/*.rs" }); return nil }, "silent"},
	} {
		w.approve("chart", "T1", "openid user/Condition.rs")
		w.now = w.now.Add(time.Second)
		granted := silent("before it is "+end.name, "user/Condition.rs")
		w.now = w.now.Add(time.Second)
		w.must(end.do())
		w.now = w.now.Add(time.Second)
		if live(granted) {
			t.Errorf("SMART-220: %s: a grant that was made by the approval goes on", end.name)
		}
		if end.after == "silent" {
			silent(end.name, "user/Condition.rs")
			continue
		}
		page(end.name, "user/Condition.rs")
	}

	// A renewal that permits no less keeps the grants; it goes on for at most a year.
	w.approve("chart", "T1", "openid user/Condition.rs")
	granted := silent("before the renewal", "user/Condition.rs")
	w.now = w.now.Add(time.Second)
	w.approve("chart", "T1", "openid user/Condition.rs user/Encounter.rs")
	if !live(granted) {
		t.Error("SMART-220: a renewal that permits more ended a grant")
	}
	if !w.audited("app-approve", "client/"+w.ids["chart"]) || !w.audited("app-withdraw", "client/"+w.ids["chart"]) {
		t.Error("SMART-220: the audit trail has no approval, or no withdrawal")
	}
}

// scopesOf returns the scopes of the grant of a code.
func (w *world) scopesOf(code string) string {
	w.Helper()
	read, err := w.smart[0].Grants.ReadCode(w.Context(), code)
	w.must(err)
	g, err := w.smart[0].Grants.Get(w.Context(), read.Content.Grant)
	w.must(err)
	return g.Scopes
}

// TestSMART220Refused: what an organisation cannot approve.
func TestSMART220Refused(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("other", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, Organisation: "G1"})
	good := clients.OrganisationApproval{Organisation: "T1", Scopes: "user/Condition.rs", Purpose: "TREAT", Ends: w.now.AddDate(1, 0, 0)}
	for name, c := range map[string]struct {
		client string
		change func(*clients.OrganisationApproval)
		want   error
	}{
		"an app of patients":            {"app", nil, clients.ErrRefused},
		"a backend":                     {"loader", nil, clients.ErrRefused},
		"an app of another":             {"other", nil, clients.ErrRefused},
		"no app":                        {"none", nil, clients.ErrUnknown},
		"beyond the ceiling":            {"limited", func(a *clients.OrganisationApproval) { a.Scopes = "user/Condition.cruds" }, clients.ErrRefused},
		"an unknown scope":              {"clinical", func(a *clients.OrganisationApproval) { a.Scopes += " nonsense" }, clients.ErrRefused},
		"nothing of use":                {"clinical", func(a *clients.OrganisationApproval) { a.Scopes = "launch" }, clients.ErrRefused},
		"offline access without":        {"clinical", func(a *clients.OrganisationApproval) { a.Scopes += " offline_access" }, clients.ErrRefused},
		"system scopes":                 {"clinical", func(a *clients.OrganisationApproval) { a.Scopes = "system/Condition.rs" }, clients.ErrRefused},
		"another purpose":               {"clinical", func(a *clients.OrganisationApproval) { a.Purpose = "HRESCH" }, clients.ErrRefused},
		"a purpose of patients":         {"both", func(a *clients.OrganisationApproval) { a.Purpose = "PATRQT" }, clients.ErrRefused},
		"an end that has passed":        {"clinical", func(a *clients.OrganisationApproval) { a.Ends = w.now }, clients.ErrRefused},
		"an end after more than a year": {"clinical", func(a *clients.OrganisationApproval) { a.Ends = a.Ends.Add(time.Second) }, clients.ErrRefused},
	} {
		a := good
		if c.change != nil {
			c.change(&a)
		}
		if _, err := w.smart[0].Clients.ApproveFor(t.Context(), "manager", w.ids[c.client], a); !errors.Is(err, c.want) {
			t.Errorf("SMART-220: %s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := w.smart[0].Clients.Withdraw(t.Context(), "manager", w.ids["clinical"], "T1"); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("SMART-220: a withdrawal of nothing: got %v", err)
	}
	w.approve("clinical", "T1", "user/Condition.rs")
	w.approve("clinical", "T1", "user/Condition.rs user/Encounter.rs")
	records, _ := audittest.RecordsAfter(t, w.engine, 0)
	last := records[len(records)-1]
	if last.Interaction != "app-approve" || last.Agent.Subject != "manager" || last.Agent.Organisation != "T1" || len(last.Changed) != 1 || last.Changed[0].Field != "organisationApprovals" ||
		!strings.Contains(string(last.Changed[0].Old), `"user/Condition.rs"`) || !strings.Contains(string(last.Changed[0].New), "user/Encounter.rs") {
		t.Errorf("SMART-220: the record of an approval: got %+v", last)
	}
}
