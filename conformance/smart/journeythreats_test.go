package smart

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/net/html"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/printed"
)

// TestSMARTT28: a launch handle is good once, in time, for its client and its user, together with its scope (SMART-121 to 125).
func TestSMARTT28(t *testing.T) {
	w := newWorld(t, nil, 2)
	handle := func() string {
		return w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	}
	with := func(handle string) func(url.Values) { return func(v url.Values) { v.Set("launch", handle) } }
	for name, ask := range map[string]func(b *browser) string{
		"a guess": func(b *browser) string {
			return b.ask("clinical", "launch user/*.rs", with("cr_lh_"+strings.Repeat("B", 43)))
		},
		"another client":    func(b *browser) string { return b.ask("signer", "launch user/*.rs", with(handle())) },
		"without the scope": func(b *browser) string { return b.ask("clinical", "user/*.rs", with(handle())) },
		"without a handle":  func(b *browser) string { return b.ask("clinical", "launch user/*.rs") },
		"a second use": func(b *browser) string {
			used := handle()
			w.browser().ask("clinical", "launch user/*.rs", with(used))
			return b.ask("clinical", "launch user/*.rs", with(used))
		},
		"a use after another client's attempt": func(b *browser) string {
			taken := handle()
			w.browser().ask("signer", "launch user/*.rs", with(taken))
			return b.ask("clinical", "launch user/*.rs", with(taken))
		},
		"after five minutes": func(b *browser) string {
			late := handle()
			w.now = w.now.Add(5 * time.Minute)
			return b.ask("clinical", "launch user/*.rs", with(late))
		},
		"another token as the handle": func(b *browser) string {
			return b.ask("clinical", "launch user/*.rs", with(w.backend("ehr", "__launch")))
		},
		"another user": func(b *browser) string {
			b.ask("clinical", "launch user/*.rs", with(handle()))
			b.signIn("nurse")
			return b.submit("leave", nil)
		},
	} {
		got := sentBack(t, ask(w.browser()))
		if want := map[bool]string{true: "access_denied", false: "invalid_request"}[name == "another user"]; got.Get("error") != want || got.Get("code") != "" {
			t.Errorf("SMART-T28: %s: got %v, want %s", name, got, want)
		}
	}
}

// TestSMARTT29: a person gets nobody who was not offered to that person in that transaction, also by the back button (SMART-145).
func TestSMARTT29(t *testing.T) {
	w := newWorld(t, nil, 1)
	search := func(user, number string) (*browser, form) {
		b := w.browser()
		b.ask("clinical", "launch/patient patient/Condition.rs", prompt("consent"))
		b.signIn(user)
		b.submit("search", url.Values{"number": {number}})
		return b, b.forms()["patient"]
	}
	for _, id := range []string{"t1.bob", "t1.nobody", "Patient/t1.ann", "t1.ann ", "../t1.ann"} {
		b, f := search("doctor", annsNumber)
		if back := sentBack(t, b.send(f, url.Values{"patient": {id}})); back.Get("error") != "access_denied" {
			t.Errorf("SMART-T29: %q was not offered: got %v", id, back)
		}
		if b.open(site + "/oauth/transaction/" + b.transaction()); b.page.code != 400 {
			t.Errorf("SMART-T29: the transaction goes on: got %d", b.page.code)
		}
	}
	if !w.audited("patient-choice", "client/"+w.ids["clinical"]) {
		t.Error("SMART-T29: the audit trail has no record of the attempt")
	}
	b, f := search("doctor", bobsNumber)
	other, theirs := search("nurse", annsNumber)
	swapped := f
	swapped.action = theirs.action
	if location := b.send(swapped, url.Values{"patient": {"t1.ann"}}); location != "" || b.page.code < 400 {
		t.Errorf("SMART-T29: the transaction of another browser: got %d", b.page.code)
	}
	_ = other
	// The back button: a choice that was made stays.
	b.send(f, url.Values{"patient": {"t1.bob"}})
	decision := b.forms()["decision"]
	if b.send(f, url.Values{"patient": {"t1.bob"}}); !has(b.forms(), "decision") {
		t.Errorf("SMART-T29: the form once more: got %d", b.page.code)
	}
	b.open(site + "/oauth/transaction/" + b.transaction() + "/search")
	if has(b.forms(), "patient") || has(b.forms(), "search") {
		t.Error("SMART-T29: the back button leads to a second choice")
	}
	a := w.exchange("clinical", sentBack(t, b.send(decision, url.Values{"decision": {"allow"}, "group": {"Condition"}, "category": decision.offers["category"]})).Get("code"))
	if a.str("patient") != "t1.bob" {
		t.Errorf("SMART-T29: got %s", a.text)
	}
	if location := b.send(f, url.Values{"patient": {"t1.bob"}}); location != "" || b.page.code != 400 {
		t.Errorf("SMART-T29: the form after the decision: got %d and %q", b.page.code, location)
	}
}

