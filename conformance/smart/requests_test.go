package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRequestsRefused: what is wrong with an authorization request, and where the browser is sent (SMART-080 to 089, 110 to 112,
// T01, T09, T12, T13, T16, T27).
func TestRequestsRefused(t *testing.T) {
	w := newWorld(t, nil, 1)
	set := func(name, value string) func(url.Values) { return func(v url.Values) { v.Set(name, value) } }
	del := func(name string) func(url.Values) { return func(v url.Values) { v.Del(name) } }
	for name, c := range map[string]struct {
		change func(url.Values)
		want   string // error at the redirect URI; "page" for a page without a redirect
	}{
		"SMART-083: an unknown client":                  {set("client_id", "app-none"), "page"},
		"SMART-083: no client":                          {del("client_id"), "page"},
		"SMART-083: no redirect URI":                    {del("redirect_uri"), "page"},
		"T01: another redirect URI":                     {set("redirect_uri", "https://app.example/back/"), "page"},
		"T01: a redirect URI with a query":              {set("redirect_uri", redirect+"?x=1"), "page"},
		"T01: a redirect URI with user information":     {set("redirect_uri", "https://me@app.example/back"), "page"},
		"T01: another host":                             {set("redirect_uri", "https://evil.example/back"), "page"},
		"SMART-082: a repeated parameter":               {func(v url.Values) { v.Add("scope", "openid") }, "page"},
		"SMART-085, T09: response_type token":           {set("response_type", "token"), "unsupported_response_type"},
		"SMART-085, T09: response_type code id_token":   {set("response_type", "code id_token"), "unsupported_response_type"},
		"SMART-085, T09: no response_type":              {del("response_type"), "unsupported_response_type"},
		"SMART-085: response_mode fragment":             {set("response_mode", "fragment"), "invalid_request"},
		"SMART-085: a request object":                   {set("request", "x"), "request_not_supported"},
		"SMART-085: a request URI":                      {set("request_uri", "https://x.example"), "request_uri_not_supported"},
		"SMART-086: no state":                           {del("state"), "invalid_request"},
		"SMART-086: a long state":                       {set("state", strings.Repeat("s", 2049)), "invalid_request"},
		"SMART-087: no aud":                             {del("aud"), "invalid_request"},
		"SMART-087, T13: the aud of another server":     {set("aud", "https://other.example/fhir"), "invalid_request"},
		"SMART-087, T13: a prefix of ours":              {set("aud", site), "invalid_request"},
		"SMART-087, T13: ours and a path":               {set("aud", base+"/Patient"), "invalid_request"},
		"SMART-087: aud and resource differ":            {set("resource", "https://other.example"), "invalid_request"},
		"SMART-110, T12: no code challenge":             {del("code_challenge"), "invalid_request"},
		"SMART-111, T12: plain":                         {set("code_challenge_method", "plain"), "invalid_request"},
		"SMART-111, T12: no method":                     {del("code_challenge_method"), "invalid_request"},
		"SMART-112, T12: a short challenge":             {set("code_challenge", "short"), "invalid_request"},
		"SMART-112, T12: a challenge with padding":      {set("code_challenge", challengeOf(verifier)+"="), "invalid_request"},
		"SMART-123: launch without the scope":           {set("launch", "x"), "invalid_request"},
		"SMART-123: the scope launch without a launch":  {set("scope", "launch patient/*.rs"), "invalid_request"},
		"SMART-235: no scope is understood":             {set("scope", "patient/Observation.sr nonsense"), "invalid_scope"},
		"SMART-230, T27: a line break in the scope":     {set("scope", "patient/*.rs\nopenid"), "invalid_scope"},
		"SMART-230, T27: a letter that looks alike":     {set("scope", "p\u0430tient/*.rs"), "invalid_scope"},
		"SMART-230, T27: 10,000 scopes":                 {set("scope", strings.Repeat("openid ", 201)), "invalid_scope"},
		"SMART-097: prompt=none without a sign-in":      {set("prompt", "none"), "login_required"},
		"a prompt that is not understood":               {set("prompt", "always"), "invalid_request"},
		"SMART-086: no state, and nothing else is told": {func(v url.Values) { v.Del("state"); v.Del("aud") }, "invalid_request"},
	} {
		b, params := w.browser(), w.authorization("app", "patient/*.rs")
		c.change(params)
		location := b.open(site + "/oauth/authorize?" + params.Encode())
		if c.want == "page" {
			if location != "" || b.page.code != http.StatusBadRequest || strings.Contains(b.page.text, "evil.example") {
				t.Errorf("%s: got %d and %q, want a page and no redirect", name, b.page.code, location)
			}
			continue
		}
		if got := sentBack(t, location); got.Get("error") != c.want || got.Get("iss") != base || got.Get("code") != "" || got.Get("state") != "" && got.Get("state") != "the state" {
			t.Errorf("SMART-089: %s: got %v, want %s", name, got, c.want)
		}
	}
	backend := w.authorization("ehr", "system/*.rs")
	if b := w.browser(); b.open(site+"/oauth/authorize?"+backend.Encode()) != "" || b.page.code != 400 {
		t.Errorf("SMART-242: a backend client: got %d", b.page.code)
	}
}

// TestRequestForms: GET and POST lead to the same result; a post of another site, which brings no cookie, too (SMART-080, 081, 095).
func TestRequestForms(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, c := range map[string]struct{ post, cookies bool }{"GET": {}, "POST": {post: true, cookies: true}, "a POST of another site": {post: true}} {
		b := w.browser()
		params := w.authorization("app", "patient/Observation.rs "+strings.Repeat("x", 7000))
		params.Set("prompt", "consent") // not a repeat (SMART-222)
		if c.post {
			params.Set("scope", "patient/Observation.rs "+strings.Repeat("x", 30_000))
			r := w.request("POST", site+"/oauth/authorize?client_id=other", params.Encode())
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "https://app.example")
			if c.cookies {
				b.open(site + "/oauth/authorize?" + w.authorization("app", "patient/*.rs").Encode())
			}
			b.follow(r)
		} else {
			b.open(site + "/oauth/authorize?" + params.Encode())
		}
		b.signIn("ann")
		if back := sentBack(t, b.allow()); w.exchange("app", back.Get("code")).code != 200 {
			t.Errorf("SMART-080, 081: %s: got %v", name, back)
		}
	}
	long := w.authorization("app", strings.Repeat("x ", 5000))
	if a := read(w.do(w.request("GET", site+"/oauth/authorize?"+long.Encode(), ""))); a.code != http.StatusRequestURITooLong {
		t.Errorf("SMART-095: a URL over 8 KB: got %d", a.code)
	}
	if a := read(w.do(w.request("PUT", site+"/oauth/authorize", ""))); a.code != http.StatusMethodNotAllowed {
		t.Errorf("another method: got %d", a.code)
	}
}

