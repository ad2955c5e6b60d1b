package smart

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/store/storetest"
)

// TestSMART482Callback: refused logout tokens and failed sign-ins at an address have limits of their own, and an answer that repeats a
// parameter counts as a failed sign-in, has a record, and leaves nothing of its query in the log (SMART-482, 494, 495).
func TestSMART482Callback(t *testing.T) {
	const limit = 3
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = limit })
	here := func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" }
	answered := func(query string) int {
		r := w.request("GET", site+"/oauth/callback/sample-staff?"+query, "")
		here(r)
		return w.do(r).Code
	}
	logout := func() int {
		return w.post("/oauth/logout/sample-staff", url.Values{"logout_token": {"x"}}, here).code
	}
	for range limit {
		logout()
	}
	if got := logout(); got != 429 {
		t.Errorf("SMART-482: a logout token over the limit: got %d", got)
	}
	var last uint64
	w.records(&last)
	for _, query := range []string{"hunter2=1&hunter2=2", "state=hunter2&state=hunter2", "state=%zzhunter2"} {
		if got := answered(query); got != 400 {
			t.Errorf("SMART-483: after refused logout tokens an answer with %s: got %d, want 400", query, got)
		}
	}
	if got := answered("state=x&code=x"); got != 429 {
		t.Errorf("SMART-482: an answer over the limit: got %d", got)
	}
	records := w.records(&last)
	if len(records) != 3 {
		t.Errorf("SMART-494: got %d records, want one of each answer that was refused singly", len(records))
	}
	for _, r := range records {
		if r.Interaction != "sign-in" || r.Type != "issuer/sample-staff" || r.Decision.Reason != "unreadable" {
			t.Errorf("SMART-494: got the record %+v", r)
		}
	}
	if strings.Contains(w.log.String(), "hunter2") {
		t.Errorf("SMART-495: the log has a query: %s", w.log.String())
	}
}

// TestSMART495Logout: neither the log nor the audit trail has a claim of a logout token that nobody has signed.
func TestSMART495Logout(t *testing.T) {
	w := newWorld(t, nil, 1)
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	var last uint64
	w.records(&last)
	for name, claims := range map[string]string{"another issuer": `{"iss":"9990000018","sub":"x","aud":"x"}`, "another audience": `{"iss":"` + site + `/demo/sample-staff","sub":"x","aud":"9990000018"}`, "no claims": `9990000018`} {
		token := part(`{"alg":"RS256","kid":"9990000018"}`) + "." + part(claims) + "." + part("x")
		if got := w.post("/oauth/logout/sample-staff", url.Values{"logout_token": {token}}); got.code != 400 {
			t.Errorf("SMART-169: %s: got %d %s", name, got.code, got.text)
		}
		records := w.records(&last)
		if len(records) != 1 || records[0].Interaction != "logout" || strings.Contains(records[0].Decision.Detail, "9990000018") {
			t.Errorf("SMART-494: %s: got the records %+v", name, records)
		}
	}
	if strings.Contains(w.log.String(), "9990000018") {
		t.Errorf("SMART-495: the log has a claim of a token: %s", w.log.String())
	}
}
