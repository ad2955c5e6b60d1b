package browser

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// allowed lets Ann sign in anew and allow the other app, which takes its tokens.
func (b *tab) allowed() {
	b.Helper()
	b.w.move(time.Second)
	b.open(b.w.authorization("prompt", "login consent"))
	b.sees("kind", "input[name=kind]")
	b.click("input[name=kind][value=patient] + label")
	b.click("main button[type=submit]")
	b.signIn(ann)
	b.allow()
	answer, err := http.PostForm(b.w.site+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {b.w.client}, "code": {b.returned().Get("code")}, "redirect_uri": {b.w.other + "/back"}, "code_verifier": {verifier}})
	if err != nil {
		b.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		b.Fatalf("the app got %d for its code", answer.StatusCode)
	}
}

// TestOpen: the button on the page of the apps opens an app, whose launch page sends the browser on to another origin: no policy of ours blocks
// that (SMART-120, 166).
func TestOpen(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.allowed()
	b.open(w.site + "/my/apps")
	b.sees("apps", "form[action='/my/apps/open'] button")
	b.click("form[action='/my/apps/open'] button")
	if got := b.returned(); !strings.HasPrefix(got.Get("launch"), "cr_lh_") || got.Get("iss") != w.site+"/fhir" {
		t.Errorf("SMART-122: got %v", got)
	}
	b.blame()
}

// TestReminder: a year after the first app was allowed, the page of the reminder comes between the sign-in and the consent (SMART-224).
func TestReminder(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.allowed()
	w.move(300 * 24 * time.Hour)
	b.allowed()
	w.move(65 * 24 * time.Hour)
	b.open(w.authorization("prompt", "consent"))
	b.sees("kind", "input[name=kind]")
	b.click("input[name=kind][value=patient] + label")
	b.click("main button[type=submit]")
	b.signIn(ann)
	b.sees("reminder", "form[action$='/reminder'] button")
	b.click("button[name=language][value=cy]")
	b.reads("h1", "Apiau a all ddefnyddio eich cofnod")
	b.check("reminder-welsh")
	b.click("main form:last-of-type button")
	b.allow()
	b.returned()
	b.blame()
}