// TestSMARTT36: a cookie that was set before the sign-in, or by a sub-domain, is worth nothing, and old values are dead (SMART-160, 161).
func TestSMARTT36(t *testing.T) {
	w := newWorld(t, nil, 2)
	victim := w.browser()
	attacker := w.browserOf("bob")
	planted := attacker.cookies["carerecord-patient"]
	victim.cookies["carerecord-browser"] = "cr_se_" + strings.Repeat("A", 43) // chosen by the attacker
	victim.cookies["carerecord-patient"] = "cr_se_" + strings.Repeat("B", 43)
	victim.ask("app", "patient/Condition.rs")
	victim.signIn("ann")
	if got := victim.cookies["carerecord-patient"]; got == "cr_se_"+strings.Repeat("B", 43) || got == "" {
		t.Errorf("SMART-T36: the sign-in keeps the planted value %q", got)
	}
	own := victim.cookies["carerecord-patient"]
	r := w.request("GET", site+"/my/apps", "") // a sub-domain adds a cookie of the same name
	r.AddCookie(&http.Cookie{Name: "carerecord-patient", Value: planted})
	r.AddCookie(&http.Cookie{Name: "carerecord-patient", Value: own})
	if got := read(w.do(r)); got.code == 200 {
		t.Errorf("SMART-T36: two cookies of one name: got %d", got.code)
	}
	w.now = w.now.Add(time.Second)
	victim.ask("app", "patient/Condition.rs", prompt("login"))
	victim.signIn("ann")
	old := &browser{w: w, cookies: map[string]string{"carerecord-patient": own}, origin: site}
	if old.open(site + "/my/apps"); old.at == "/my/apps" {
		t.Error("SMART-T36: the value of before the second sign-in still works")
	}
}

