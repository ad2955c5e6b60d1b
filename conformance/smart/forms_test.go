package smart

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// stage brings a browser to a page with a form, and says what a person fills in.
type stage struct {
	form string // name of the form
	open func(w *world, b *browser)
	with url.Values
}

// stages are the pages with forms of the whole product.
func stages() map[string]stage {
	signedIn := func(client, scope, user string) func(*world, *browser) {
		return func(_ *world, b *browser) {
			b.ask(client, scope, prompt("consent"))
			b.signIn(user)
		}
	}
	searched := func(client, scope, number string) func(*world, *browser) {
		return func(w *world, b *browser) {
			signedIn(client, scope, "doctor")(w, b)
			b.submit("search", url.Values{"number": {number}})
		}
	}
	page := func(path string) func(*world, *browser) {
		return func(w *world, b *browser) {
			w.exchange("app", b.journey("app", "patient/Condition.rs offline_access", "ann", "", prompt("consent")).Get("code"))
			b.open(site + path)
		}
	}
	launchedFor := func(w *world, b *browser) {
		handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
		b.ask("clinical", "launch patient/Condition.rs", func(v url.Values) { v.Set("launch", handle) }, prompt("login"))
		b.signIn("nurse")
	}
	return map[string]stage{
		"kind":          {"kind", func(_ *world, b *browser) { b.ask("both", "user/Condition.rs") }, url.Values{"kind": {"patient"}}},
		"sample people": {"person", func(_ *world, b *browser) { b.ask("app", "patient/Condition.rs") }, url.Values{"person": {"nhs-login-1"}}},
		"role":          {"role", signedIn("clinical", "user/Condition.rs", "locum"), url.Values{"role": {"T1 R1"}}},
		"leave":         {"leave", signedIn("app", "patient/Condition.rs", "stranger"), url.Values{}},
		"another":       {"another", launchedFor, url.Values{}},
		"search":        {"search", signedIn("clinical", "launch/patient patient/Condition.rs", "doctor"), url.Values{"number": {bobsNumber}}},
		"patient":       {"patient", searched("clinical", "launch/patient patient/Condition.rs", bobsNumber), url.Values{"patient": {"t1.bob"}}},
		"encounter":     {"encounter", signedIn("app", "launch/encounter patient/Condition.rs", "ann"), url.Values{"encounter": {"t1.ann-e"}}},
		"decision":      {"decision", signedIn("app", "patient/Condition.rs", "ann"), url.Values{"decision": {"refuse"}}},
		"apps":          {"apps", page("/my/apps"), url.Values{}},
		"sessions":      {"sessions", page("/my/sessions"), url.Values{"session": {"all"}}},
		"sign-out":      {"sign-out", page("/my/apps"), url.Values{}},
		"browse":        {"sign-in", func(_ *world, b *browser) { b.open(site + "/browse/sign-in") }, url.Values{"kind": {"patient"}}},
		"language":      {"language", func(_ *world, b *browser) { b.open(site + "/") }, url.Values{"language": {"cy"}}},
	}
}

// formOf returns a form of the page: by the last part of its path, or by the choice that it offers.
func (b *browser) formOf(name string) (form, bool) {
	b.w.Helper()
	for last, f := range b.forms() {
		if last == name || f.offers["person"] != nil && name == "person" {
			return f, true
		}
	}
	return form{}, false
}

// state is what the servers have stored, but for the activity of sessions and for transactions and sign-ins that a page begins.
func (w *world) state() map[string]string {
	w.Helper()
	out := map[string]string{}
	for v, err := range w.engine.Values(w.Context(), "") {
		w.must(err)
		out[v.Key] = string(v.Value)
	}
	return out
}

// TestSMARTT10: each form of each page without a CSRF value, with a wrong, an old or another session's one, from a foreign origin, from
// the origin null, and from none, changes nothing (SMART-163).
func TestSMARTT10(t *testing.T) {
	for name, s := range stages() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, 1)
			b, other, old := w.browser(), w.browser(), w.browser()
			s.open(w, other)
			foreign, _ := other.formOf(s.form)
			s.open(w, old)
			before, _ := old.formOf(s.form)
			for cookie := range old.cookies { // the same person, in another session of before
				delete(old.cookies, cookie)
			}
			s.open(w, b)
			right, ok := b.formOf(s.form)
			if !ok {
				t.Fatalf("SMART-T10: there is no form %q at %s: %d %.300s", s.form, b.at, b.page.code, b.page.text)
			}
			with := url.Values{}
			maps.Copy(with, s.with)
			csrf := func(value ...string) func(*browser, *form) {
				return func(_ *browser, f *form) { f.fields["csrf"] = value }
			}
			for what, change := range map[string]func(*browser, *form){
				"no value":                func(_ *browser, f *form) { delete(f.fields, "csrf") },
				"an empty value":          csrf(""),
				"a wrong value":           func(_ *browser, f *form) { f.fields = changed(f.fields) },
				"two values":              csrf(right.fields.Get("csrf"), right.fields.Get("csrf")),
				"another session's value": csrf(foreign.fields.Get("csrf")),
				"an old value":            csrf(before.fields.Get("csrf")),
				"a foreign origin":        func(b *browser, _ *form) { b.origin = "https://evil.example" },
				"an origin like ours":     func(b *browser, _ *form) { b.origin = site + ".evil.example" },
				"the origin null":         func(b *browser, _ *form) { b.origin = "null" },
				"no origin":               func(b *browser, _ *form) { b.origin = "" },
				"no cookies":              func(b *browser, _ *form) { b.cookies = map[string]string{} },
				"another one's cookies":   func(b *browser, _ *form) { b.cookies = maps.Clone(other.cookies) },
			} {
				forged := &browser{w: w, cookies: maps.Clone(b.cookies), origin: site}
				f := form{action: right.action, fields: url.Values{}, offers: right.offers}
				for k, v := range right.fields {
					f.fields[k] = slices.Clone(v)
				}
				change(forged, &f)
				had, records := w.state(), w.recorded("page-refused")
				location := forged.send(f, with)
				signedOut := name == "sign-out" && what == "no cookies" // the page says so
				if location != "" || forged.page.code < 400 && !signedOut {
					t.Errorf("SMART-T10: %s: got %d and %q, want a refusal", what, forged.page.code, location)
				}
				if forged.page.code == 403 && w.recorded("page-refused") != records+1 {
					t.Errorf("SMART-494: %s: the audit trail has no record", what)
				}
				for key, value := range w.state() {
					if _, known := had[key]; known && had[key] != value || !known {
						t.Errorf("SMART-T10: %s: %s has changed", what, key[:min(len(key), 30)])
					}
					delete(had, key)
				}
				for key := range had {
					t.Errorf("SMART-T10: %s: %s was removed", what, key[:min(len(key), 30)])
				}
			}
			if location := b.send(right, with); location == "" && b.page.code >= 400 {
				t.Errorf("SMART-T10: the right form afterwards: got %d %.300s", b.page.code, b.page.text)
			}
		})
	}
}

