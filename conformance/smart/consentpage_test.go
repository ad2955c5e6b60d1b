package smart

import (
	"net/url"
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// TestConsentPage: the page names the app, its publisher, whether somebody reviewed it, whose record it is, what is shared, for how long,
// that the app may write, and where to stop it later (SMART-211).
func TestConsentPage(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.changeClient("app", func(c *clients.Client) { c.Publisher = "Apps Ltd" })
	b := w.browser()
	b.open(site + "/oauth/authorize?" + w.authorization("app", "openid patient/Observation.rs patient/Condition.cud offline_access").Encode())
	b.signIn("ann")
	for what, text := range map[string]string{
		"the app": "The app", "its publisher": "Apps Ltd", "whether it was reviewed": "Checked by this service", "whose record": "Ann Other", "the number, masked": "••• ••• 0018", "a data group": "Measurements and test results",
		"how long": "1 June 2027", "that it may write": `name="write"`, "where to stop it": "/my/apps", "the categories": `name="category"`,
	} {
		if !strings.Contains(b.page.text, text) {
			t.Errorf("SMART-211: the page does not tell %s (%q)", what, text)
		}
	}
	for what, text := range map[string]string{"the whole number": annsNumber, "an id": "t1.ann"} {
		if strings.Contains(b.page.text, text) {
			t.Errorf("SMART-211: the page tells %s", what)
		}
	}
	online := w.browser()
	online.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode())
	online.signIn("ann")
	if strings.Contains(online.page.text, "2027") || strings.Contains(online.page.text, `name="write"`) {
		t.Error("SMART-211: an app that wants neither is said to write, or to have access for a year")
	}
	if back := sentBack(t, b.submit("decision", url.Values{"decision": {"refuse"}})); back.Get("error") != "access_denied" {
		t.Errorf("SMART-218: one action refuses: got %v", back)
	}
}
