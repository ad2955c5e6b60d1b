package smart

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart"
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
		if a := one.send(); a.code != one.status {
			w.Errorf("%s: %s: got %d %s, want %d", number, one.name, a.code, a.text, one.status)
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
