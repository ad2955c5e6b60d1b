package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// TestSMARTT01: a redirect URI that is not a registered one, byte for byte, gets a page and never a redirect or a link (SMART-056, 083,
// 084).
func TestSMARTT01(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, uri := range map[string]string{
		"an added slash": redirect + "/", "a longer path": redirect + "/x", "a shorter path": "https://app.example/", "a query": redirect + "?x=1", "an empty query": redirect + "?", "a fragment": redirect + "#x",
		"user information": "https://me@app.example/back", "user information that looks like the host": "https://app.example@evil.example/back", "a port": "https://app.example:443/back", "another port": "https://app.example:8443/back",
		"upper case in the host": "https://APP.example/back", "upper case in the scheme": "HTTPS://app.example/back", "upper case in the path": "https://app.example/Back", "another scheme": "http://app.example/back",
		"no scheme": "//app.example/back", "a relative one": "/back", "a sub-domain": "https://x.app.example/back", "a longer host": "https://app.example.evil.example/back", "a dot after the host": "https://app.example./back",
		"%2e": "https://app%2eexample/back", "an encoded slash": "https://app.example%2fback", "an encoded letter": "https://app.example/%62ack", "..": "https://app.example/x/../back", "a backslash": `https://app.example\back`,
		"a backslash before @": `https://evil.example\@app.example/back`, "a space before": " " + redirect, "a space after": redirect + " ", "a line break": redirect + "\r\nSet-Cookie: a=b", "a zero byte": redirect + "\x00",
		"javascript": "javascript:alert(1)//app.example/back", "data": "data:text/html,x", "nothing": "",
	} {
		for _, method := range []string{"GET", "POST"} {
			b, params := w.browser(), w.authorization("app", "patient/*.rs")
			params.Set("redirect_uri", uri)
			location := ""
			if method == "GET" {
				location = b.open(site + "/oauth/authorize?" + params.Encode())
			} else {
				r := w.request("POST", site+"/oauth/authorize", params.Encode())
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				location = b.follow(r)
			}
			if location != "" || b.page.code != http.StatusBadRequest || b.page.header.Get("Set-Cookie") == "a=b" || strings.Contains(strings.Join(b.links(), " "), "example") {
				t.Errorf("SMART-T01: %s by %s: got %d and %q", name, method, b.page.code, location)
			}
		}
	}
	params := w.authorization("app", "patient/*.rs")
	params.Add("redirect_uri", redirect)
	if b := w.browser(); b.open(site+"/oauth/authorize?"+params.Encode()) != "" || b.page.code != http.StatusBadRequest {
		t.Errorf("SMART-T01: two redirect URIs: got %d", b.page.code)
	}
}

// TestSMARTT02: only the port of a loopback address may differ (RFC 8252, section 7.3).
func TestSMARTT02(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("native", clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"},
		RedirectURIs: []string{"http://127.0.0.1/back", "http://[::1]:7777/six", "uk.example.app:/back"}})
	for uri, works := range map[string]bool{
		"http://127.0.0.1/back": true, "http://127.0.0.1:5123/back": true, "http://127.0.0.1:1/back": true, "http://[::1]:80/six": true, "uk.example.app:/back": true,
		"http://127.0.0.1:5123/other": false, "http://127.0.0.1:5123/back?x=1": false, "https://127.0.0.1:5123/back": false, "http://localhost:5123/back": false, "http://127.0.0.2/back": false, "http://127.0.0.1.evil.example/back": false,
		"http://127.0.0.1:5123@evil.example/back": false, "http://127.0.0.1:/back": false, "http://127.0.0.1:x/back": false, "http://127.1/back": false, "uk.example.app:8080/back": false,
		"UK.example.app:/back": false, "uk.example.app2:/back": false,
	} {
		b := w.browser()
		b.ask("native", "patient/Condition.rs", func(v url.Values) { v.Set("redirect_uri", uri) })
		if (b.page.code == 200) != works {
			t.Errorf("SMART-T02: %s: got %d, want it taken: %v", uri, b.page.code, works)
			continue
		}
		if !works {
			continue
		}
		b.signIn("ann")
		if location := b.submit("decision", url.Values{"decision": {"refuse"}}); !strings.HasPrefix(location, uri+"?") {
			t.Errorf("SMART-T02: %s: the browser was sent to %q", uri, location)
		}
	}
	for _, uri := range []string{"https://app.example:8443/back", "http://127.0.0.1:80/back"} {
		if b := w.browser(); b.ask("app", "patient/*.rs", func(v url.Values) { v.Set("redirect_uri", uri) }) != "" || b.page.code != 400 {
			t.Errorf("SMART-T02: a web client with %s: got %d", uri, b.page.code)
		}
	}
}

