package smart

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

// refusal is a request that is refused, and the one audit record of the refusal.
type refusal struct {
	name   string
	send   func() answer
	status int
	want   audit.Record // interaction, type, id of the client, kind of the agent, reason and detail
}

// refusedRecord returns what a test compares of the record of a refusal.
func refusedRecord(interaction, of, agent, client, reason, detail string) audit.Record {
	return audit.Record{Interaction: interaction, Type: of, Agent: audit.Agent{Kind: agent}, Client: audit.Client{ID: client}, Decision: audit.Decision{Outcome: "refuse", Reason: reason, Detail: detail}}
}

// checkRefusals sends requests, and checks that each has one record with the reason, and without anything that the request says.
func (w *world) checkRefusals(number string, list []refusal, unsaid ...string) {
	w.Helper()
	var last uint64
	w.records(&last)
	for _, one := range list {
		counted := w.counted.sum("refused ")
		if a := one.send(); a.code != one.status {
			w.Errorf("%s: %s: got %d %s, want %d", number, one.name, a.code, a.text, one.status)
		}
		if n := w.counted.sum("refused ") - counted; n != 1 {
			w.Errorf("SMART-497: %s: got %d counts of refusals, want one: %v", one.name, n, w.counted.all)
		}
		records := w.records(&last)
		if len(records) != 1 {
			w.Errorf("%s: %s: got %d records, want one: %+v", number, one.name, len(records), records)
			continue
		}
		r := records[0]
		got := refusedRecord(r.Interaction, r.Type, r.Agent.Kind, r.Client.ID, r.Decision.Reason, r.Decision.Detail)
		got.Decision.Outcome = r.Decision.Outcome
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", one.want) || r.Request == "" || r.Client.Address == "" {
			w.Errorf("%s: %s:\ngot  %+v\nwant %+v", number, one.name, r, one.want)
		}
		text, err := json.Marshal(r)
		w.must(err)
		for _, value := range unsaid {
			if strings.Contains(string(text), value) {
				w.Errorf("%s: %s: the record has %q: %s", number, one.name, value, text)
			}
		}
	}
}

// TestSMART494Refusals: what the endpoints of tokens refuse has an audit record, also where nobody was authenticated, and none has a value
// of the request (SMART-311, 391, 400, 494, SMART-T23).
func TestSMART494Refusals(t *testing.T) {
	w := newWorld(t, nil, 1)
	others, plain, ended := w.backend("loader", "system/*.rs"), w.backend("ehr", "__launch"), secret.New(secret.AccessToken)
	post := func(path string, form url.Values, change ...func(*http.Request)) func() answer {
		return func() answer { return w.post(path, form, change...) }
	}
	grantType := func(name string) func() answer {
		return post("/oauth/token", url.Values{"grant_type": {name}, "username": {"ann"}, "password": {"hunter2"}, "client_id": {w.ids["app"]}})
	}
	const unsupported = "unsupported_grant_type"
	nobody := func(endpoint, reason string) audit.Record {
		return refusedRecord("token-refused", "endpoint/"+endpoint, "nobody", "", reason, "")
	}
	w.checkRefusals("SMART-494", []refusal{
		{"SMART-T23: a password", grantType("password"), 400, nobody("token", unsupported)},
		{"SMART-T23: a device code", grantType("urn:ietf:params:oauth:grant-type:device_code"), 400, nobody("token", unsupported)},
		{"SMART-T23: a bearer assertion", grantType("urn:ietf:params:oauth:grant-type:jwt-bearer"), 400, nobody("token", unsupported)},
		{"SMART-T23: token exchange", grantType("urn:ietf:params:oauth:grant-type:token-exchange"), 400, nobody("token", unsupported)},
		{"SMART-T23: no grant type", grantType(""), 400, nobody("token", "invalid_request")},
		{"SMART-310: a code in the URL", post("/oauth/token?code=hunter2", nil), 400, nobody("token", "invalid_request")},
		{"SMART-310: a token in the URL of revocation", post("/oauth/revoke?token=hunter2", nil), 400, refusedRecord("client-refused", "endpoint/revoke", "nobody", "", "invalid_request", "")},
		{"SMART-391: a public client", post("/oauth/introspect", url.Values{"token": {others}, "client_id": {w.ids["app"]}}), 401,
			refusedRecord("client-refused", "endpoint/introspect", "client", w.ids["app"], "invalid_client", "a public client asks")},
		{"SMART-391: a token that nobody has", post("/oauth/introspect", url.Values{"token": {others}}, bearer(ended)), 401,
			refusedRecord("client-refused", "endpoint/introspect", "nobody", "", "invalid_token", "a token that is not active")},
		{"SMART-317: a token and an assertion", post("/oauth/introspect", url.Values{"token": {others}, "client_assertion": {"hunter2"}}, bearer(others)), 400,
			refusedRecord("client-refused", "endpoint/introspect", "nobody", "", "invalid_request", "two methods of authentication")},
		{"SMART-317: a token and a secret", post("/oauth/introspect", url.Values{"token": {others}, "client_secret": {"hunter2"}}, bearer(others)), 400,
			refusedRecord("client-refused", "endpoint/introspect", "nobody", "", "invalid_request", "two methods of authentication")},
		{"SMART-391: a token without the right", post("/oauth/introspect", url.Values{"token": {others}}, bearer(plain)), 401,
			refusedRecord("client-refused", "endpoint/introspect", "client", w.ids["ehr"], "invalid_token", "a token without the right")},
		{"SMART-400: a token of another client", post("/oauth/revoke", url.Values{"token": {others}, "client_id": {w.ids["app"]}}), 400,
			refusedRecord("client-refused", "endpoint/revoke", "client", w.ids["app"], "unauthorized_client", "")},
	}, others, plain, ended, "hunter2")
}

