package smart

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/clients"
)

// records returns the audit records since the last call.
func (w *world) records(last *uint64) []audit.Record {
	w.Helper()
	t, ok := w.TB.(*testing.T)
	if !ok {
		w.Fatal("records are for tests")
	}
	list, at := audittest.RecordsAfter(t, w.engine, *last)
	*last = at
	return list
}

// TestSMART343Alert: the reuse of a refresh token and of a code ends the grant, and raises an alert: a line of the log at the level of
// errors with a fixed message, and a count; neither has the token (SMART-343, 497).
func TestSMART343Alert(t *testing.T) {
	w := newWorld(t, nil, 2)
	code := w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code")
	first := w.exchange("app", code)
	refresh := func() answer {
		return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}})
	}
	if got := refresh(); got.code != 200 || w.counted.of("alert refresh-token-reuse") != 0 {
		t.Fatalf("the first refresh: got %d %s", got.code, got.text)
	}
	refresh()
	if w.counted.of("alert refresh-token-reuse") != 1 || !strings.Contains(w.log.String(), `level=ERROR msg="ALERT: a refresh token was used twice, and its grant has ended" alert=refresh-token-reuse of=grant/`) {
		t.Errorf("SMART-343: got %d alerts and the log %s", w.counted.of("alert refresh-token-reuse"), w.log.String())
	}
	code = w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
	w.exchange("app", code)
	w.exchange("app", code)
	if w.counted.of("alert code-reuse") != 1 || !strings.Contains(w.log.String(), `level=ERROR msg="ALERT: an authorization code was used twice`) {
		t.Errorf("SMART-091: got %d alerts", w.counted.of("alert code-reuse"))
	}
	for _, secret := range []string{code, first.str("refresh_token"), first.str("access_token")} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("SMART-495: an alert has a token")
		}
	}
}

// TestSMART337: the client is told one text, and the audit trail has the exact reason why it was not authenticated, on each endpoint
// (SMART-337, 494).
func TestSMART337(t *testing.T) {
	w := newWorld(t, nil, 1)
	var last uint64
	w.records(&last)
	texts := map[string]bool{}
	refused := func(name string, a answer, detail string) {
		t.Helper()
		list := w.records(&last)
		if texts[a.str("error")+" "+a.str("error_description")] = true; a.code != 401 || a.str("error") != "invalid_client" {
			t.Errorf("SMART-337: %s: got %d %s", name, a.code, a.text)
		}
		if len(list) != 1 || list[0].Decision.Reason != "invalid_client" || !strings.Contains(list[0].Decision.Detail, detail) || list[0].Client.Address == "" {
			t.Errorf("SMART-337: %s: got the records %+v, want the reason %q", name, list, detail)
		}
		if text, _ := json.Marshal(list); strings.Contains(string(text), "wrong-secret-value") {
			t.Errorf("SMART-337: %s: the record has the secret: %s", name, text)
		}
	}
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(id, secret) }
	}
	for path, form := range map[string]url.Values{"/oauth/token": {"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {redirect}}, "/oauth/introspect": {"token": {"x"}}, "/oauth/revoke": {"token": {"x"}}} {
		refused(path+": a wrong secret", w.post(path, form, basic(w.ids["secret"], "wrong-secret-value")), "a wrong secret")
		refused(path+": an unknown client", w.post(path, form, basic("app-none", "wrong-secret-value")), "an unknown client")
		refused(path+": another kind", w.post(path, form, basic(w.ids["app"], "wrong-secret-value")), "a client of another kind")
		with := maps.Clone(form)
		with.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		with.Set("client_assertion", w.assertion(w.ids["loader"]))
		w.now = w.now.Add(10 * time.Minute)
		refused(path+": an old assertion", w.post(path, with), "expired")
	}
	if len(texts) != 1 {
		t.Errorf("SMART-337: the client is told %v, want one text", texts)
	}
}