// TestSMARTT06: every answer of ours to a client names the issuer, so that a client with several servers does not mix them up
// (SMART-088, 089).
func TestSMARTT06(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	answers := map[string]url.Values{
		"a code":                b.journey("app", "patient/Condition.rs", "ann", ""),
		"a repeat":              sentBack(t, b.ask("app", "patient/Condition.rs")),
		"a mistake":             sentBack(t, b.ask("app", "patient/Condition.rs", func(v url.Values) { v.Del("aud") })),
		"nothing to be granted": sentBack(t, b.ask("app", "nonsense")),
		"nobody signed in":      sentBack(t, w.browser().ask("app", "patient/Condition.rs", prompt("none"))),
	}
	b.ask("app", "patient/Encounter.rs")
	answers["a refusal"] = sentBack(t, b.submit("decision", url.Values{"decision": {"refuse"}}))
	for name, got := range answers {
		if iss := got["iss"]; len(iss) != 1 || iss[0] != base || got.Get("state") != "the state" {
			t.Errorf("SMART-T06: %s: got %v", name, got)
		}
	}
}

// TestSMARTT07: a code that an attacker brings into another transaction, to another client or with another redirect URI is refused and
// used up, whatever verifier comes with it (SMART-114, 320).
func TestSMARTT07(t *testing.T) {
	w := newWorld(t, nil, 1)
	const attacker = "attacker-0123456789-0123456789-0123456789-0123456789"
	code := func() string {
		return w.browser().journey("app", "patient/Condition.rs", "ann", "", prompt("consent")).Get("code")
	}
	exchange := func(client, code, uri, with string) answer {
		return w.token(client, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {uri}, "code_verifier": {with}})
	}
	for name, c := range map[string][3]string{
		"the attacker's own transaction": {"app", redirect, attacker}, "another client with its verifier": {"both", redirect, attacker}, "another client with the right verifier": {"both", redirect, verifier},
		"a confidential client": {"secret", redirect, verifier}, "another redirect URI": {"app", "https://evil.example/back", verifier}, "a longer redirect URI": {"app", redirect + "?x", verifier},
	} {
		stolen := code()
		if got := exchange(c[0], stolen, c[1], c[2]); got.code != 400 || got.str("error") != "invalid_grant" {
			t.Errorf("SMART-T07: %s: got %d %s", name, got.code, got.text)
		}
		if got := exchange("app", stolen, redirect, verifier); got.str("error") != "invalid_grant" {
			t.Errorf("SMART-T07: %s: the code still works: %d", name, got.code)
		}
	}
	// Both transactions are of one client, in two browsers: each code works with its own verifier alone.
	mine := w.browser().journey("app", "patient/Condition.rs", "bob", "", prompt("consent"), func(v url.Values) { v.Set("code_challenge", challengeOf(attacker)) }).Get("code")
	victims := code()
	if got := exchange("app", victims, redirect, attacker); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-T07: the victim's code in the attacker's transaction: got %d", got.code)
	}
	if got := exchange("app", mine, redirect, attacker); got.code != 200 || got.str("patient") != "t1.bob" {
		t.Errorf("SMART-T07: the attacker's own code: got %d %s", got.code, got.text)
	}
}

// TestSMARTT09: no response type but code exists (SMART-085).
func TestSMARTT09(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, asked := range []string{"token", "id_token", "code id_token", "code token", "id_token token", "none", "CODE", "code code", ""} {
		location := w.browser().ask("app", "patient/*.rs openid", func(v url.Values) { v.Set("response_type", asked) })
		if got := sentBack(t, location); got.Get("error") != "unsupported_response_type" || strings.Contains(location, "#") || got.Get("access_token")+got.Get("id_token")+got.Get("code") != "" {
			t.Errorf("SMART-T09: %q: got %q", asked, location)
		}
	}
}