// TestSMART482Clients: of a client that was authenticated a limited number of refusals in a minute has a record each, whatever address they
// come from; the others are answered 429 and counted. Other clients are served.
func TestSMART482Clients(t *testing.T) {
	const perClient, sent = 3, 100
	var counted audit.UnidentifiedLimiter
	var writer *audit.Writer
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		c.Failures, c.Unidentified, writer = perClient, &counted, c.Audit
	})
	var last uint64
	w.records(&last)
	codes := map[int]int{}
	for n := range sent {
		form, change := w.as("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {fmt.Sprint("nonsense", n)}})
		codes[w.post("/oauth/token", form, change).code]++
	}
	records := w.records(&last)
	if len(records) != 10*perClient || codes[400] != 10*perClient || codes[400]+codes[429] != sent {
		t.Errorf("SMART-482: got %d records and the answers %v, want %d records and as many answers 400", len(records), codes, 10*perClient)
	}
	w.must(counted.Flush(t.Context(), writer, w.now))
	more := 0
	for _, r := range w.records(&last) {
		more += r.More
	}
	if len(records)+more != sent {
		t.Errorf("SMART-494: %d records and counts have %d requests, want %d", len(records), len(records)+more, sent)
	}
	if got := w.token("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {"__launch"}}); got.code != 200 {
		t.Errorf("SMART-483: another client: got %d %s", got.code, got.text)
	}
}

// TestSMART482First: over the limit of failures nothing is looked up, also of a refresh token that names the client itself.
func TestSMART482First(t *testing.T) {
	seen := &working{}
	w := openWorld(t, func(clock func() time.Time) engine {
		seen.engine = storetest.NewReference(clock)
		return seen
	}, 1, func(c *smart.Config) { c.Failures = 3 })
	for n := range 6 {
		seen.taken()
		got := w.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {secret.New(secret.RefreshToken)}}, func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" })
		calls := seen.taken()
		if within := n < 3; got.code != map[bool]int{true: 401, false: 429}[within] || strings.Contains(calls, "lookup") != within {
			t.Errorf("SMART-482: request %d: got %d with the calls %q", n+1, got.code, calls)
		}
	}
}

