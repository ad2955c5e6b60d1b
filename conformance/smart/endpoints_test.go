package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store/storetest"
)

// TestIntrospection: who may ask, and what is told (SMART-390 to 396).
func TestIntrospection(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.exchange("secret", w.browser().journey("secret", "openid fhirUser launch/patient patient/Observation.rs offline_access", "ann", "").Get("code"))
	ask := func(token string, how func(*http.Request), form url.Values) answer {
		if form == nil {
			form = url.Values{}
		}
		form.Set("token", token)
		return w.post("/oauth/introspect", form, how)
	}
	right := bearer(w.backend("ehr", "__introspect"))
	got := ask(a.str("access_token"), right, nil)
	if got.code != 200 || got.body["active"] != true || got.str("scope") != a.str("scope") || got.str("client_id") != w.ids["secret"] || int64(got.body["exp"].(float64)) != w.now.Unix()+900 ||
		got.str("patient") != "t1.ann" || got.str("iss") != base || got.str("fhirUser") != base+"/Patient/t1.ann" || got.str("aud") != base || got.header.Get("Cache-Control") != "no-store" ||
		gjson.Get(got.text, "extensions.ihe_iua.purpose_of_use.0.code").Str != "PATRQT" {
		t.Errorf("SMART-392, 393, 395: got %d %s", got.code, got.text)
	}
	if strings.Contains(got.text, "9990000018") || strings.Contains(got.text, "person") {
		t.Errorf("introspection tells the person key: %s", got.text)
	}
	own, change := w.as("secret", nil)
	if got := ask(a.str("access_token"), change, own); got.body["active"] != true {
		t.Errorf("SMART-391: the owner: got %s", got.text)
	}
	own, change = w.as("secret", nil)
	if got := ask(a.str("refresh_token"), change, own); got.body["active"] != true || got.str("patient") != "" {
		t.Errorf("SMART-396: the owner of a refresh token: got %s", got.text)
	}
	const inactive = `{"active":false}`
	for name, got := range map[string]answer{
		"SMART-396: a refresh token, by another": ask(a.str("refresh_token"), right, nil),
		"SMART-394: an unknown token":            ask("cr_at_"+strings.Repeat("A", 43), right, nil),
		"SMART-394: nonsense":                    ask("x", right, nil),
		"SMART-394: an ID token":                 ask(a.str("id_token"), right, nil),
		"SMART-391: a token of another client":   func() answer { o, c := w.as("secret", nil); return ask(w.backend("loader", "system/*.rs"), c, o) }(),
	} {
		if got.code != 200 || got.text != inactive {
			t.Errorf("%s: got %d %s", name, got.code, got.text)
		}
	}
	public, change := w.as("app", nil)
	for name, got := range map[string]answer{
		"SMART-391: nobody":                        ask(a.str("access_token"), func(*http.Request) {}, nil),
		"SMART-391: a public client":               ask(a.str("access_token"), change, public),
		"SMART-391: a token without the scope":     ask(a.str("access_token"), bearer(a.str("access_token")), nil),
		"SMART-391: a token that is not active":    ask(a.str("access_token"), bearer("x"), nil),
		"SMART-391: a client with a wrong secret":  ask(a.str("access_token"), func(r *http.Request) { r.SetBasicAuth(w.ids["secret"], "x") }, nil),
		"SMART-388: a refresh token as the bearer": ask(a.str("access_token"), bearer(a.str("refresh_token")), nil),
	} {
		if got.code != 401 || strings.Contains(got.text, "active") {
			t.Errorf("%s: got %d %s", name, got.code, got.text)
		}
	}
	if _, err := w.smart[0].Clients.Suspend(t.Context(), "test", w.ids["secret"]); err != nil {
		t.Fatal(err)
	}
	if got := ask(a.str("access_token"), right, nil); got.text != inactive {
		t.Errorf("SMART-394: of a suspended client: got %s", got.text)
	}
}