// TestSMARTT37: texts of clients, states and names stay texts, and no header is broken up (SMART-067, 168).
func TestSMARTT37(t *testing.T) {
	w := newWorld(t, nil, 1)
	for _, name := range []string{"<script>alert(1)</script>", "a\u202eb", "a\r\nSet-Cookie: x=y", "a\x00b", "a\u2066b", "a\u200fb"} {
		c := clients.Client{Name: name, Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, RedirectURIs: []string{redirect}}
		if _, err := w.smart[0].Clients.Add(t.Context(), "ann", c); err == nil {
			t.Errorf("SMART-T37: the client name %q was registered", name)
		}
	}
	quoted := clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, RedirectURIs: []string{redirect}}
	w.add(`quoted " onmouseover='x' & {{.}} javascript:`, quoted)
	w.put("Patient", "ann", `"identifier":[{"system":"`+nhs+`","value":"`+annsNumber+`"}],"birthDate":"1960-01-02","name":[{"text":"<img src=x onerror=alert(1)> \u202e Ann\"","family":"<b>Other</b>"}]`)
	clean := func(what string, b *browser) {
		t.Helper()
		root, err := html.Parse(strings.NewReader(b.page.text))
		w.must(err)
		for n := range root.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Data == "script" || n.Data == "img" || n.Data == "b" || n.Data == "style" {
				t.Errorf("SMART-T37: %s: the page has an element %s", what, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("SMART-T37: %s: an element %s has %s", what, n.Data, a.Key)
				}
			}
		}
		if strings.ContainsAny(b.page.text, "\u202e\u2066\u200f\x00") || !strings.Contains(b.page.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("SMART-T37: %s: the page has a mark, or no policy", what)
		}
	}
	hostile := "s\r\nSet-Cookie: a=b\r\n\r\n<script>\u202e&x=1#f \x00"
	b := w.browser()
	b.ask(`quoted " onmouseover='x' & {{.}} javascript:`, "patient/Condition.rs", func(v url.Values) { v.Set("state", hostile) })
	b.signIn("ann")
	clean("the consent page", b)
	if back := sentBack(t, b.allow()); back.Get("state") != hostile || len(b.cookies) != 2 {
		t.Errorf("SMART-T37, 086: the state comes back as %q, with the cookies %v", back.Get("state"), b.cookies)
	}
	staff := w.browser()
	staff.ask("clinical", "launch/patient patient/Condition.rs")
	staff.signIn("doctor")
	staff.submit("search", url.Values{"number": {annsNumber}})
	clean("the chooser", staff)
	staff.submit("patient", url.Values{"patient": {"t1.ann"}})
	clean("the consent page of staff", staff)
	staff.ask("clinical", "launch/patient patient/Condition.rs")
	staff.submit("search", url.Values{"family": {hostile + "\"><script>"}})
	clean("the search", staff)
	for _, scope := range []string{"patient/*.rs\r\nopenid", "patient/\u0420atient.rs", "patient/*.rs \u202e"} {
		if back := sentBack(t, w.browser().ask("app", scope)); back.Get("error") != "invalid_scope" || strings.Contains(back.Encode(), "202e") {
			t.Errorf("SMART-T37: the scope %q: got %v", scope, back)
		}
	}
	params := url.Values{"state": {"cr_st_" + strings.Repeat("A", 43)}, "error": {"<script>alert(1)</script>"}, "error_description": {"\u202e\r\nX: y"}}
	if b.open(site + "/oauth/callback/sample-patients?" + params.Encode()); strings.Contains(b.page.text, "alert") || b.page.header.Get("X") != "" {
		t.Errorf("SMART-T37: the error of an issuer is on the page")
	}
	clean("the error of an issuer", b)
}

// TestSMARTT40: nothing that a client sends changes the purpose of use of its grant, and no purpose stands for another (SMART-430, 431).
func TestSMARTT40(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.exchange("both", w.browser().journey("both", "user/Condition.rs", "ann", "", func(v url.Values) { v.Set("purpose", "TREAT"); v.Set("purpose_of_use", "HRESCH") }).Get("code"))
	staff := w.exchange("both", w.browser().journey("both", "user/Condition.rs", "doctor", "").Get("code"))
	for token, want := range map[string]string{a.str("access_token"): "PATRQT", staff.str("access_token"): "TREAT"} {
		for _, header := range []string{"Purpose-Of-Use", "X-Purpose", "Purpose", "X-Purpose-Of-Use"} {
			r := w.request("GET", base+"/Condition?_purpose=BTG&purposeOfUse=HRESCH", "")
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Prefer", "handling=lenient")
			r.Header.Set(header, "BTG")
			if got := read(w.do(r)); got.code != 200 {
				t.Errorf("SMART-T40: %s: got %d %s", header, got.code, got.text)
			}
		}
		active, err := w.smart[0].Grants.Resolve(t.Context(), token)
		if err != nil || active.Grant.Purpose != want {
			t.Errorf("SMART-T40: got the purpose %q (%v), want %s", active.Grant.Purpose, err, want)
		}
	}
	seen := map[string]bool{}
	for r, err := range w.engine.Records(t.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); strings.HasPrefix(at.Get("interaction").Str, "search") && at.Get("client.id").Str == w.ids["both"] {
			seen[at.Get("agent.kind").Str+" "+at.Get("agent.purpose").Str] = true
		}
	}
	if len(seen) != 2 || !seen["patient PATRQT"] || !seen["clinician TREAT"] {
		t.Errorf("SMART-T40, SMART-432: the audit trail has the purposes %v", seen)
	}
	for _, purpose := range []string{"HRESCH", "BTG", "CLINTRCH", "PATRQT", "nonsense", "treat"} {
		if _, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids["clinical"], User: "doctor", Scope: "user/*.rs", Purpose: purpose}); err == nil {
			t.Errorf("SMART-T40: a token with the purpose %q, for which the client is not registered", purpose)
		}
	}
	// A client whose purposes are only a child or a parent of the one that is needed is not registered.
	for name, purposes := range map[string][]string{"a parent": {"PurposeOfUse"}, "a child": {"CAREMGT"}, "another one": {"HPAYMT"}} {
		c := clients.Client{Name: name, Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: purposes, RedirectURIs: []string{redirect}}
		if _, err := w.smart[0].Clients.Add(t.Context(), "ann", c); !errors.Is(err, clients.ErrRefused) || !strings.Contains(err.Error(), "purposes: none fits") {
			t.Errorf("SMART-T40: a client with %s: got %v", name, err)
		}
	}
	w.add("coordination", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"COC"}, RedirectURIs: []string{redirect}})
	b := w.browser()
	b.ask("coordination", "user/*.rs")
	if back := sentBack(t, b.signIn("doctor")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-T40: a client without the purpose of the person: got %v", back)
	}
	if _, err := w.smart[0].Clients.Add(t.Context(), "ann", clients.Client{Name: "None", Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", RedirectURIs: []string{redirect}}); err == nil {
		t.Error("SMART-T40: a client without a purpose was registered")
	}
}

