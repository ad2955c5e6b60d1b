package smart

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCodes: a code is good for one exchange by the client, redirect URI and verifier that it was made for (SMART-090, 091, 113, 114,
// 320, T05, T07, T12).
func TestCodes(t *testing.T) {
	w := newWorld(t, nil, 1)
	code := func() string {
		return w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
	}
	right := func(code string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	}
	for name, c := range map[string]struct {
		client string
		change func(url.Values)
		want   string
		burns  bool // the code cannot be used afterwards
	}{
		"SMART-113, T12: another verifier":       {"app", func(v url.Values) { v.Set("code_verifier", verifier+"x") }, "invalid_grant", true},
		"SMART-113, T12: the challenge":          {"app", func(v url.Values) { v.Set("code_verifier", challengeOf(verifier)) }, "invalid_grant", true},
		"SMART-113, T12: no verifier":            {"app", func(v url.Values) { v.Del("code_verifier") }, "invalid_request", true},
		"SMART-113, T12: a blank verifier":       {"app", func(v url.Values) { v.Set("code_verifier", " ") }, "invalid_request", true},
		"SMART-113: a short verifier":            {"app", func(v url.Values) { v.Set("code_verifier", verifier[:42]) }, "invalid_grant", true},
		"SMART-320, T07: another redirect URI":   {"app", func(v url.Values) { v.Set("redirect_uri", redirect+"/") }, "invalid_grant", true},
		"SMART-320: no redirect URI":             {"app", func(v url.Values) { v.Del("redirect_uri") }, "invalid_request", false},
		"SMART-320, T07: another client":         {"both", func(url.Values) {}, "invalid_grant", true},
		"SMART-388: an access token for a code":  {"app", func(v url.Values) { v.Set("code", strings.Replace(v.Get("code"), "cr_ac_", "cr_at_", 1)) }, "invalid_grant", false},
		"a code that never was":                  {"app", func(v url.Values) { v.Set("code", "cr_ac_"+strings.Repeat("A", 43)) }, "invalid_grant", false},
		"SMART-004, T23: another grant type":     {"app", func(v url.Values) { v.Set("grant_type", "password") }, "unsupported_grant_type", false},
		"SMART-317: a backend client":            {"ehr", func(url.Values) {}, "unauthorized_client", false},
		"SMART-311: an unknown type, no client":  {"nobody", func(v url.Values) { v.Set("grant_type", "urn:x") }, "unsupported_grant_type", false},
		"SMART-310: parameters that are doubled": {"app", func(v url.Values) { v.Add("code", "x") }, "invalid_request", false},
	} {
		good := code()
		form := right(good)
		c.change(form)
		if got := w.token(c.client, form); got.code != 400 || got.str("error") != c.want || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %s, want 400 %s", name, got.code, got.text, c.want)
		}
		if got := w.token("app", right(good)); (got.code == 200) == c.burns {
			t.Errorf("SMART-114: %s: then the right exchange: got %d", name, got.code)
		}
	}
	good := code()
	first := w.token("app", right(good))
	if got := w.token("app", right(good)); got.str("error") != "invalid_grant" || w.get(first.str("access_token"), "Observation").code != 401 {
		t.Errorf("SMART-091, T05: a second use: got %s, and the token of the first must end", got.text)
	}
	late := code()
	w.now = w.now.Add(time.Minute)
	if got := w.token("app", right(late)); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-090: after 60 s: got %s", got.text)
	}
	last := code()
	w.now = w.now.Add(time.Minute - time.Millisecond)
	at := w.token("app", right(last))
	if at.code != 200 {
		t.Errorf("SMART-090, T42: in its last moment: got %s", at.text)
	}
	w.now = w.now.Add(15*time.Minute - time.Millisecond)
	if got := w.get(at.str("access_token"), "Observation"); got.code != 200 {
		t.Errorf("T42: a token in its last moment: got %d", got.code)
	}
	w.now = w.now.Add(time.Millisecond)
	if got := w.get(at.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-314, T42: a token at its end: got %d", got.code)
	}
}