// TestRevocation: a client ends its own tokens, at once (SMART-400 to 402, 405).
func TestRevocation(t *testing.T) {
	w := newWorld(t, nil, 2)
	b := w.browser()
	issue := func() answer {
		return w.exchange("app", b.journey("app", "launch/patient patient/Observation.rs offline_access", "ann", "").Get("code"))
	}
	revoke := func(client, token string) answer {
		form, change := w.as(client, url.Values{"token": {token}})
		return w.post("/oauth/revoke", form, change)
	}
	works := func(a answer) bool { return w.get(a.str("access_token"), "Observation").code == 200 }
	refreshes := func(a answer) bool {
		return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}).code == 200
	}
	a := issue()
	if got := revoke("both", a.str("access_token")); got.code != 400 || !works(a) {
		t.Errorf("SMART-400: another client: got %d %s", got.code, got.text)
	}
	if got := revoke("app", a.str("access_token")); got.code != 200 || works(a) || !refreshes(a) {
		t.Errorf("SMART-401: an access token: got %d, want it alone ended", got.code)
	}
	a = issue()
	if got := revoke("app", a.str("refresh_token")); got.code != 200 || works(a) || refreshes(a) {
		t.Errorf("SMART-401: a refresh token: got %d, want everything ended", got.code)
	}
	for _, token := range []string{"x", a.str("refresh_token"), "cr_at_" + strings.Repeat("A", 43)} {
		if got := revoke("app", token); got.code != 200 {
			t.Errorf("SMART-400: an unknown token: got %d", got.code)
		}
	}
	if got := w.post("/oauth/revoke", url.Values{"token": {"x"}}); got.code != 401 {
		t.Errorf("SMART-400: nobody: got %d", got.code)
	}
	a = issue()
	b.open(site + "/my/apps")
	for n := 0; has(b.forms(), "apps") && n < 10; n++ {
		if !strings.Contains(b.page.text, "The app") || !strings.Contains(b.page.text, "Ann Other") || strings.Contains(b.page.text, "Not yet") {
			t.Errorf("SMART-405: got %s", b.page.text)
		}
		b.submit("apps", nil)
	}
	if works(a) || refreshes(a) {
		t.Error("SMART-402, 405: the user has stopped the app, and its tokens work")
	}
	a = issue()
	c, err := w.smart[0].Clients.RevokeTokens(t.Context(), "test", w.ids["app"])
	w.must(err)
	if works(a) || refreshes(a) {
		t.Errorf("SMART-402: all tokens of %s ended, and one works", c.ID)
	}
}

// TestMethodsOfPages: a page answers GET and HEAD, a form POST, and other methods do nothing.
func TestMethodsOfPages(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.journey("app", "patient/*.rs offline_access", "ann", "")
	for _, path := range []string{"/", "/my/apps", "/my/apps/open", "/my/apps/open/x", "/my/apps/reminder", "/my/apps/sign-in", "/my/sessions", "/my/sessions/reminder", "/my/sign-out", "/developers", "/developers/texts", "/browse/",
		"/pages/logos/x.png", "/oauth/authorize", "/oauth/transaction/x/decision"} {
		for _, method := range []string{"DELETE", "PUT", "PATCH", "OPTIONS", "QUERY"} {
			b.follow(w.request(method, site+path, ""))
			if b.page.code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: got %d", method, path, b.page.code)
			}
		}
	}
	if w.audited("reminder", "page/apps") {
		t.Error("SMART-224: a request that shows no page counts as the page of the apps")
	}
	if n := w.recorded("grant-end"); n != 0 {
		t.Errorf("%d grants were ended", n)
	}
}

// TestEndpointMistakes: requests that no endpoint takes (SMART-310, 480, 484).
func TestEndpointMistakes(t *testing.T) {
	w := newWorld(t, nil, 1)
	for name, c := range map[string]struct {
		method, path, typ, body string
		status                  int
	}{
		"SMART-310: GET of the token endpoint": {"GET", "/oauth/token", "", "", 405},
		"SMART-310: JSON":                      {"POST", "/oauth/token", "application/json", `{"grant_type":"authorization_code"}`, 400},
		"SMART-310: parameters in the URL":     {"POST", "/oauth/token?grant_type=authorization_code", "application/x-www-form-urlencoded", "", 400},
		"an endpoint that does not exist":      {"GET", "/oauth/none", "", "", 404},
		"registration is not built":            {"POST", "/oauth/register", "application/json", "{}", 404},
		"DELETE of the keys":                   {"DELETE", "/oauth/jwks.json", "", "", 405},
		"SMART-484: a large body":              {"POST", "/oauth/token", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", 65<<10), 413},
	} {
		r := w.request(c.method, site+c.path, c.body)
		if c.typ != "" {
			r.Header.Set("Content-Type", c.typ)
		}
		if got := read(w.do(r)); got.code != c.status || got.header.Get("Content-Type") != "application/json" || got.str("error") == "" {
			t.Errorf("%s: got %d %s, want %d in JSON", name, got.code, got.text, c.status)
		}
	}
	r := w.request("GET", site+"/oauth/jwks.json", "")
	r.Header.Set("X-Long", strings.Repeat("x", 17<<10))
	if got := read(w.do(r)); got.code != 431 {
		t.Errorf("SMART-484: long headers: got %d", got.code)
	}
}

// TestSMART391Users: who introspects with a user's token needs the user: when the user has lost the role, or the session of an online token
// has ended, the token is answered like one that nobody has, at once.
func TestSMART391Users(t *testing.T) {
	for name, c := range map[string]struct {
		scope string
		lose  func(w *world)
	}{
		"the role": {"__introspect user/Condition.rs", func(w *world) {
			w.policy.People = slices.DeleteFunc(slices.Clone(w.policy.People), func(p policy.Person) bool { return p.User == "doctor" })
		}},
		"the session": {"launch __introspect user/Condition.rs online_access", func(w *world) {
			for _, s := range w.sessionsOf("doctor") {
				_, err := w.engine.Take(t.Context(), session.StatePrefix+s.Binding)
				w.must(err)
			}
		}},
	} {
		w := newWorld(t, nil, 1)
		w.add("looker", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect},
			LaunchURLs: []string{"https://app.example/launch"}, Rights: []string{clients.RightIntrospect}})
		own := w.exchange("looker", w.browser().journey("looker", c.scope, "doctor", "", func(v url.Values) {
			if strings.HasPrefix(c.scope, "launch") {
				v.Set("launch", w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["looker"], "user": "doctor"}).str("launch"))
			}
		}).Get("code"))
		other := w.exchange("app", w.browser().journey("app", "launch/patient patient/Condition.rs", "ann", "").Get("code")).str("access_token")
		ask := func() answer {
			return w.post("/oauth/introspect", url.Values{"token": {other}}, bearer(own.str("access_token")))
		}
		if got := ask(); got.code != 200 || got.body["active"] != true {
			t.Fatalf("SMART-391: %s: by a user with the right: got %d %s, with the token %s", name, got.code, got.text, own.text)
		}
		c.lose(w)
		want := w.post("/oauth/introspect", url.Values{"token": {other}}, bearer(secret.New(secret.AccessToken)))
		var last uint64
		w.records(&last)
		if got := ask(); statusAndText(got) != statusAndText(want) || got.code != 401 {
			t.Errorf("SMART-391: a user who has lost %s: got %d %s", name, got.code, got.text)
		}
		if r := w.records(&last); len(r) != 1 || r[0].Agent.Subject != "doctor" || r[0].Decision.Reason != "invalid_token" {
			t.Errorf("SMART-494: a user who has lost %s: got the records %+v", name, r)
		}
	}
}

