package smart

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// answered sends a consent form, and returns the browser before it follows the page that leads back to the app, with the address of
// that page.
func (w *world) answered(t *testing.T, decision string) (b *browser, page string) {
	t.Helper()
	b = w.browser()
	params := w.authorization("app", "patient/Observation.rs")
	params.Set("prompt", "consent")
	b.open(site + "/oauth/authorize?" + params.Encode())
	b.signIn("ann")
	id := b.transaction()
	b.stay = true
	offers := b.forms()["decision"].offers
	if location := b.submit("decision", url.Values{"decision": {decision}, "group": offers["group"], "category": offers["category"]}); location != "" {
		t.Fatalf("SMART-166: the form leads to %s", location)
	}
	return b, site + "/oauth/transaction/" + id + "/back"
}

// TestBack: after a form the browser goes back to the app by a page of ours, without a code in it. The page and the redirect are for
// the browser of the transaction, and the redirect for one minute and one time (SMART-092, 163, 166, 490, T04).
func TestBack(t *testing.T) {
	w := newWorld(t, nil, 2)
	for decision, want := range map[string]string{"allow": "code", "refuse": "error"} {
		b, page := w.answered(t, decision)
		if site+b.at != page || b.page.code != 200 || !strings.Contains(b.page.text, "The app") || strings.Contains(b.page.text, "cr_ac_") || strings.Contains(b.page.text, "app.example") {
			t.Errorf("SMART-166, T04: %s: at %s: got %d %s", decision, b.at, b.page.code, b.page.text)
		}
		on := strings.TrimSuffix(page, "back") + "app"
		if !strings.Contains(b.page.text, `href="`+strings.TrimPrefix(on, site)+`"`) {
			t.Errorf("SMART-166: the page has no link to %s: %s", on, b.page.text)
		}
		for _, address := range []string{page, on} {
			other := w.browser()
			other.stay = true
			if location := other.open(address); location != "" || other.page.code != 400 {
				t.Errorf("SMART-163: %s in another browser: got %d %s", address, other.page.code, location)
			}
		}
		if got := sentBack(t, b.open(on)); got.Get(want) == "" || got.Get("state") != "the state" || got.Get("iss") != base {
			t.Errorf("SMART-088, 166: %s: got %v", decision, got)
		}
		for _, address := range []string{page, on} {
			if location := b.open(address); location != "" || b.page.code != 400 {
				t.Errorf("SMART-166: %s a second time: got %d %s", address, b.page.code, location)
			}
		}
	}
	b, page := w.answered(t, "allow")
	w.now = w.now.Add(time.Minute)
	for _, address := range []string{page, strings.TrimSuffix(page, "back") + "app"} {
		if location := b.open(address); location != "" || b.page.code != 400 {
			t.Errorf("SMART-166: %s after a minute: got %d %s", address, b.page.code, location)
		}
	}
}

// TestBackAtOnce: where the browser has sent no form, it is redirected to the app at once: after prompt=none, and where nobody has to
// decide (SMART-220). Without a session prompt=none is login_required, and leaves nothing in the browser (SMART-097, 132).
func TestBackAtOnce(t *testing.T) {
	w := newWorld(t, nil, 1)
	quiet := w.authorization("signer", "user/Observation.rs")
	quiet.Set("prompt", "none")
	b := w.browser()
	b.stay = true
	if got := sentBack(t, b.open(site+"/oauth/authorize?"+quiet.Encode())); got.Get("error") != "login_required" || len(b.visited) != 1 || len(b.cookies) != 0 {
		t.Errorf("SMART-132: without a session: got %v by way of %v, with the cookies %v", got, b.visited, b.cookies)
	}
	b.stay = false
	b.open(site + "/oauth/authorize?" + w.authorization("signer", "user/Observation.rs").Encode())
	if got := sentBack(t, b.signIn("doctor")); got.Get("code") == "" || !strings.HasSuffix(b.visited[len(b.visited)-1], "/app") {
		t.Errorf("SMART-166: after the form of the sign-in: got %v by way of %v, want our page in between", got, b.visited)
	}
	b.stay = true
	w.now = w.now.Add(time.Second)
	for name, params := range map[string]url.Values{"prompt=none": quiet, "an approved app": w.authorization("signer", "user/Observation.rs")} {
		if got := sentBack(t, b.open(site+"/oauth/authorize?"+params.Encode())); got.Get("code") == "" || len(b.visited) != 2 {
			t.Errorf("SMART-220: %s: got %v by way of %v, want a redirect at once", name, got, b.visited)
		}
	}
}

// TestBackToDevice: an app on the device, with a private scheme, is redirected to from the form, whose page names the scheme (SMART-092,
// 166).
func TestBackToDevice(t *testing.T) {
	w := newWorld(t, nil, 1)
	const scheme = "uk.example.app:"
	c, err := w.smart[0].Clients.Get(t.Context(), w.ids["app"])
	w.must(err)
	with := *c
	with.RedirectURIs = []string{scheme + "/back"}
	proposed, err := w.smart[0].Clients.Change(t.Context(), "ann", c.ID, with)
	w.must(err)
	_, err = w.smart[0].Clients.Approve(t.Context(), "bob", c.ID, proposed.Digest())
	w.must(err)
	w.now = w.now.Add(time.Second)
	b := w.browser()
	params := w.authorization("app", "patient/Condition.rs")
	params.Set("redirect_uri", scheme+"/back")
	b.open(site + "/oauth/authorize?" + params.Encode())
	b.signIn("ann")
	if policy := b.page.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' "+scheme) {
		t.Errorf("SMART-166: the consent page has the policy %s", policy)
	}
	if location := b.allow(); !strings.HasPrefix(location, scheme+"/back?code=") || len(b.visited) != 1 {
		t.Errorf("SMART-166: got %s by way of %v, want a redirect from the form", location, b.visited)
	}
}