// TestSMART494Launches: each refused launch has an audit record with the launcher, the app and the Patient that was named, for an unknown
// patient as for a hidden one (SMART-120, 127, 494).
func TestSMART494Launches(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Patient", "secret", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"identifier":[{"system":"`+nhs+`","value":"9990000042"}],"birthDate":"1960-01-02"`)
	token, plain := w.backend("ehr", "__launch"), w.backend("loader", "system/*.rs")
	announce := func(token string, change ...any) func() answer {
		body := map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}
		for i := 0; i < len(change); i += 2 {
			body[change[i].(string)] = change[i+1]
		}
		return func() answer { return w.announce(token, body) }
	}
	byEHR := func(of, detail string) audit.Record {
		return refusedRecord("launch-refused", of, "client", w.ids["ehr"], "invalid_request", detail)
	}
	app := "client/" + w.ids["clinical"]
	const unseen = "the launch is not consistent: the patient is not visible to the user"
	w.checkRefusals("SMART-494", []refusal{
		{"a token that nobody has", announce(secret.New(secret.AccessToken)), 401, refusedRecord("launch-refused", "endpoint/launch", "nobody", "", "invalid_token", "a token that is not active")},
		{"a token without the right", announce(plain), 401, refusedRecord("launch-refused", "endpoint/launch", "client", w.ids["loader"], "invalid_token", "a token without the right")},
		{"a member that nobody knows", announce(token, "hunter", 1), 400, byEHR("endpoint/launch", "")},
		{"an unknown app", announce(token, "client_id", "hunter2"), 422, byEHR("endpoint/launch", "a client that is unknown, or not for the staff of the organisation")},
		{"a purpose of another kind", announce(token, "purpose", "PATRQT"), 422, byEHR(app, "")},
		{"an unknown patient", announce(token, "patient", "t1.unknown"), 422, byEHR(app, unseen)},
		{"a hidden patient", announce(token, "patient", "t1.secret"), 422, byEHR(app, unseen)},
		{"another patient's encounter", announce(token, "encounter", "t1.ann-e"), 422, byEHR(app, "the launch is not consistent: the encounter is not the patient's")},
		{"an unknown user", announce(token, "user", "hunter2"), 422, byEHR(app, "the launch is not consistent: the user is not one of the launcher's organisation, or has no role for the purpose")},
	}, token, plain, "hunter", "9990000042")
	var last uint64
	for _, r := range w.records(&last) {
		if r.Interaction == "launch-refused" && r.Decision.Detail == unseen && r.Named != "t1.unknown" && r.Named != "t1.secret" {
			t.Errorf("SMART-494: the record of a refused launch names %q, want the Patient of the request", r.Named)
		}
	}
}

// TestSMART482Launches: an EHR that tries which patients exist is stopped: over its limit of refused launches every launch is refused, wherever it
// comes from, and counted. Another EHR is served, and so is this one a minute later.
func TestSMART482Launches(t *testing.T) {
	const limit, sent = 5, 40
	var counted audit.UnidentifiedLimiter
	var writer *audit.Writer
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		c.Failures, c.Unidentified, writer = limit, &counted, c.Audit
	})
	w.changeClient("loader", func(c *clients.Client) { c.Rights = []string{clients.RightLaunch} })
	token, others := w.backend("ehr", "__launch"), w.backend("loader", "__launch")
	launch := func(token, patient string) answer {
		return w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": patient})
	}
	var last uint64
	w.records(&last)
	codes := map[int]int{}
	for n := range sent {
		codes[launch(token, fmt.Sprint("t1.unknown-", n)).code]++
	}
	if codes[422] != limit || codes[429] != sent-limit {
		t.Errorf("SMART-482: got the answers %v, want %d of 422 and the others 429", codes, limit)
	}
	known := launch(token, "t1.bob")
	if known.code != 429 || known.header.Get("Retry-After") == "" || known.str("launch") != "" {
		t.Errorf("SMART-482: a patient who exists: got %d %s", known.code, known.text)
	}
	records := len(w.records(&last))
	w.must(counted.Flush(t.Context(), writer, w.now))
	for _, r := range w.records(&last) {
		records += r.More
	}
	if records != sent+1 {
		t.Errorf("SMART-494: records and counts have %d requests, want %d", records, sent+1)
	}
	if got := launch(others, "t1.bob"); got.code != 201 {
		t.Errorf("SMART-483: another EHR: got %d %s", got.code, got.text)
	}
	w.now = w.now.Add(time.Minute)
	if got := launch(token, "t1.bob"); got.code != 201 {
		t.Errorf("SMART-482: a minute later: got %d %s", got.code, got.text)
	}
}