// TestSMART391Calls: the requests of one user for introspection block neither another user's nor the app's own (SMART-482, 483).
func TestSMART391Calls(t *testing.T) {
	const limit = 3
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Introspections = limit })
	w.add("looker", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect}, Rights: []string{clients.RightIntrospect}})
	ask := func(token string) int {
		return w.post("/oauth/introspect", url.Values{"token": {"x"}}, bearer(token)).code
	}
	tokens := map[string]string{}
	for _, user := range []string{"doctor", "nurse"} {
		tokens[user] = w.exchange("looker", w.browser().journey("looker", "__introspect user/Condition.rs", user, "").Get("code")).str("access_token")
	}
	for range limit {
		if got := ask(tokens["doctor"]); got != 200 {
			t.Errorf("SMART-482: within the limit: got %d", got)
		}
	}
	if got, other := ask(tokens["doctor"]), ask(tokens["nurse"]); got != 429 || other != 200 {
		t.Errorf("SMART-482, 483: over the limit of a user: got %d, and another user %d", got, other)
	}
}

// TestSMART394Sessions: the tokens of a grant that is online are not active when its session has ended, by idleness too, and introspection
// is no activity of the session (SMART-348). A refresh token is active where its refresh works.
func TestSMART394Sessions(t *testing.T) {
	w := newWorld(t, nil, 1)
	online := func() answer {
		handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["signer"], "user": "doctor", "patient": "t1.bob"}).str("launch")
		return w.exchange("signer", w.browser().journey("signer", "launch patient/Observation.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	}
	described := func(token string) string {
		form, change := w.as("signer", url.Values{"token": {token}})
		return w.post("/oauth/introspect", form, change).text
	}
	const inactive = `{"active":false}`
	a, began := online(), w.now
	for range 3 {
		w.now = w.now.Add(4 * time.Minute)
		for _, kind := range []string{"access_token", "refresh_token"} {
			if got := described(a.str(kind)); got == inactive {
				t.Errorf("SMART-394: the %s while the session lives: got %s", kind, got)
			}
		}
	}
	if got := w.sessionsOf("doctor"); len(got) != 1 || got[0].LastUsed.After(began) {
		t.Errorf("SMART-348: introspection is activity: the sessions are %+v, want one used last at %s", got, began)
	}
	w.now = began.Add(30 * time.Minute)
	if got := described(a.str("refresh_token")); got != inactive {
		t.Errorf("SMART-348, 394: the refresh token after the idle end: got %s", got)
	}
	if got := w.token("signer", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-348: the refresh after the idle end: got %s", got.text)
	}
	a = online()
	for _, s := range w.sessionsOf("doctor") {
		_, err := w.engine.Take(t.Context(), session.StatePrefix+s.Binding)
		w.must(err)
	}
	if got := described(a.str("access_token")); got != inactive {
		t.Errorf("SMART-348, 394: the access token without the session: got %s", got)
	}
	a = online()
	w.policy.Agreement.Organisations = []string{"G1"}
	if got := described(a.str("refresh_token")); got != inactive {
		t.Errorf("SMART-204, 394: the refresh token of an organisation that has left: got %s", got)
	}
}