// TestRaces: of 20 uses of one code or one refresh token at once, on two servers, at most one succeeds, and then everything ends
// (SMART-342, 343, 491, SMART-T08, SMART-T19).
func TestRaces(t *testing.T) {
	w := newWorld(t, nil, 2)
	race := func(form url.Values) (won int64, token string) {
		var wins atomic.Int64
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 20 {
			r := w.request("POST", site+"/oauth/token", form.Encode())
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			h := w.servers[i%2]
			wg.Go(func() {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				if a := read(rec); a.code == 200 {
					wins.Add(1)
					mu.Lock()
					token = a.str("access_token")
					mu.Unlock()
				} else if a.str("error") != "invalid_grant" {
					t.Errorf("a loser got %d %s", a.code, a.text)
				}
			})
		}
		wg.Wait()
		return wins.Load(), token
	}
	back := w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "")
	won, token := race(url.Values{"grant_type": {"authorization_code"}, "client_id": {w.ids["app"]}, "code": {back.Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
	if won > 1 || token != "" && w.get(token, "Observation").code != 401 {
		t.Errorf("T08: %d won with one code, want at most one, whose token has ended", won)
	}
	a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	won, token = race(url.Values{"grant_type": {"refresh_token"}, "client_id": {w.ids["app"]}, "refresh_token": {a.str("refresh_token")}})
	if won > 1 || token != "" && w.get(token, "Observation").code != 401 || w.get(a.str("access_token"), "Observation").code != 401 {
		t.Errorf("SMART-342, T19: %d won with one refresh token, want at most one, and every token ended", won)
	}
}

// TestGrantOfNobody: a grant ends with the role of its user, and a printed or backend token is nobody's (SMART-205, 346, T20).
func TestGrantOfNobody(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.exchange("clinical", w.browser().journey("clinical", "user/Observation.rs", "doctor", "").Get("code"))
	if got := w.get(a.str("access_token"), "Observation"); got.code != 200 {
		t.Fatalf("got %d %s", got.code, got.text)
	}
	w.policy.People[0].Role = "R2"
	if got := w.get(a.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-205: another role: got %d", got.code)
	}
	w.policy.People[0].Role = "R1"
	token := w.backend("loader", "system/Observation.rs")
	if got := w.post("/oauth/introspect", url.Values{"token": {token}}, bearer(w.backend("ehr", "__introspect"))); got.body["sub"] != nil || got.body["fhirUser"] != nil || got.body["active"] != true {
		t.Errorf("SMART-364, T20: a backend token has a user: %s", got.text)
	}
	for i, scope := range []string{"", "patient/*.rs", "openid system/*.rs", "system/Nope.rs", "system/*.sr", "offline_access", "launch"} {
		if got := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}); got.code != 400 || got.str("error") != "invalid_scope" {
			t.Errorf("SMART-361, T20: scope %d %q: got %d %s", i, scope, got.code, got.text)
		}
	}
	wide := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.cruds"}})
	if wide.str("scope") != "system/*.rs" || wide.body["expires_in"] != 300.0 || wide.str("refresh_token")+wide.str("id_token") != "" {
		t.Errorf("SMART-362 to 364: got %s", wide.text)
	}
	if got := w.token("secret", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}); got.str("error") != "unauthorized_client" {
		t.Errorf("SMART-360: a client with a secret: got %s", got.text)
	}
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// TestFailuresAreLimited: after many failures a client at an address waits, and others do not (SMART-482, 483).
func TestFailuresAreLimited(t *testing.T) {
	w := newWorld(t, nil, 1)
	from := func(address, client string) int {
		return w.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "code": {"x"}, "redirect_uri": {redirect}}, func(r *http.Request) { r.RemoteAddr = address }).code
	}
	for i := range 600 {
		if got := from("192.0.2.1:1", w.ids["app"]); got != 400 {
			t.Fatalf("SMART-483: failure %d: got %d", i, got)
		}
	}
	if got := from("192.0.2.1:2", w.ids["app"]); got != 429 {
		t.Errorf("SMART-482: the 601st failure: got %d", got)
	}
	for what, got := range map[string]int{"another address": from("192.0.2.2:1", w.ids["app"]), "another client": from("192.0.2.1:1", w.ids["both"])} {
		if got != 400 {
			t.Errorf("SMART-483: %s: got %d", what, got)
		}
	}
	w.now = w.now.Add(time.Minute)
	if got := from("192.0.2.1:1", w.ids["app"]); got != 400 {
		t.Errorf("SMART-482: a minute later: got %d", got)
	}
}