// TestSMART127Names: the refusal of a launch names the member that is wrong where no record decides, and says nothing that may be a value.
func TestSMART127Names(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.backend("ehr", "__launch")
	for _, c := range []struct {
		field  string
		value  any
		status int
		want   string // in the description
	}{
		{"intent", "hunter2", 422, "intent is none that was agreed with the client."},
		{"purpose", "PATRQT", 422, "purpose is none that the client is registered for."},
		{"launch_url", "https://evil.example/hunter2", 422, "launch_url is none that is registered for the client."},
		{"nhs_number", "hunter2", 400, "patient and nhs_number do not come together."},
		{"extra_member", 1, 400, "There is no member extra_member."},
		{"9990000018", 1, 400, "There is no such member."},
		{"hunter2 \"\r\nx", 1, 400, "There is no such member."},
		{strings.Repeat("hunter", 10), 1, 400, "There is no such member."},
		{"encounter", 9990000018, 400, "The member encounter has the wrong type."},
		{"fhirContext", []map[string]any{{"reference": "Condition/t1.bob-c", "extra": 1}}, 400, "fhirContext has no member extra in the standard."},
		{"fhirContext", []map[string]any{{"reference": "Condition/t1.bob-c", "9990000018": 1}}, 400, "fhirContext has no such member in the standard."},
	} {
		body := map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}
		body[c.field] = c.value
		got := w.announce(token, body)
		if got.code != c.status || got.str("error") != "invalid_request" || got.str("error_description") != c.want || strings.Contains(got.text, "hunter") {
			t.Errorf("SMART-127: %s: got %d %s, want %d %q", c.field, got.code, got.text, c.status, c.want)
		}
	}
	if strings.Contains(w.log.String(), "hunter") || strings.Contains(w.log.String(), annsNumber) {
		t.Errorf("SMART-481, 495: the log has a value of a request: %s", w.log.String())
	}
}

// TestSMART494Authorize: an authorization request that is refused at once has an audit record, whether its answer is a page or goes to the client,
// and the record has no value of the request (SMART-083 to 087, 124, 494, SMART-T01, T09, T13, T16, T28).
func TestSMART494Authorize(t *testing.T) {
	w := newWorld(t, nil, 1)
	pending, err := w.smart[0].Clients.Add(t.Context(), "ann", clients.Client{Name: "Pending", Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"},
		RedirectURIs: []string{redirect}})
	w.must(err)
	ask := func(client string, change ...string) func() answer {
		params := w.authorization(client, "patient/*.rs")
		for i := 0; i < len(change); i += 2 {
			params.Set(change[i], change[i+1])
		}
		return func() answer {
			return read(w.do(w.request("GET", site+"/oauth/authorize?"+params.Encode(), "")))
		}
	}
	nobody := refusedRecord("authorization-refused", "endpoint/authorize", "nobody", "", "unauthorized_client", "there is no such client")
	app := func(client, reason, detail string) audit.Record {
		return refusedRecord("authorization-refused", "client/"+w.ids[client], "nobody", w.ids[client], reason, detail)
	}
	handle, unregistered := secret.New(secret.LaunchHandle), "the redirect URI is not registered"
	w.checkRefusals("SMART-494", []refusal{
		{"SMART-T16: an unknown client", ask("app", "client_id", "hunter2"), 400, nobody},
		{"SMART-T16: a client that waits", ask("app", "client_id", pending.ID), 400, nobody},
		{"SMART-T01: another redirect URI", ask("app", "redirect_uri", "https://evil.example/hunter2"), 400, app("app", "invalid_request", unregistered)},
		{"SMART-T01: no redirect URI", ask("app", "redirect_uri", ""), 400, app("app", "invalid_request", unregistered)},
		{"SMART-T09: another response type", ask("app", "response_type", "token"), 303, app("app", "unsupported_response_type", "")},
		{"SMART-T13: another audience", ask("app", "aud", "https://evil.example/hunter2"), 303, app("app", "invalid_request", "")},
		{"SMART-T12: no challenge", ask("app", "code_challenge", ""), 303, app("app", "invalid_request", "")},
		{"scopes that nobody knows", ask("app", "scope", "hunter2"), 303, app("app", "invalid_scope", "the server has none of the scopes")},
		{"SMART-124: a handle that nobody has", ask("clinical", "scope", "launch patient/*.rs", "launch", handle), 303, app("clinical", "invalid_request", "the launch is not known")},
		{"SMART-097: a prompt that nobody knows", ask("app", "prompt", "x"), 303, app("app", "invalid_request", "")},
		{"SMART-097: no prompt, by a browser without a cookie", ask("app", "prompt", "none"), 303, app("app", "login_required", "")},
		{"a parameter that is repeated", func() answer {
			return read(w.do(w.request("GET", site+"/oauth/authorize?state=hunter2&state=hunter2", "")))
		}, 400, refusedRecord("authorization-refused", "endpoint/authorize", "nobody", "", "invalid_request", "")},
	}, "hunter2", "evil", handle, pending.ID)
	if strings.Contains(w.log.String(), "nil") || strings.Contains(w.log.String(), "hunter2") {
		t.Errorf("SMART-495: the log has no reason, or a value of a request: %s", w.log.String())
	}
}

