package smart

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// TestSMART096: whatever the authorization endpoint answers, it has no CORS header, cannot be framed, is not stored, and tells other sites
// nothing of where the reader was.
func TestSMART096(t *testing.T) {
	w := newWorld(t, nil, 1)
	params := w.authorization("app", "patient/*.rs")
	wrong := w.authorization("app", "patient/*.rs")
	wrong.Set("redirect_uri", "https://evil.example")
	refused := w.authorization("app", "nonsense")
	b := w.browserOf("ann")
	for name, c := range map[string]struct {
		method, target, body string
		framed               bool // a redirect has no page that a frame could show
	}{
		"a request":           {"GET", "/oauth/authorize?" + params.Encode(), "", false},
		"a request by POST":   {"POST", "/oauth/authorize", params.Encode(), false},
		"an error page":       {"GET", "/oauth/authorize?" + wrong.Encode(), "", true},
		"an error redirect":   {"GET", "/oauth/authorize?" + refused.Encode(), "", false},
		"another method":      {"PUT", "/oauth/authorize", "", true},
		"a preflight":         {"OPTIONS", "/oauth/authorize", "", true},
		"the consent page":    {"GET", b.at, "", true},
		"an unknown page":     {"GET", "/oauth/transaction/x", "", true},
		"a form without CSRF": {"POST", b.at + "/decision", "decision=allow", true},
	} {
		r := w.request(c.method, site+c.target, c.body)
		r.Header.Set("Origin", "https://app.example")
		if c.body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if c.method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "GET")
		}
		for cookie, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: cookie, Value: value})
		}
		h := read(w.do(r)).header
		for header := range h {
			if len(header) > 14 && header[:14] == "Access-Control" {
				t.Errorf("SMART-096: %s: there is a header %s", name, header)
			}
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "same-origin" || c.framed && h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("SMART-096: %s: got %v", name, h)
		}
	}
}

// TestSMART097: prompt=none never shows a page, prompt=login and prompt=consent force the step.
func TestSMART097(t *testing.T) {
	w := newWorld(t, nil, 1)
	refusedAs := func(what, location, want string) {
		t.Helper()
		if got := sentBack(t, location); got.Get("error") != want || got.Get("code") != "" {
			t.Errorf("SMART-097: %s: got %v, want %s", what, got, want)
		}
	}
	b := w.browser()
	b.open(site + "/") // which gives the browser its cookie
	refusedAs("nobody has signed in", b.ask("app", "patient/Condition.rs", prompt("none")), "login_required")
	b.ask("app", "patient/Condition.rs")
	b.signIn("ann")
	refusedAs("nobody has chosen how", b.ask("both", "user/Condition.rs", prompt("none")), "interaction_required")
	refusedAs("nobody has agreed", b.ask("app", "patient/Condition.rs", prompt("none")), "consent_required")
	b.ask("clinical", "launch/patient patient/Condition.rs")
	b.signIn("doctor")
	refusedAs("nobody has chosen a patient", b.ask("clinical", "launch/patient patient/Condition.rs", prompt("none")), "interaction_required")
	if location := b.ask("app", "patient/Condition.rs", prompt("none login")); location == "" {
		t.Errorf("SMART-097: none with login shows the page at %s", b.at)
	}

	w.now = w.now.Add(time.Minute)
	began := w.now
	if b.ask("app", "patient/Condition.rs"); b.at[:19] != "/oauth/transaction/" {
		t.Errorf("SMART-097: without a prompt the sign-in is repeated: %s", b.at)
	}
	b.ask("app", "openid patient/Condition.rs", prompt("login"))
	if b.forms()["decision"].action != "" {
		t.Fatal("SMART-097: prompt=login shows the consent page at once")
	}
	b.signIn("ann")
	a := w.exchange("app", sentBack(t, b.allow()).Get("code"))
	active, err := w.smart[0].Grants.Resolve(t.Context(), a.str("access_token"))
	if err != nil || active.Grant.AuthTime.Before(began) {
		t.Errorf("SMART-097: the sign-in was at %s (%v), want it after %s", active.Grant.AuthTime, err, began)
	}
	// The sign-in is of this one request: the page of the transaction does not ask for it again, and the next request does.
	w.now = w.now.Add(time.Minute)
	if b.ask("app", "patient/Condition.rs", prompt("consent")); !has(b.forms(), "decision") {
		t.Errorf("SMART-097: prompt=consent: got %d at %s", b.page.code, b.at)
	}
	if b.ask("app", "patient/Condition.rs", prompt("login consent")); has(b.forms(), "decision") {
		t.Error("SMART-097: login and consent: the sign-in is left out")
	}
	if b.signIn("ann"); !has(b.forms(), "decision") {
		t.Errorf("SMART-097: login and consent: the page is left out: %d at %s", b.page.code, b.at)
	}
}

// TestSMART098: the nonce comes back in the ID token, as it was sent, and the hints of OpenID Connect change nothing.
func TestSMART098(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, nonce := range []string{"n-1", "a b&c=\u00e4\"'<", ""} {
		a := w.exchange("app", w.browser().journey("app", "openid fhirUser patient/Condition.rs", "ann", "", prompt("consent"), func(v url.Values) {
			if nonce != "" {
				v.Set("nonce", nonce)
			}
		}).Get("code"))
		wantIDToken(t, w, a.str("id_token"), "app", nonce, "Patient/t1.ann")
	}
	for name, hints := range map[string]url.Values{
		"a login_hint of somebody else": {"login_hint": {"bob"}}, "ui_locales": {"ui_locales": {"cy xx-<script>"}}, "display": {"display": {"popup"}}, "an id_token_hint": {"id_token_hint": {"eyJhbGciOiJub25lIn0.e30."}},
		"acr_values": {"acr_values": {"level-0"}}, "what nobody knows": {"unknown": {"x"}, "claims": {"{}"}, "max_age": {"0"}},
	} {
		b := w.browser()
		a := w.exchange("app", b.journey("app", "openid patient/Condition.rs", "ann", "", prompt("consent"), func(v url.Values) {
			for k, value := range hints {
				v[k] = value
			}
		}).Get("code"))
		if a.code != 200 || a.str("patient") != "t1.ann" {
			t.Errorf("SMART-098: %s: got %d %s", name, a.code, a.text)
		}
	}
}
