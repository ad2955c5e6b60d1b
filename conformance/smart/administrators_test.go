package smart

import (
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/interop/smart/clients"
)

// administration registers an app for administrators.
func (w *world) administration() {
	w.Helper()
	c := clients.Client{Name: "Administration", Kind: clients.Public, Audience: []string{clients.ForAdministrators}, RedirectURIs: []string{redirect}, Rights: []string{clients.RightClients},
		Scopes: "__operations", Purposes: []string{"HOPERAT"}}
	added, err := w.smart[0].Clients.Add(w.Context(), "ann", c)
	w.must(err)
	_, err = w.smart[0].Clients.Approve(w.Context(), "bob", added.ID, added.Digest())
	w.must(err)
	w.ids["administration"] = added.ID
}

// TestAdministrators: administrators sign in at an issuer of their own; the role of the person gives or refuses what the app asks for,
// and the token shows nothing of the record (SMART-180, 206, 209, 247, T20).
func TestAdministrators(t *testing.T) {
	w := newWorld(t, nil, 2)
	w.administration()
	for _, c := range []struct {
		user, asks, scope string
		activities        []string
	}{
		{"admin", "openid __clients __operations", "openid __clients __operations", []string{policy.ActivityClients, policy.ActivityOperations}},
		{"admin", "__clients", "__clients", []string{policy.ActivityClients}},
		{"operator", "__clients __operations openid fhirUser", "openid __operations", []string{policy.ActivityOperations}},
	} {
		b := w.browser()
		a := w.exchange("administration", b.journey("administration", c.asks, c.user, "").Get("code"))
		if a.code != 200 || a.str("scope") != c.scope || a.str("patient") != "" || a.str("refresh_token") != "" || a.str("fhirUser") != "" {
			t.Errorf("SMART-209: %s asks for %s: got %d %s, want %s", c.user, c.asks, a.code, a.text, c.scope)
			continue
		}
		r := w.request("GET", base+"/Patient", "")
		r.Header.Set("Authorization", "Bearer "+a.str("access_token"))
		p, err := w.smart[0].Verify(t.Context(), r.Header, "")
		if err != nil || p.Kind != consent.Administrator || strings.Join(p.Activities, " ") != strings.Join(c.activities, " ") || p.Patient != "" || p.Number != "" {
			t.Errorf("SMART-209: %s: got %+v, %v, want the activities %v", c.user, p, err, c.activities)
		}
		for _, path := range []string{"Patient", "Patient/t1.ann", "Observation", "SearchParameter", "metadata/x"} {
			if got := w.get(a.str("access_token"), path); got.code < 400 {
				t.Errorf("SMART-209: %s reads %s: got %d %s", c.user, path, got.code, got.text)
			}
		}
	}
	b := w.browser()
	if back := b.journey("administration", "__clients", "operator", ""); back.Get("error") != "invalid_scope" {
		t.Errorf("SMART-209: a role without the right: got %v", back)
	}
	for _, other := range []string{"patient/*.rs user/*.rs", "system/*.rs", "launch/patient"} {
		if back := w.browser().journey("administration", other, "admin", ""); back.Get("code") != "" {
			t.Errorf("SMART-209: the scopes %s of an app for administrators: got %v", other, back)
		}
	}
	b = w.browser()
	b.open(site + "/oauth/authorize?" + w.authorization("administration", "__clients").Encode())
	if !strings.Contains(b.page.text, "900000000301") || !strings.Contains(b.page.text, "These people administer the service.") || strings.Contains(b.page.text, "900000000102") || strings.Contains(b.page.text, "nhs-login-1") {
		t.Errorf("SMART-180: the issuer of administrators offers other people, or not these: %s", b.page.text)
	}
	for client, person := range map[string]string{"clinical": "900000000102", "app": "nhs-login-1"} {
		other := w.browser()
		other.open(site + "/oauth/authorize?" + w.authorization(client, "patient/*.rs").Encode())
		if !strings.Contains(other.page.text, person) || strings.Contains(other.page.text, "900000000301") {
			t.Errorf("SMART-180: the sign-in of %s offers an administrator, or not its own people", client)
		}
	}
	staff := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs __clients __operations", "doctor", "").Get("code"))
	if staff.code != 200 || strings.Contains(staff.str("scope"), "__") {
		t.Errorf("SMART-209: an app of staff asks for the rights of administrators: got %d %s", staff.code, staff.text)
	}
}

// TestAdministrationIsSeparate: an app for administrators has nothing but governance, and no other app has it (SMART-209).
func TestAdministrationIsSeparate(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, change := range map[string]func(*clients.Client){
		"scopes on the record": func(c *clients.Client) { c.Scopes = "__operations user/*.rs" },
		"another purpose":      func(c *clients.Client) { c.Purposes = []string{"TREAT"} },
		"two purposes":         func(c *clients.Client) { c.Purposes = []string{"HOPERAT", "TREAT"} },
		"clinicians as well":   func(c *clients.Client) { c.Audience = append(c.Audience, clients.ForClinicians) },
		"offline access":       func(c *clients.Client) { c.Offline = true },
		"introspection":        func(c *clients.Client) { c.Rights = []string{clients.RightIntrospect} },
		"staff with the right": func(c *clients.Client) { c.Audience, c.Scopes = []string{clients.ForClinicians}, "user/*.rs" },
		"staff that operate": func(c *clients.Client) {
			c.Audience, c.Rights, c.Scopes = []string{clients.ForClinicians}, nil, "__operations"
		},
		"a backend": func(c *clients.Client) { c.Kind, c.Audience, c.RedirectURIs = clients.Backend, nil, nil },
	} {
		c := clients.Client{Name: "Administration", Kind: clients.Public, Audience: []string{clients.ForAdministrators}, RedirectURIs: []string{redirect}, Rights: []string{clients.RightClients},
			Scopes: "__operations", Purposes: []string{"HOPERAT"}}
		change(&c)
		if _, err := w.smart[0].Clients.Add(t.Context(), "ann", c); err == nil {
			t.Errorf("SMART-209: %s: the registration was accepted", name)
		}
	}
}