// TestSMARTT42: lives are exact to the instant, on a leap day and where the clocks of the country change (SMART-493): tokens of ours have
// no tolerance. clientauth and signin test the 60 s of foreign ones.
func TestSMARTT42(t *testing.T) {
	for name, at := range map[string]time.Time{
		"a leap day":                 time.Date(2028, 2, 29, 23, 50, 0, 0, time.UTC),
		"the change to summer time":  time.Date(2027, 3, 28, 0, 50, 0, 0, time.UTC),
		"the change from summertime": time.Date(2026, 10, 25, 0, 50, 0, 0, time.UTC),
		"the end of a year":          time.Date(2026, 12, 31, 23, 50, 0, 0, time.UTC),
	} {
		w := newWorld(t, nil, 1)
		w.now = at
		b := w.browser()
		a := w.exchange("app", b.journey("app", "patient/Condition.rs offline_access", "ann", "").Get("code"))
		w.now = at.Add(15*time.Minute - time.Nanosecond)
		if got := w.get(a.str("access_token"), "Condition"); got.code != 200 {
			t.Errorf("SMART-T42: %s: a token in its last instant: got %d", name, got.code)
		}
		w.now = at.Add(15 * time.Minute)
		if got := w.get(a.str("access_token"), "Condition"); got.code != 401 {
			t.Errorf("SMART-T42: %s: a token at its end: got %d", name, got.code)
		}
		w.now = at.Add(30*time.Minute - time.Nanosecond)
		if b.open(site + "/my/apps"); b.at != "/my/apps" {
			t.Errorf("SMART-T42: %s: a session in its last instant: got %d", name, b.page.code)
		}
		w.now = w.now.Add(30 * time.Minute)
		if b.open(site + "/my/apps"); b.at == "/my/apps" {
			t.Errorf("SMART-T42: %s: a session at its idle end: got %d", name, b.page.code)
		}
		refresh := a.str("refresh_token")
		for _, c := range []struct {
			after time.Duration
			works bool
		}{{89 * 24 * time.Hour, true}, {178 * 24 * time.Hour, true}, {267 * 24 * time.Hour, true}, {356 * 24 * time.Hour, true}, {365*24*time.Hour - time.Nanosecond, true}, {365 * 24 * time.Hour, false}} {
			w.now = at.Add(c.after)
			got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
			if (got.code == 200) != c.works {
				t.Errorf("SMART-T42: %s: a refresh after %s: got %d %s", name, c.after, got.code, got.text)
			}
			refresh = got.str("refresh_token")
		}
	}
}
