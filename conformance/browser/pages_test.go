package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestOtherPages: axe-core finds nothing on the pages that no journey of an app meets (SMART-151, 167).
func TestOtherPages(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.site + "/my/apps")
	b.sees("own-sign-in", "input[name=kind]")
	b.open(w.site + "/oauth/transaction/none")
	b.sees("ended", "h1")
	b.open(w.site + "/oauth/authorize?client_id=nobody")
	b.sees("bad-request", "h1")
	b.open(w.site + "/developers")
	b.sees("developers", "#frames")
	b.open(w.site + "/developers/texts")
	b.sees("texts", "h1")
	b.open(w.authorization("prompt", "login"))
	b.click("main button[type=submit]")
	b.sees("kind-unanswered", ".nhsuk-error-summary")
	b.click("input[name=kind][value=patient] + label")
	b.click("main button[type=submit]")
	b.signIn(ann)
	b.sees("consent", "button[value=allow]")
	b.open(w.site + "/my/sessions")
	b.sees("sessions", "main form button")
	b.open(w.site + "/my/choices")
	b.sees("choices", "main form button")
	for _, state := range []string{"refused", "shared"} { // CON-1805: each takes the same two steps, without scripts
		b.click("main form button")
		b.sees("choices-ask", "button[name=confirm]")
		b.click("button[name=confirm]")
		b.sees("choices-"+state, "[role=status]")
	}
	b.click("header form button")
	within(b, "wait for the sign-out", chromedp.WaitNotPresent(chromedp.CSS("header form button")))
	b.check("signed-out")
}

// TestKeyboard: a person who has a keyboard alone signs in and allows an app (SMART-151).
func TestKeyboard(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.authorization())
	b.sees("kind", "input[name=kind]")
	b.press(" ", "input[name=kind]") // the first radio button
	b.press(kb.Enter, "main button[type=submit]")
	b.sees("sign-in", "input[name=person]")
	b.press(" ", "input[name=person][value='"+ann+"']")
	b.press(kb.Enter, "main button[type=submit]")
	b.sees("consent", "button[value=allow]")
	b.press(" ", "input[name=group][value=Observation]") // takes the tick away
	b.press(" ", "input[name=group][value=Observation]")
	b.press(kb.Enter, "button[value=allow]")
	if got := b.returned(); got.Get("code") == "" {
		t.Errorf("SMART-151: got %v", got)
	}
	b.blame()
}

// press moves the focus with the tabulator key to an element, where it must be visible, and presses a key there.
func (b *tab) press(key, selector string) {
	b.Helper()
	at := `document.activeElement.matches("` + selector + `")`
	for n := 0; !evaluate[bool](b, at); n++ {
		if n > 60 {
			b.Fatalf("SMART-151: the tabulator key does not lead to %s", selector)
		}
		within(b, "press the tabulator key", chromedp.KeyEvent(kb.Tab))
	}
	if !evaluate[bool](b, "document.activeElement.matches(':focus-visible')") {
		b.Errorf("SMART-151: the focus on %s is not visible", selector)
	}
	within(b, "press a key", chromedp.KeyEvent(key))
}

// TestChecks: what the other tests look for is found on a page that has it: text without contrast, a field without a label, a page
// that is too wide, a load from elsewhere, a blocked script.
func TestChecks(t *testing.T) {
	w := newWorld(t)
	bad := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		rw.Header().Set("Content-Security-Policy", "script-src 'none'")
		rw.Write([]byte(`<!DOCTYPE html><html lang="en"><title>Bad</title><main><h1>Bad</h1><p style="color:#ccc;width:900px">pale</p><input type="text"><script>1</script><a href="x?code=cr_ac_1">on</a></main>`))
	}))
	t.Cleanup(bad.Close)
	b := newTab(t, w)
	found := &finder{TB: t}
	b.TB = found
	b.open(bad.URL)
	w.site = bad.URL // as if the page were one of the record
	b.check("bad")
	for _, want := range []string{"color-contrast", "label", "at 400 %", "a request to " + bad.URL, "has no Referrer-Policy", "blocked: ", "the page leads to"} {
		if !strings.Contains(strings.Join(found.said, "\n"), want) {
			t.Errorf("nobody noticed %q:\n%s", want, strings.Join(found.said, "\n"))
		}
	}
}
