package smart

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestClosedRecord: a record that may not be shown, because a restore waits for its confirmation, is shown on no page either, and decides about
// no launch (CON-1407).
func TestClosedRecord(t *testing.T) {
	closed := false
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		c.Closed = func() error {
			if closed {
				return fmt.Errorf("%w: it was restored", store.ErrUnavailable)
			}
			return nil
		}
	})
	token := w.backend("ehr", "__launch")
	handle := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	chooser := w.browser()
	chooser.ask("clinical", "launch/patient patient/Condition.rs")
	chooser.signIn("doctor")
	apps := w.browser()
	w.exchange("app", apps.journey("app", "launch/patient patient/Condition.rs", "ann", "").Get("code"))
	closed = true
	if a := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}); a.code != 503 {
		t.Errorf("CON-1407: a launch: got %d %s", a.code, a.text)
	}
	if chooser.submit("search", url.Values{"number": {bobsNumber}}); chooser.page.code != 503 || strings.Contains(chooser.page.text, "ob Other") {
		t.Errorf("CON-1407: the search of patients: got %d %s", chooser.page.code, chooser.page.text)
	}
	launched := w.browser()
	launched.ask("clinical", "launch user/Condition.rs", func(v url.Values) { v.Set("launch", handle) })
	if launched.signIn("doctor"); launched.page.code != 503 || strings.Contains(launched.page.text, "ob Other") {
		t.Errorf("CON-1407: a launch of before: got %d %s", launched.page.code, launched.page.text)
	}
	own := w.browser()
	own.ask("app", "launch/patient patient/Condition.rs", prompt("consent"))
	if own.signIn("ann"); own.page.code != 503 || strings.Contains(own.page.text, "nn Other") {
		t.Errorf("CON-1407: the consent page of a patient: got %d %s", own.page.code, own.page.text)
	}
	if apps.open(site + "/my/choices"); apps.page.code != 503 || strings.Contains(apps.page.text, "Your record") {
		t.Errorf("CON-1407: the choices: got %d %s", apps.page.code, apps.page.text)
	}
	if apps.open(site + "/my/apps"); apps.page.code != 503 || strings.Contains(apps.page.text, "nn Other") {
		t.Errorf("CON-1407: the page of the apps: got %d %s", apps.page.code, apps.page.text)
	}
}