// TestSMART482Pages: whoever sends forms that are not of our pages, or more requests than an address may, fills the audit trail with nothing, and no
// request is lost (SMART-163, 482, 494, SMART-T10).
func TestSMART482Pages(t *testing.T) {
	const limit, sent = 3, 100
	var counted audit.UnidentifiedLimiter
	var writer *audit.Writer
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		c.Failures, c.Unidentified, writer = limit, &counted, c.Audit
	})
	b := w.browserOf("ann")
	right, ok := b.formOf("decision")
	if !ok {
		t.Fatalf("there is no form: %d %s", b.page.code, b.at)
	}
	var last uint64
	w.records(&last)
	codes := map[int]int{}
	for range sent {
		r := w.request("POST", site+right.action, url.Values{"csrf": {"wrong"}, "decision": {"allow"}}.Encode())
		r.RemoteAddr = "198.51.100.7:9"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example")
		for cookie, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: cookie, Value: value})
		}
		codes[w.do(r).Code]++
	}
	records := w.records(&last)
	if len(records) != 10*limit || codes[403] != 10*limit || codes[429] != sent-10*limit {
		t.Errorf("SMART-482: got %d records and the answers %v", len(records), codes)
	}
	for _, r := range records {
		if r.Interaction != "page-refused" || r.Type != "endpoint/authorize" || r.Decision.Reason != "forbidden" || r.Decision.Detail != "a post comes from another origin" {
			t.Errorf("SMART-494: got the record %+v", r)
		}
	}
	w.must(counted.Flush(t.Context(), writer, w.now))
	flushed, n := w.records(&last), len(records)
	for _, r := range flushed {
		n += r.More
	}
	if n != sent || len(flushed) > 1 {
		t.Errorf("SMART-494: %d records have %d requests, want %d", len(records)+len(flushed), n, sent)
	}
}

