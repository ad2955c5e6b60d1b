package smart

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

// TestSMART492: whatever ends by time has ended also in a store that removes nothing: the code checks each end (SMART-492).
func TestSMART492(t *testing.T) {
	w := openWorld(t, withoutExpiry, 1)
	ended := func(what string, a answer, code int, text string) {
		t.Helper()
		if a.code != code || !strings.Contains(a.text, text) {
			t.Errorf("SMART-492: %s after its end: got %d %.300s", what, a.code, a.text)
		}
	}
	code := w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
	w.now = w.now.Add(time.Minute)
	ended("a code", w.exchange("app", code), 400, "invalid_grant")

	a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	backend := w.backend("loader", "system/*.rs")
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	signed := w.browserOf("ann")
	starting := w.browser()
	starting.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode())
	signIn := starting.forms()
	w.now = w.now.Add(5 * time.Minute)
	ended("a token of a backend", w.get(backend, "Observation"), 401, "")
	params := w.authorization("clinical", "launch patient/Observation.rs")
	params.Set("launch", handle)
	if back := sentBack(t, w.browser().open(site+"/oauth/authorize?"+params.Encode())); back.Get("error") != "invalid_request" {
		t.Errorf("SMART-492: a launch handle after its end: got %v", back)
	}
	w.now = w.now.Add(10 * time.Minute)
	ended("an access token", w.get(a.str("access_token"), "Observation"), 401, "")
	for name, f := range signIn {
		if f.offers["person"] != nil {
			if location := starting.send(f, url.Values{"person": f.offers["person"][:1]}); location != "" || starting.page.code < 400 {
				t.Errorf("SMART-492: the sign-in %s after ten minutes: got %d and %q", name, starting.page.code, location)
			}
		}
	}
	w.now = w.now.Add(15 * time.Minute)
	signed.open(site + "/my/apps")
	if signed.at == "/my/apps" {
		t.Errorf("SMART-492: a session after half an hour: got %d", signed.page.code)
	}
	w.now = w.now.Add(90 * 24 * time.Hour)
	ended("a refresh token", w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}), 400, "invalid_grant")
}

// TestSMART500: everything that the authorization server keeps is in the State port, on each engine, and two servers that share nothing else
// act as one. The contract of the port is tested for each engine by package storetest (SMART-498, 500).
func TestSMART500(t *testing.T) {
	server := mongotest.Start(t)
	for name, open := range map[string]func(clock func() time.Time) engine{
		"reference": func(clock func() time.Time) engine { return storetest.NewReference(clock) },
		"pebble": func(clock func() time.Time) engine {
			p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 8 << 20, Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Close() })
			return p
		},
		"mongo": func(clock func() time.Time) engine {
			uri, database := server.Database(t)
			m, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: database, NoHints: !server.Real(), Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := openWorld(t, open, 2)
			w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"})
			a := w.exchange("app", w.browser().journey("app", "openid patient/Observation.rs offline_access", "ann", "").Get("code"))
			waiting := w.browser()
			waiting.open(site + "/oauth/authorize?" + w.authorization("app", "patient/*.rs").Encode())
			app, err := w.smart[0].Clients.Get(t.Context(), w.ids["both"])
			w.must(err)
			with := *app
			with.Publisher = "Proposed Ltd"
			_, err = w.smart[0].Clients.Change(t.Context(), "ann", app.ID, with)
			w.must(err)
			if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.code != 200 {
				t.Errorf("SMART-498: a refresh on another server: got %d %s", got.code, got.text)
			}
			kinds := map[string]string{"smart/client/": "clients", "smart/grant/": "grants", "smart/at/": "access tokens", "smart/rt/": "refresh tokens", "smart/code/": "codes", "smart/launch/": "launch handles",
				"smart/jti/": "the jti of assertions", "smart/tx/": "transactions", "session/": "sessions", "signin/": "sign-ins", "smart/reminded/": "reminders of people", "smart/user-grant/": "the grants of users"}
			for prefix, kind := range kinds {
				found := false
				for _, err := range w.engine.Values(t.Context(), prefix) {
					w.must(err)
					found = true
				}
				if !found {
					t.Errorf("SMART-500: State has no %s", kind)
				}
			}
			if second, err := w.smart[1].Clients.Get(t.Context(), app.ID); err != nil || second.Proposed == nil || second.Proposed.With.Publisher != "Proposed Ltd" {
				t.Errorf("SMART-500: the other server does not know what waits for an approval: %+v, %v", second, err)
			}
		})
	}
}

// TestBackendRules: purpose, organisation and life of a backend's token are those of its registration, whatever the request says, and what is
// outside its scopes fails at the first request (SMART-363, 365, 367).
func TestBackendRules(t *testing.T) {
	w := newWorld(t, nil, 1)
	form, _ := w.as("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Observation.rs"}, "expires_in": {"86400"}, "purpose": {"HOPERAT"}, "purpose_of_use": {"HOPERAT"},
		"organisation": {"G1"}, "organization": {"G1"}, "resource": {"https://other.example"}})
	r := w.request("POST", site+"/oauth/token?expires_in=86400", form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := read(w.do(r)); a.code != 400 {
		t.Errorf("SMART-310: parameters in the URL: got %d", a.code)
	}
	form, _ = w.as("loader", form)
	r = w.request("POST", site+"/oauth/token", form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, name := range []string{"X-Purpose-Of-Use", "Purpose", "NHSD-Purpose", "X-Organisation", "Ssp-From"} {
		r.Header.Set(name, "HOPERAT")
	}
	a := read(w.do(r))
	if a.code != 200 || a.body["expires_in"] != 300.0 {
		t.Fatalf("SMART-363: got %d %s, want 300 seconds", a.code, a.text)
	}
	reading := w.request("GET", base+"/Observation", "")
	reading.Header.Set("Authorization", "Bearer "+a.str("access_token"))
	reading.Header.Set("X-Purpose-Of-Use", "HOPERAT")
	p, err := w.smart[0].Verify(t.Context(), reading.Header, "")
	if err != nil || p.Purpose != "TREAT" || p.Organisation != "T1" {
		t.Errorf("SMART-367: got the purpose %q and the organisation %q, %v, want those of the registration", p.Purpose, p.Organisation, err)
	}
	for path, code := range map[string]int{"Observation": 200, "Condition": 403, "Patient/t1.ann": 403, "Encounter?_summary=count": 403, "Nonsense": 404} {
		if got := w.get(a.str("access_token"), path); got.code != code {
			t.Errorf("SMART-365: %s: got %d %.200s, want %d", path, got.code, got.text, code)
		}
	}
	if got := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Nonsense.rs"}}); got.str("error") != "invalid_scope" {
		t.Errorf("SMART-365: a type that the server does not have: got %d %s", got.code, got.text)
	}
	w.now = w.now.Add(5 * time.Minute)
	if got := w.get(a.str("access_token"), "Observation"); got.code != 401 {
		t.Errorf("SMART-363: after 300 seconds: got %d", got.code)
	}
}