// TestSMARTT17: each form of each page is answered with a page or with 303, never with another redirect (SMART-092). follow checks each
// redirect on the way.
func TestSMARTT17(t *testing.T) {
	redirects := 0
	for name, s := range stages() {
		w := newWorld(t, nil, 1)
		b := w.browser()
		s.open(w, b)
		f, _ := b.formOf(s.form)
		body := url.Values{}
		maps.Copy(body, f.fields)
		maps.Copy(body, s.with)
		r := w.request("POST", site+strings.TrimPrefix(f.action, site), body.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", site)
		for cookie, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: cookie, Value: value})
		}
		got := read(w.do(r))
		if location := got.header.Get("Location"); location != "" {
			if redirects++; got.code != http.StatusSeeOther {
				t.Errorf("SMART-T17: %s: got %d to %s", name, got.code, location)
			}
		} else if got.code >= 300 {
			t.Errorf("SMART-T17: %s: got %d %.300s", name, got.code, got.text)
		}
	}
	if redirects < 10 {
		t.Errorf("SMART-T17: %d forms have led on, want most of them", redirects)
	}
}

// TestSMARTT04: no page of a journey has a resource of another site, a link with a code or token, or a referrer policy that tells other
// sites where the reader was (SMART-166, 167).
func TestSMARTT04(t *testing.T) {
	for name, s := range stages() {
		w := newWorld(t, nil, 1)
		b := w.browser()
		s.open(w, b)
		if got := b.page.header.Get("Referrer-Policy"); got != "same-origin" || b.page.header.Get("Cache-Control") != "no-store" || b.page.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("SMART-T04: %s: got the headers %v", name, b.page.header)
		}
		for _, link := range b.links() {
			if !strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "#") || strings.HasPrefix(link, "//") {
				t.Errorf("SMART-T04: %s: a link leads to %q", name, link)
			}
			for _, part := range []string{"code=", "cr_ac_", "cr_at_", "cr_rt_", "cr_se_", "cr_lh_", "access_token", "id_token", "client_secret"} {
				if strings.Contains(link, part) && !strings.Contains(link, "code_challenge") {
					t.Errorf("SMART-T04: %s: a link has %q: %s", name, part, link)
				}
			}
		}
	}
}

// TestSMART165: no page takes a return address: whatever a parameter says, nothing of it comes back, and no page sends the browser
// there (SMART-T16).
func TestSMART165(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.browseAs("ann")
	b.ask("app", "patient/Condition.rs")
	paths := []string{"/", "/my/apps", "/my/sessions", "/my/sign-out", "/browse/", "/browse/sign-in", "/browse/patient/Patient", "/oauth/authorize", b.at, "/oauth/callback/sample-patients", "/oauth/sign-in-keys.json",
		"/pages/language", "/sample-sign-in/sample-patients/authorize", "/developers", "/developers/texts", "/none", "/oauth/none"}
	for _, path := range paths {
		for _, name := range []string{"next", "return", "return_to", "returnTo", "url", "redirect", "redirect_uri", "redirect_url", "continue", "target", "dest", "goto", "service", "RelayState", "back", "post_logout_redirect_uri"} {
			for _, value := range []string{"https://evil.example/x", "//evil.example/x", "/\\evil.example", "javascript:alert(1)"} {
				location := b.open(site + path + "?" + url.Values{name: {value}}.Encode())
				if location != "" || b.page.header.Get("Location") != "" || strings.Contains(strings.Join(b.links(), " "), "evil.example") || strings.Contains(strings.Join(b.links(), " "), "javascript:") {
					t.Errorf("SMART-165, SMART-T16: %s?%s=%s: got %d and %q: %v", path, name, value, b.page.code, location, b.links())
				}
			}
		}
	}
	for name, s := range stages() {
		w := newWorld(t, nil, 1)
		b := w.browser()
		s.open(w, b)
		with := url.Values{"next": {"https://evil.example"}, "return_to": {"https://evil.example"}, "url": {"//evil.example"}, "redirect_uri": {"https://evil.example"}}
		maps.Copy(with, s.with)
		f, _ := b.formOf(s.form)
		if location := b.send(f, with); strings.Contains(location, "evil.example") || strings.Contains(strings.Join(b.visited, " "), "evil") || strings.Contains(b.page.header.Get("Location"), "evil") {
			t.Errorf("SMART-165: the form %s sends the browser to %q", name, location)
		}
	}
}