// TestSMARTT12: PKCE cannot be left out, weakened or passed by (SMART-110 to 113).
func TestSMARTT12(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, change := range map[string]func(url.Values){
		"no challenge":            func(v url.Values) { v.Del("code_challenge") },
		"no challenge, no method": func(v url.Values) { v.Del("code_challenge"); v.Del("code_challenge_method") },
		"no method":               func(v url.Values) { v.Del("code_challenge_method") },
		"plain":                   func(v url.Values) { v.Set("code_challenge_method", "plain"); v.Set("code_challenge", verifier[:43]) },
		"s256":                    func(v url.Values) { v.Set("code_challenge_method", "s256") },
		"an empty challenge":      func(v url.Values) { v.Set("code_challenge", "") },
		"a challenge of 44":       func(v url.Values) { v.Set("code_challenge", challengeOf(verifier)+"A") },
	} {
		for _, client := range []string{"app", "secret"} {
			if got := sentBack(t, w.browser().ask(client, "patient/*.rs", change)); got.Get("error") != "invalid_request" || got.Get("code") != "" {
				t.Errorf("SMART-T12: %s of %s: got %v", name, client, got)
			}
		}
	}
	for name, c := range map[string][2]string{"the challenge": {challengeOf(verifier), "invalid_grant"}, "blank": {"   ", "invalid_request"}, "none": {"", "invalid_request"}, "too short": {verifier[:42], "invalid_grant"},
		"too long": {strings.Repeat("a", 129), "invalid_grant"}, "with a space": {verifier + " ", "invalid_grant"}, "another one": {verifier + "x", "invalid_grant"}} {
		code := w.browser().journey("app", "patient/Condition.rs", "ann", "", prompt("consent")).Get("code")
		got := w.token("app", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {c[0]}})
		if got.code != 400 || got.str("error") != c[1] {
			t.Errorf("SMART-T12: the verifier %s: got %d %s", name, got.code, got.text)
		}
	}
}

// TestSMARTT13: an audience that is not exactly ours gets no code, and a token of another server is worth nothing here (SMART-087, 411).
func TestSMARTT13(t *testing.T) {
	w, elsewhere := newWorld(t, nil, 1), newWorld(t, nil, 1)
	for _, aud := range []string{"", "https://other.example/fhir", site, site + "/", base + "x", base + "/Patient", base + "//", base + "?x", base + "#x", strings.ToUpper(base), "https" + strings.TrimPrefix(base, "http"), site + ":80/fhir", " " + base, base + " " + base} {
		got := sentBack(t, w.browser().ask("app", "patient/*.rs", func(v url.Values) { v.Set("aud", aud) }))
		if got.Get("error") != "invalid_request" || got.Get("code") != "" {
			t.Errorf("SMART-T13: the audience %q: got %v", aud, got)
		}
	}
	a := elsewhere.exchange("app", elsewhere.browser().journey("app", "patient/*.rs", "ann", "").Get("code"))
	if elsewhere.get(a.str("access_token"), "Observation").code != 200 || w.get(a.str("access_token"), "Observation").code != 401 {
		t.Error("SMART-T13: a token of another server works here")
	}
}

// TestSMARTT16: an unknown or pending client with a tempting redirect URI never sends the browser there (SMART-068, 083).
func TestSMARTT16(t *testing.T) {
	w := newWorld(t, nil, 1)
	pending, err := w.smart[0].Clients.Add(t.Context(), "ann", clients.Client{Name: "Pending", Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"},
		RedirectURIs: []string{"https://evil.example/back"}})
	w.must(err)
	_, err = w.smart[0].Clients.Suspend(t.Context(), "ann", w.ids["both"])
	w.must(err)
	for name, c := range map[string][2]string{"an unknown client": {"app-unknown", "https://evil.example/back"}, "a pending client": {pending.ID, "https://evil.example/back"}, "a suspended client": {w.ids["both"], redirect},
		"a client id with markup": {"<a href=https://evil.example>", redirect}} {
		b := w.browser()
		location := b.ask("app", "patient/*.rs", func(v url.Values) { v.Set("client_id", c[0]); v.Set("redirect_uri", c[1]) })
		if location != "" || b.page.code != 400 || strings.Contains(b.page.text, "example") {
			t.Errorf("SMART-T16: %s: got %d and %q", name, b.page.code, location)
		}
	}
}