// TestSMART482Limits: callers of introspection, sign-ins that fail, and failed authentications have limits of their own, and nobody uses up
// those of others (SMART-482, 483, SMART-T35).
func TestSMART482Limits(t *testing.T) {
	w := newWorld(t, nil, 1)
	from := func(address string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr = address + ":9" }
	}
	// until sends a request until it is refused by a limit, and returns how often it was answered.
	until := func(name string, send func() answer) int {
		t.Helper()
		for n := range 1000 {
			if a := send(); a.code == http.StatusTooManyRequests {
				if a.header.Get("Retry-After") == "" && !strings.Contains(a.header.Get("Content-Type"), "html") {
					t.Errorf("SMART-482: %s: got %v, want Retry-After", name, a.header)
				}
				return n
			}
		}
		t.Errorf("SMART-482: %s: there is no limit", name)
		return 0
	}
	right := bearer(w.backend("ehr", "__introspect"))
	if n := until("introspection", func() answer { return w.post("/oauth/introspect", url.Values{"token": {"x"}}, right) }); n != 600 {
		t.Errorf("SMART-482: %d introspections were answered, want 600", n)
	}
	own, change := w.as("secret", url.Values{"token": {"x"}})
	if a := w.post("/oauth/introspect", own, change); a.code != 200 {
		t.Errorf("SMART-483: another caller: got %d", a.code)
	}
	for path, guess := range map[string]url.Values{
		"/oauth/token": {"grant_type": {"authorization_code"}, "code": {"cr_ac_" + strings.Repeat("A", 43)}, "redirect_uri": {redirect}, "code_verifier": {verifier}}, "/oauth/introspect": {"token": {"x"}}, "/oauth/revoke": {"token": {"x"}},
	} {
		w.now = w.now.Add(2 * time.Minute)
		wrong := func(address string) func() answer {
			return func() answer {
				return w.post(path, guess, func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "wrong") }, from(address))
			}
		}
		if n := until("a guessed secret at "+path, wrong("198.51.100.1")); n != 600 {
			t.Errorf("SMART-482, SMART-T35: %s: %d guesses of a secret were answered, want 600", path, n)
		}
		if a := wrong("198.51.100.2")(); a.code != 401 {
			t.Errorf("SMART-483: the client at another address: got %d", a.code)
		}
		form, honest := w.as("loader", guess)
		if a := w.post(path, form, honest, from("198.51.100.1")); a.code == http.StatusTooManyRequests {
			t.Errorf("SMART-483: another client at the address: got %d", a.code)
		}
	}
	w.now = w.now.Add(2 * time.Minute)
	for name, guess := range map[string]url.Values{
		"codes":          {"grant_type": {"authorization_code"}, "code": {"cr_ac_" + strings.Repeat("A", 43)}, "redirect_uri": {redirect}, "code_verifier": {verifier}},
		"refresh tokens": {"grant_type": {"refresh_token"}, "refresh_token": {"cr_rt_" + strings.Repeat("A", 43)}},
	} {
		w.now = w.now.Add(2 * time.Minute)
		guess.Set("client_id", w.ids["app"])
		if n := until(name, func() answer { return w.post("/oauth/token", guess, from("198.51.100.3")) }); n != 600 {
			t.Errorf("SMART-482, SMART-T35: %d guesses of %s were answered, want 600", n, name)
		}
	}
	answered := func(address string) func() answer {
		return func() answer {
			r := w.request("GET", site+"/oauth/callback/sample-staff?state=cr_st_"+strings.Repeat("A", 43)+"&code=x", "")
			from(address)(r)
			return read(w.do(r))
		}
	}
	if n := until("failed sign-ins", answered("198.51.100.4")); n != 600 {
		t.Errorf("SMART-482: %d failed sign-ins were answered, want 600", n)
	}
	if a := answered("198.51.100.5")(); a.code == http.StatusTooManyRequests {
		t.Error("SMART-483: failed sign-ins of one address block another")
	}
	handle := func() answer {
		params := w.authorization("clinical", "launch patient/*.rs")
		params.Set("launch", "cr_lh_"+strings.Repeat("A", 43))
		r := w.request("GET", site+"/oauth/authorize?"+params.Encode(), "")
		from("198.51.100.8")(r)
		return read(w.do(r))
	}
	if n := until("launch handles", handle); n != 600 {
		t.Errorf("SMART-482, SMART-T35: %d guesses of launch handles were answered, want 600", n)
	}
	start := func(address string) func() answer {
		return func() answer {
			r := w.request("GET", site+"/oauth/authorize?"+w.authorization("app", "patient/*.rs").Encode(), "")
			from(address)(r)
			return read(w.do(r))
		}
	}
	if n := until("sign-in starts", start("198.51.100.6")); n != 600 || start("198.51.100.7")().code == http.StatusTooManyRequests {
		t.Errorf("SMART-482, 483: %d starts were answered, want 600, and another address served", n)
	}
}