// TestTransactions: a transaction belongs to one browser, ends after ten minutes, survives a change of the server, and is used up by
// its decision (SMART-094, T10, T29).
func TestTransactions(t *testing.T) {
	w := newWorld(t, nil, 2)
	b := w.browser()
	b.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode())
	b.signIn("ann")
	consent, at := b.forms()["decision"], b.at
	other := w.browser()
	if other.open(site + at); other.page.code != 400 {
		t.Errorf("SMART-094: another browser: got %d", other.page.code)
	}
	for name, change := range map[string]func(*browser, *form){
		"T10: another origin":          func(b *browser, _ *form) { b.origin = "https://evil.example" },
		"T10: no origin":               func(b *browser, _ *form) { b.origin = "" },
		"T10: the origin null":         func(b *browser, _ *form) { b.origin = "null" },
		"T10: no CSRF value":           func(_ *browser, f *form) { f.fields = url.Values{} },
		"T10: another CSRF value":      func(_ *browser, f *form) { f.fields = changed(f.fields) },
		"T29: another transaction":     func(_ *browser, f *form) { f.action = strings.Replace(f.action, "cr_tx_", "cr_tx_A", 1) },
		"T10: the session of somebody": func(b *browser, _ *form) { b.cookies = w.browserOf("stranger").cookies },
	} {
		forged := &browser{w: w, cookies: map[string]string{}, origin: site}
		for k, v := range b.cookies {
			forged.cookies[k] = v
		}
		f := form{action: consent.action, fields: url.Values{}, offers: consent.offers}
		for k, v := range consent.fields {
			f.fields[k] = v
		}
		change(forged, &f)
		if location := forged.send(f, url.Values{"decision": {"allow"}, "group": {"Observation"}}); location != "" || forged.page.code < 400 {
			t.Errorf("SMART-163: %s: got %d and %q, want nothing changed", name, forged.page.code, location)
		}
	}
	location := b.send(consent, url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": consent.offers["category"]})
	if location == "" {
		t.Fatalf("after what was refused, the form of the person: got %d %s", b.page.code, b.page.text)
	}
	back := sentBack(t, location)
	if w.exchange("app", back.Get("code")).code != 200 {
		t.Errorf("after what was refused, the form of the person: got %v", back)
	}
	if location := b.send(consent, url.Values{"decision": {"allow"}, "group": {"Observation"}}); location != "" || b.page.code != 400 {
		t.Errorf("SMART-094: the form a second time: got %d and %q", b.page.code, location)
	}
	again := w.authorization("app", "patient/Observation.rs")
	again.Set("prompt", "consent")
	b.open(site + "/oauth/authorize?" + again.Encode())
	late := b.forms()["decision"]
	w.now = w.now.Add(10 * time.Minute)
	if location := b.send(late, url.Values{"decision": {"allow"}, "group": {"Observation"}}); location != "" || b.page.code != 400 {
		t.Errorf("SMART-094: after ten minutes: got %d and %q", b.page.code, location)
	}
	many := w.browser()
	for i := range 11 {
		many.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode())
		if (many.page.code == 429) != (i >= 10) {
			t.Errorf("SMART-094: transaction %d of a browser: got %d", i+1, many.page.code)
		}
	}
}

