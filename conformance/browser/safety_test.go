package browser

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"carerecord/docs/examples"
)

const verifier = "0123456789-0123456789-0123456789-0123456789-verifier"

// authorization is the address of a request of the other app.
func (w *world) authorization(change ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	v := url.Values{"response_type": {"code"}, "client_id": {w.client}, "redirect_uri": {w.other + "/back"}, "scope": {"launch/patient patient/Observation.rs offline_access"}, "state": {"the state"}, "aud": {w.site + "/fhir"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	for i := 0; i+1 < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return w.site + "/oauth/authorize?" + v.Encode()
}

// landed returns the parameters with which the browser reached the end of the redirects of the other app.
func (b *tab) landed() url.Values {
	b.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case u := <-b.w.arrived:
		return u.Query()
	case <-timer.C:
		b.Fatalf("the browser has not arrived; it is at %s", b.address())
		return nil
	}
}

// returned is landed for a tab in which no frame goes back: it waits for the page too.
func (b *tab) returned() url.Values {
	b.Helper()
	got := b.landed()
	b.reads("h1", "Arrived")
	return got
}

// TestRedirectsOn: an app whose redirect page sends the browser on to another origin gets its answer, after an allowing and after a
// refusing form (SMART-092, 166).
func TestRedirectsOn(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	for value, want := range map[string]string{"allow": "code", "refuse": "error"} {
		w.move(time.Second) // the session of the round before began before this request
		b.open(w.authorization("prompt", "login"))
		b.sees("kind", "input[name=kind]")
		b.click("input[name=kind][value=patient] + label")
		b.click("main button[type=submit]")
		b.signIn(ann)
		button := chromedp.CSS("button[value=" + value + "]")
		b.sees("consent", button)
		b.click(button)
		if got := b.returned(); got.Get(want) == "" || got.Get("state") != "the state" {
			t.Errorf("SMART-166: %s: got %v", value, got)
		}
		b.blame()
	}
}

// TestWithoutScripts: a whole journey with JavaScript disabled: the kind of sign-in, the sign-in, consent, the code, a token, and the
// end of its access on the page of apps (SMART-151).
func TestWithoutScripts(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	_, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	w.must(err)
	b.open(w.authorization())
	b.click("input[name=kind][value=patient] + label")
	b.click("main button[type=submit]")
	b.click("input[name=person][value=" + ann + "] + label")
	b.click("main button[type=submit]")
	b.click("input[name=category][value='Observation|vital-signs'] + label")
	b.click("button[value=allow]")
	got := b.returned()
	var token struct {
		Access  string `json:"access_token"`
		Patient string
		Scope   string
	}
	answer, err := http.PostForm(w.site+"/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {w.client}, "code": {got.Get("code")}, "redirect_uri": {w.other + "/back"}, "code_verifier": {verifier}})
	w.must(err)
	defer answer.Body.Close()
	w.must(json.NewDecoder(answer.Body).Decode(&token))
	if token.Patient != "t1.ann" {
		t.Fatalf("SMART-151: got %d %+v", answer.StatusCode, token)
	}
	if status, body := w.read(token.Access, "Observation"); status != 200 || strings.Contains(body, "vital-signs") {
		t.Errorf("SMART-214: without vital signs, got %d %s", status, body)
	}
	b.open(w.site + "/my/apps")
	b.click(`main form[action='/my/apps'] button`)
	within(b, "wait for the end of the access", chromedp.WaitNotPresent(chromedp.CSS(`main form[action='/my/apps'] button`)))
	if status, body := w.read(token.Access, "Observation"); status != 401 {
		t.Errorf("SMART-405: after the person stopped the app, got %d %s", status, body)
	}
	b.blame()
}

// read sends a search with a token.
func (w *world) read(token, path string) (int, string) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.site+"/fhir/"+path, nil)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	w.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	w.must(err)
	return answer.StatusCode, string(body)
}

// TestFraming: no page can be framed by another origin: Chromium shows none of them in a frame, whoever is signed in (SMART-132, T21). An
// app in a frame that asks with prompt=none learns login_required.
func TestFraming(t *testing.T) {
	w := newWorld(t)
	b := newTab(t, w)
	b.open(w.authorization())
	b.sees("kind", "input[name=kind]")
	pages := []string{b.address(), w.site + "/", w.site + "/my/sessions", w.site + "/developers", w.site + "/oauth/authorize", w.authorization(), w.examples + examples.EHRPath, w.examples + examples.StartPath}
	b.click("input[name=kind][value=patient] + label")
	b.click("main button[type=submit]")
	b.sees("sign-in", "input[name=person]")
	pages = append(pages, b.address())
	b.signIn(ann)
	b.sees("consent", "button[value=allow]")
	pages = append(pages, b.address())
	b.blame()
	b.forget()
	for _, address := range append(pages, w.end.URL+"/end") {
		b.open(w.other + "/frame?" + url.Values{"of": {address}}.Encode())
		blocked := b.forget()
		if may := strings.HasPrefix(address, w.end.URL); may != (len(blocked) == 0) || len(blocked) > 1 {
			t.Errorf("SMART-T21: a frame with %s: the browser blocked %v", address, blocked)
		}
	}
	b.landed() // the page that may be framed
	b.open(w.other + "/frame?" + url.Values{"of": {w.authorization("prompt", "none")}}.Encode())
	if got := b.landed(); got.Get("error") != "login_required" {
		t.Errorf("SMART-132: in a frame: got %v", got)
	}
}

// forget drops what was noted, since that a policy blocks a frame is what the test wants, and returns what was blocked.
func (b *tab) forget() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	blocked := b.blocked
	b.problems, b.blocked = nil, nil
	return blocked
}