// TestSMART494: every event of the requirement has an audit record, with who, for whom and where it is known, and without a secret. That of the
// choice of a role is in TestSMART203, that of a change of signing keys in TestOperationsAreRecorded.
func TestSMART494(t *testing.T) {
	w := newWorld(t, nil, 2)
	var last uint64
	w.records(&last)
	b := w.browser()
	a := w.exchange("clinical", b.journey("clinical", "launch/patient patient/Observation.rs", "doctor", bobsNumber).Get("code"))
	patient := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {patient.str("refresh_token")}}
	w.token("app", refresh)
	w.token("app", refresh)
	form, change := w.as("clinical", url.Values{"token": {a.str("access_token")}})
	w.post("/oauth/revoke", form, change)
	w.post("/oauth/revoke", url.Values{"token": {"x"}}, func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "wrong") })
	w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}}, func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "wrong") })
	read(w.do(w.request("GET", site+"/oauth/callback/sample-staff?state=x&code=y", "")))
	refusing := w.browserOf("ann")
	refusing.submit("decision", url.Values{"decision": {"refuse"}})
	w.backend("loader", "system/*.rs")
	w.changeClient("both", func(c *clients.Client) { c.Publisher = "Another maker" })
	list := w.records(&last)
	staff := func(r audit.Record) bool {
		return r.Agent.Subject == "doctor" && r.Agent.Role == "R1" && r.Agent.Organisation == "T1" && r.Client.ID == w.ids["clinical"]
	}
	for name, is := range map[string]func(audit.Record) bool{
		"sign-in": func(r audit.Record) bool { return r.Decision.Outcome == "permit" && r.Agent.Subject == "doctor" },
		"sign-in, refused": func(r audit.Record) bool {
			return r.Interaction == "sign-in" && r.Decision.Reason == "unknown-answer" && r.Type == "issuer/sample-staff" && r.Client.Address != ""
		},
		"patient-search":        staff,
		"patient-choice":        func(r audit.Record) bool { return staff(r) && r.Named == "t1.bob" },
		"authorization":         func(r audit.Record) bool { return staff(r) && r.Named == "t1.bob" && r.Agent.Purpose == "TREAT" },
		"authorization-refused": func(r audit.Record) bool { return r.Agent.Subject == "ann" && r.Decision.Reason == "access_denied" },
		"token-issue":           func(r audit.Record) bool { return staff(r) && r.Agent.Token != "" && r.Named == "t1.bob" },
		"token-issue, backend":  func(r audit.Record) bool { return r.Agent.Kind == "backend" && r.Client.ID == w.ids["loader"] },
		"token-refresh":         func(r audit.Record) bool { return r.Agent.Subject == "ann" && r.Client.ID == w.ids["app"] },
		"token-reuse":           func(r audit.Record) bool { return r.Decision.Outcome == "refuse" && r.Agent.Subject == "ann" },
		"token-revoke":          staff,
		"client-refused":        func(r audit.Record) bool { return r.Decision.Reason == "invalid_client" && r.Client.Address != "" },
		"token-refused":         func(r audit.Record) bool { return r.Decision.Reason == "invalid_client" && r.Client.Address != "" },
		"client-change":         func(r audit.Record) bool { return r.Agent.Subject == "ann" && len(r.Changed) > 0 },
		"client-approve":        func(r audit.Record) bool { return r.Agent.Subject == "bob" && len(r.Changed) > 0 },
	} {
		event, _, _ := strings.Cut(name, ",")
		if !slices.ContainsFunc(list, func(r audit.Record) bool {
			operator := strings.HasPrefix(event, "client-c") || strings.HasPrefix(event, "client-a")
			return r.Interaction == event && (r.Request != "" || operator) && is(r)
		}) {
			t.Errorf("SMART-494: no record of %s is as wanted", name)
		}
	}
	text, err := json.Marshal(list)
	w.must(err)
	for _, secret := range []string{a.str("access_token"), patient.str("access_token"), patient.str("refresh_token"), w.secrets["secret"], verifier, bobsNumber} {
		if strings.Contains(string(text), secret) {
			t.Errorf("SMART-494: a record has %.8s…", secret)
		}
	}
}

// TestSMART497: the metrics count what happens, and their labels name nobody.
func TestSMART497(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	a := w.exchange("app", b.journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	w.backend("loader", "system/*.rs")
	w.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}}, func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "wrong") })
	read(w.do(w.request("GET", site+"/oauth/callback/sample-staff?state=x&code=y", "")))
	w.changeClient("signer", func(c *clients.Client) { c.Keys, c.KeysURL = nil, "https://127.0.0.1:1/keys" })
	w.token("signer", url.Values{"grant_type": {"authorization_code"}})
	b.open(site + "/my/apps")
	b.submit("sign-out", url.Values{})
	for name, least := range map[string]int{"issued authorization_code": 1, "issued refresh_token": 1, "issued client_credentials": 1, "issued printed": 1, "refused token invalid_client": 1, "sign-in permit": 1,
		"sign-in unknown-answer": 1, "session begun": 1, "session ended": 1, "key-fetch ": 1, "upstream answered": 1} {
		if got := w.counted.of(name); got < least {
			t.Errorf("SMART-497: %s: got %d, want at least %d, of %v", name, got, least, w.counted.all)
		}
	}
	for name := range w.counted.all {
		for _, person := range []string{"ann", "doctor", annsNumber, "app-", "t1."} {
			if strings.Contains(name, person) {
				t.Errorf("SMART-497: the count %q names somebody", name)
			}
		}
	}
}
