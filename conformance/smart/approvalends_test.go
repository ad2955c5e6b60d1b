package smart

import (
	"testing"
	"time"

	"carerecord/interop/smart/clients"
)

// TestShorterApproval: an approval that ends earlier than the one before ends the grants that were made by it, and a grant never lives
// longer than its approval (SMART-220).
func TestShorterApproval(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("chart", clients.Client{Kind: clients.Asymmetric, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, Offline: true, RedirectURIs: []string{redirect}, KeysURL: "https://app.example/keys"})
	approve := func(life time.Duration) clients.OrganisationApproval {
		t.Helper()
		c, err := w.smart[0].Clients.ApproveFor(t.Context(), "manager", w.ids["chart"], clients.OrganisationApproval{Organisation: "T1", Scopes: "openid offline_access user/Condition.rs", Purpose: "TREAT", Ends: w.now.Add(life)})
		w.must(err)
		a, ok := c.ApprovalOf("T1", w.now)
		if !ok {
			t.Fatal("the approval is not in force")
		}
		return a
	}
	day := 24 * time.Hour
	first := approve(100 * day)
	grantOf := func() string {
		t.Helper()
		b := w.browser()
		b.ask("chart", "offline_access user/Condition.rs")
		read, err := w.smart[0].Grants.ReadCode(t.Context(), sentBack(t, b.signIn("doctor")).Get("code"))
		w.must(err)
		return read.Content.Grant
	}
	grant := grantOf()
	if g, err := w.smart[0].Grants.Get(t.Context(), grant); err != nil || !g.Ends.Equal(first.Ends) || g.Decision != "approval/"+first.ID {
		t.Errorf("SMART-220: got the grant %+v, %v, want one that ends with the approval %+v", g, err, first)
	}
	if longer := approve(200 * day); longer.ID != first.ID {
		t.Error("SMART-220: a longer approval is another one")
	}
	if _, err := w.smart[0].Grants.Get(t.Context(), grant); err != nil {
		t.Errorf("SMART-220: a longer approval ends the grant: %v", err)
	}
	if shorter := approve(time.Hour); shorter.ID == first.ID {
		t.Error("SMART-220: a shorter approval is the same one")
	}
	if g, err := w.smart[0].Grants.Get(t.Context(), grant); err == nil {
		t.Errorf("SMART-220: after a shorter approval the grant %+v is in force", g)
	}
}

// TestApprovalOfAnotherApp: an approval is of the app as it was: one with another name, publisher, redirect or address of keys asks again
// (SMART-220).
func TestApprovalOfAnotherApp(t *testing.T) {
	for what, change := range map[string]func(*clients.Client){
		"name":      func(c *clients.Client) { c.Name = "Another app" },
		"publisher": func(c *clients.Client) { c.Publisher = "Mallory" },
		"redirect":  func(c *clients.Client) { c.RedirectURIs = []string{"https://evil.example/back"} },
		"keys":      func(c *clients.Client) { c.KeysURL = "https://evil.example/keys" },
		"":          func(c *clients.Client) { c.Contact = "support@app.example" },
	} {
		w := newWorld(t, nil, 1)
		w.add("chart", clients.Client{Kind: clients.Asymmetric, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, KeysURL: "https://app.example/keys"})
		w.approve("chart", "T1", "user/Condition.rs")
		w.changeClient("chart", change)
		c, err := w.smart[0].Clients.Get(t.Context(), w.ids["chart"])
		w.must(err)
		if _, approved := c.ApprovalOf("T1", w.now); approved != (what == "") {
			t.Errorf("SMART-220: after another %q the app is approved: %v", what, approved)
		}
	}
}