// browserOf returns a browser in which somebody has signed in.
func (w *world) browserOf(user string) *browser {
	w.Helper()
	b, params := w.browser(), w.authorization("app", "patient/Observation.rs")
	params.Set("prompt", "consent") // also after a decision that could be repeated without a page
	b.open(site + "/oauth/authorize?" + params.Encode())
	b.signIn(user)
	return b
}

// changed returns hidden fields with other values.
func changed(fields url.Values) url.Values {
	out := url.Values{}
	for k, v := range fields {
		out[k] = []string{v[0][:len(v[0])-1] + "_"}
	}
	return out
}

// TestDecisions: what the person leaves out is not granted, and a refusal grants nothing (SMART-089, 093, 147, 210 to 217).
func TestDecisions(t *testing.T) {
	w := newWorld(t, nil, 1)
	decide := func(scope string, fields url.Values) url.Values {
		b := w.browser()
		b.open(site + "/oauth/authorize?" + w.authorization("app", scope).Encode())
		b.signIn("ann")
		for _, hidden := range []string{"t1.", "laboratory-1", annsNumber} {
			if strings.Contains(b.page.text, hidden) {
				t.Errorf("SMART-142, 217: the page shows %q", hidden)
			}
		}
		return sentBack(t, b.submit("decision", fields))
	}
	if back := decide("patient/Observation.rs", url.Values{"decision": {"refuse"}}); back.Get("error") != "access_denied" || back.Get("code") != "" {
		t.Errorf("SMART-089, 218: refused: got %v", back)
	}
	back := decide("openid patient/Observation.cruds patient/Condition.rs offline_access", url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": {"Observation|laboratory"}})
	a := w.exchange("app", back.Get("code"))
	if got := a.str("scope"); got != "openid patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory" || a.str("refresh_token") != "" {
		t.Errorf("SMART-212, 213, 216: got %q", got)
	}
	if got := w.get(a.str("access_token"), "Observation"); !strings.Contains(got.text, "t1.ann-laboratory") || strings.Contains(got.text, "t1.ann-vital-signs") {
		t.Errorf("SMART-213: got %s", got.text)
	}
	for name, c := range map[string]struct{ client, scope, user, want string }{
		"a patient in an app of staff":                 {"clinical", "user/*.rs", "ann", "sign-in"},
		"SMART-204: an organisation without agreement": {"clinical", "user/*.rs", "outsider", "access_denied"},
		"SMART-147: a patient without a record":        {"app", "patient/*.rs", "stranger", "page"},
	} {
		b := w.browser()
		b.open(site + "/oauth/authorize?" + w.authorization(c.client, c.scope).Encode())
		if c.want == "sign-in" {
			if strings.Contains(b.page.text, "nhs-login-1") {
				t.Errorf("SMART-189: %s: the sign-in of staff offers a patient", name)
			}
			continue
		}
		location := b.signIn(c.user)
		if c.want == "page" {
			if location != "" || b.page.code != 403 {
				t.Errorf("%s: got %d and %q, want a page", name, b.page.code, location)
			}
			continue
		}
		if got := sentBack(t, location); got.Get("error") != c.want {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
}