// TestSMART497Refusals: the refusals of each endpoint are counted, each once, with the endpoint and the reason.
func TestSMART497Refusals(t *testing.T) {
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = 20 })
	at := func(address string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr = address + ":9" }
	}
	get := func(path string, address string) {
		r := w.request("GET", site+path, "")
		at(address)(r)
		w.do(r)
	}
	large := func(r *http.Request) *http.Request {
		r.Header.Set("Accept-Language", strings.Repeat("x", 17<<10))
		return r
	}
	none := w.authorization("app", "patient/*.rs")
	none.Set("prompt", "none")
	want := map[string]int{}
	var last uint64
	for endpoint, send := range map[string]func(address string){
		"token unsupported_grant_type": func(a string) { w.post("/oauth/token", url.Values{"grant_type": {"password"}}, at(a)) },
		"introspect invalid_token":     func(a string) { w.post("/oauth/introspect", url.Values{"token": {"x"}}, at(a), bearer("x")) },
		"revoke invalid_client":        func(a string) { w.post("/oauth/revoke", url.Values{"token": {"x"}}, at(a)) },
		"launch invalid_token":         func(a string) { w.post("/oauth/launch", nil, at(a), bearer("x")) },
		"logout invalid_request":       func(a string) { w.post("/oauth/logout/sample-staff", url.Values{"logout_token": {"x"}}, at(a)) },
		"callback other-browser":       func(a string) { get("/oauth/callback/sample-staff?state=x&code=x", a) },
		"authorize bad-request":        func(a string) { get("/oauth/authorize?client_id=x", a) },
		"authorize ended":              func(a string) { get("/oauth/transaction/x", a) },
		"authorize invalid_scope":      func(a string) { get("/oauth/authorize?"+w.authorization("app", "x").Encode(), a) },
		"page not-found":               func(a string) { get("/pages/x", a) },
		"authorize url-too-long":       func(a string) { get("/oauth/authorize?x="+strings.Repeat("x", 9000), a) },
		"authorize method-refused":     func(a string) { w.do(w.request("PUT", site+"/oauth/authorize", "")) },
		"token method-refused":         func(a string) { get("/oauth/token", a) },
		"launch method-refused":        func(a string) { get("/oauth/launch", a) },
		"revoke headers-too-long":      func(a string) { w.post("/oauth/revoke", nil, bearer(strings.Repeat("x", 17<<10))) },
		"authorize headers-too-long": func(a string) {
			w.do(large(w.request("GET", site+"/oauth/authorize", "")))
		},
		"logout not-found":         func(a string) { w.post("/oauth/logout/nobody", nil, at(a)) },
		"authorize login_required": func(a string) { get("/oauth/authorize?"+none.Encode(), a) },
		"page forbidden":           func(a string) { w.post("/pages/language", url.Values{"language": {"cy"}}, at(a)) },
	} {
		w.records(&last)
		for range 2 {
			send("198.51.100.1")
		}
		want["refused "+endpoint] = 2
		// A request that is not read, and one for a transaction that has ended, say nothing that a record could have.
		_, reason, _ := strings.Cut(endpoint, " ")
		unread := slices.Contains([]string{"url-too-long", "method-refused", "headers-too-long", "not-found", "ended"}, reason)
		if n := len(w.records(&last)); n != map[bool]int{true: 0, false: 2}[unread] {
			t.Errorf("SMART-494: %s: two requests have %d records", endpoint, n)
		}
	}
	w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"x"}}, at("198.51.100.2"))
	for range 20 {
		w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"x"}}, at("198.51.100.2"))
	}
	want["refused token invalid_client"], want["refused token too-many"] = 20, 1
	b := w.browserOf("ann")
	b.submit("decision", url.Values{"decision": {"refuse"}})
	want["refused authorize access_denied"] = 1
	b = w.browser()
	b.ask("clinical", "user/Condition.rs")
	b.signIn("newcomer") // who has no role: the page tells it, and the app gets it
	b.submit("leave", nil)
	want["refused authorize access_denied"]++
	for name, n := range w.counted.all {
		if strings.HasPrefix(name, "refused ") && want[name] != n {
			t.Errorf("SMART-497: %s: got %d, want %d", name, n, want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("SMART-497: not counted: %v, of %v", want, w.counted.all)
	}
}

// sum returns the sum of the counts whose name begins with a text.
func (c *counts) sum(begins string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, count := range c.all {
		if strings.HasPrefix(name, begins) {
			n += count
		}
	}
	return n
}

// TestSMART494OnTheWay: an authorization whose client is suspended while it runs, and an app that a patient opens without a record to
// share, have an audit record and are counted (SMART-065, 147, 494, 497).
func TestSMART494OnTheWay(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.launchable()
	opening, running := w.using(), w.browserOf("bob")
	w.put("Patient", "ann", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"identifier":[{"system":"`+nhs+`","value":"`+annsNumber+`"}],"birthDate":"1960-01-02"`)
	form, right := opening.forms()["open"], running.forms()["decision"]
	if form.action == "" || right.action == "" {
		t.Fatalf("there is no form: %d, %d", opening.page.code, running.page.code)
	}
	var last uint64
	w.records(&last)
	opening.send(form, nil)
	records := w.records(&last)
	i := slices.IndexFunc(records, func(r audit.Record) bool { return r.Interaction == "launch-refused" })
	if opening.page.code != 403 || i < 0 || records[i].Agent.Subject != "ann" || records[i].Decision.Reason != "access_denied" || records[i].Client.ID != w.ids["launchable"] || w.counted.of("refused page access_denied") != 1 {
		t.Errorf("SMART-494: an app without a record to share: got %d, the records %+v and the counts %v", opening.page.code, records, w.counted.all)
	}
	_, err := w.smart[0].Clients.Suspend(t.Context(), "ann", w.ids["app"])
	w.must(err)
	w.records(&last)
	running.send(right, url.Values{"decision": {"allow"}})
	records = w.records(&last)
	if running.page.code != 400 || len(records) != 1 || records[0].Interaction != "authorization-refused" || records[0].Decision.Detail != "the client is not served any more" || w.counted.of("refused authorize bad-request") != 1 {
		t.Errorf("SMART-494: a client that is suspended: got %d, the records %+v and the counts %v", running.page.code, records, w.counted.all)
	}
}
