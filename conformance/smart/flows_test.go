package smart

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-jose/go-jose/v4"
	"github.com/tidwall/gjson"

	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
)

// TestJourneys: a patient and a member of staff authorize an app, which reads what was granted and nothing else, on one server and on
// two that take turns (SMART-498).
func TestJourneys(t *testing.T) {
	mongoServer := mongotest.Start(t)
	for name, c := range map[string]struct {
		servers int
		over    func(*testing.T) engine
	}{
		"one server":  {1, func(*testing.T) engine { return nil }},
		"two servers": {2, func(*testing.T) engine { return nil }},
		"pebble":      {1, onPebble},
		"mongo":       {2, func(t *testing.T) engine { return onMongo(t, mongoServer) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.over(t), c.servers)
			back := w.browser().journey("app", "openid fhirUser launch/patient patient/Observation.read patient/Condition.rs offline_access", "ann", "", func(v url.Values) { v.Set("nonce", "n-1") })
			if back.Get("state") != "the state" || back.Get("iss") != base {
				t.Errorf("SMART-086, 088: got %v, want state and iss", back)
			}
			a := w.exchange("app", back.Get("code"))
			if a.code != 200 || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.str("token_type") != "Bearer" || a.body["expires_in"] != 900.0 {
				t.Fatalf("SMART-312 to 314: got %d %s %v", a.code, a.text, a.header)
			}
			if got := a.str("scope"); got != "openid fhirUser launch/patient offline_access patient/Observation.read patient/Condition.rs" {
				t.Errorf("SMART-214, 233, 245: got the scope %q", got)
			}
			if a.str("patient") != "t1.ann" {
				t.Errorf("SMART-142, 371: got the patient %q", a.str("patient"))
			}
			wantIDToken(t, w, a.str("id_token"), "app", "n-1", "Patient/t1.ann")
			token := a.str("access_token")
			if len(token) >= 100 {
				t.Errorf("SMART-315: the token has %d bytes", len(token))
			}
			for path, want := range map[string]int{
				"Observation": 200, "Patient/t1.ann": 200, "Observation/t1.ann-laboratory": 200, "Observation/t1.bob-laboratory": 404, "Patient/t1.bob": 403, "Encounter": 403, "Patient": 403,
			} {
				if got := w.get(token, path); got.code != want {
					t.Errorf("SMART-253, 261: %s: got %d %.200s, want %d", path, got.code, got.text, want)
				}
			}
			if n := gjson.Get(w.get(token, "Observation").text, "total").Int(); n != 2 {
				t.Errorf("SMART-255: got %d observations, want the two of Ann", n)
			}

			chosen := w.browser().journey("both", "user/Condition.rs", "ann", "")
			if c := w.exchange("both", chosen.Get("code")); c.code != 200 || gjson.Get(w.get(c.str("access_token"), "Condition").text, "total").Int() != 1 {
				t.Errorf("SMART-189: a patient who chose how to sign in: got %d %s", c.code, c.text)
			}
			staff := w.browser().journey("clinical", "launch/patient patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory user/Condition.rs openid fhirUser", "doctor", bobsNumber)
			b := w.exchange("clinical", staff.Get("code"))
			if b.code != 200 || b.str("patient") != "t1.bob" {
				t.Fatalf("SMART-140, 144: got %d %s", b.code, b.text)
			}
			wantIDToken(t, w, b.str("id_token"), "clinical", "", "Practitioner/t1.doctor")
			token = b.str("access_token")
			if got := w.get(token, "Observation").text; gjson.Get(got, "total").Int() != 1 || !strings.Contains(got, "t1.bob-laboratory") {
				t.Errorf("SMART-255, 274: got %s, want the laboratory result of Bob", got)
			}
			if n := gjson.Get(w.get(token, "Condition").text, "total").Int(); n != 2 {
				t.Errorf("SMART-258: got %d conditions under user/, want both", n)
			}
		})
	}
}

// engineTime is the time of the stores that are not the reference store. It is before that of the worlds, so nothing expires.
func engineTime() time.Time { return time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC) }

func onPebble(t *testing.T) engine {
	p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 8 << 20, Clock: engineTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func onMongo(t *testing.T, server *mongotest.Server) engine {
	uri, name := server.Database(t)
	m, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real(), Clock: engineTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// wantIDToken checks an ID token with the published keys (SMART-380 to 383, 385).
func wantIDToken(t *testing.T, w *world, token, client, nonce, user string) {
	t.Helper()
	var set jose.JSONWebKeySet
	w.must(json.Unmarshal([]byte(read(w.do(w.request("GET", site+"/oauth/jwks.json", ""))).text), &set))
	object, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	w.must(err)
	keys := set.Key(object.Signatures[0].Header.KeyID)
	if len(keys) != 1 || !keys[0].IsPublic() {
		t.Fatalf("SMART-385: the set has %d keys of the kid", len(keys))
	}
	payload, err := object.Verify(keys[0])
	w.must(err)
	got := gjson.ParseBytes(payload)
	if got.Get("iss").Str != base || got.Get("aud").Str != w.ids[client] || got.Get("nonce").Str != nonce || got.Get("fhirUser").Str != base+"/"+user ||
		got.Get("exp").Int()-got.Get("iat").Int() != 600 || got.Get("sub").Str == "" {
		t.Errorf("SMART-381, 383: got the claims %s", payload)
	}
	for _, private := range []string{annsNumber, bobsNumber, "900000000102", "nhs-login-1", "Other"} {
		if strings.Contains(string(payload), private) {
			t.Errorf("SMART-381: the ID token has %q: %s", private, payload)
		}
	}
}

// TestRefresh: a refresh token works once, gives no more than its grant, and its reuse ends everything (SMART-340 to 347, SMART-T19).
func TestRefresh(t *testing.T) {
	w := newWorld(t, nil, 2)
	refresh := func(client, token string, more ...string) answer {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		return w.token(client, form)
	}
	first := w.exchange("app", w.browser().journey("app", "launch/patient patient/Observation.rs patient/Condition.rs offline_access", "ann", "").Get("code"))
	narrow := refresh("app", first.str("refresh_token"), "scope", "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory")
	if narrow.code != 200 || gjson.Get(w.get(narrow.str("access_token"), "Observation").text, "total").Int() != 1 || w.get(narrow.str("access_token"), "Condition").code != 403 {
		t.Errorf("SMART-344: a narrower scope: got %d %s", narrow.code, narrow.text)
	}
	if got := refresh("app", narrow.str("refresh_token"), "scope", "patient/*.rs"); got.code != 400 || got.str("error") != "invalid_scope" {
		t.Errorf("SMART-344, T19: a wider scope: got %d %s", got.code, got.text)
	}
	if got := refresh("secret", narrow.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-341, T19: another client: got %s", got.text)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {narrow.str("refresh_token")}}
	again := w.post("/oauth/token", form) // a public client may leave its id out (SMART-318)
	if again.code != 200 || again.str("scope") != first.str("scope") || again.str("patient") != "t1.ann" {
		t.Errorf("SMART-318, 344, 345: got %d %s, want what was granted at first", again.code, again.text)
	}
	if got := w.get(again.str("access_token"), "Condition"); got.code != 200 {
		t.Errorf("SMART-344: a narrower refresh has shrunk the grant: %d", got.code)
	}
	if got := refresh("app", narrow.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-343: reuse: got %s", got.text)
	}
	for _, token := range []string{first.str("access_token"), again.str("access_token")} {
		if got := w.get(token, "Observation"); got.code != 401 {
			t.Errorf("SMART-343: after a reuse: got %d, want every token of the grant ended", got.code)
		}
	}
	if got := refresh("app", again.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-343: the newest refresh token after a reuse: got %s", got.text)
	}

	late := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	w.now = w.now.Add(90*24*time.Hour - time.Second)
	late = refresh("app", late.str("refresh_token"))
	if late.code != 200 {
		t.Errorf("SMART-347: after less than 90 days: got %d %s", late.code, late.text)
	}
	w.now = w.now.Add(90 * 24 * time.Hour)
	if got := refresh("app", late.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-347: 90 days unused: got %s", got.text)
	}
	without := w.exchange("clinical", w.browser().journey("clinical", "launch/patient patient/Observation.rs offline_access online_access", "doctor", bobsNumber).Get("code"))
	if without.str("refresh_token") != "" || strings.Contains(without.str("scope"), "access") {
		t.Errorf("SMART-064, 340: got %s, want no refresh token for a client without offline access", without.text)
	}
	client, err := w.smart[0].Clients.Suspend(t.Context(), "test", w.ids["app"])
	w.must(err)
	if got := refresh("app", late.str("refresh_token")); got.str("error") != "invalid_client" {
		t.Errorf("SMART-065, T19: suspended %v: got %s", client.ID, got.text)
	}
}

// TestSecretsAreNotStored: after whole journeys neither the store nor the log has a token, a code, a cookie or a secret (SMART-490,
// 495, SMART-T14).
func TestSecretsAreNotStored(t *testing.T) {
	t.Run("reference", func(t *testing.T) { newWorld(t, nil, 1).secretsAreNotStored(t) })
	t.Run("Pebble", func(t *testing.T) {
		openWorld(t, func(clock func() time.Time) engine { return openPebble(t, clock) }, 1).secretsAreNotStored(t)
	})
	t.Run("MongoDB", func(t *testing.T) {
		server := mongotest.Start(t)
		openWorld(t, func(clock func() time.Time) engine { return openMongoDB(t, server, clock) }, 1).secretsAreNotStored(t)
	})
}

// secretsAreNotStored goes through the journeys and searches what is stored: State, the audit trail, and all versions of the documents.
func (w *world) secretsAreNotStored(t *testing.T) {
	t.Helper()
	b := w.browser()
	back := b.journey("secret", "openid launch/patient patient/Observation.rs offline_access", "ann", "")
	a := w.exchange("secret", back.Get("code"))
	issued := map[string]string{"code": back.Get("code"), "access token": a.str("access_token"), "refresh token": a.str("refresh_token"), "secret": w.secrets["secret"], "verifier": verifier,
		"introspection": w.backend("ehr", "__introspect"), "launching token": w.backend("ehr", "__launch")}
	issued["launch handle"] = w.announce(issued["launching token"], map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	launched := w.browser()
	staff := w.exchange("clinical", launched.journey("clinical", "launch patient/Observation.rs online_access openid", "doctor", "", func(v url.Values) { v.Set("launch", issued["launch handle"]) }).Get("code"))
	issued["token of staff"], issued["online refresh token"], issued["ID token"] = staff.str("access_token"), staff.str("refresh_token"), staff.str("id_token")
	for name, value := range launched.cookies {
		issued["cookie "+name+" of staff"] = value
	}
	w.administration()
	issued["token of an administrator"] = w.exchange("administration", w.browser().journey("administration", "__clients", "admin", "").Get("code")).str("access_token")
	for name, value := range b.cookies {
		issued["cookie "+name] = value
	}
	w.exchange("secret", back.Get("code")) // a refusal, for the log
	var stored strings.Builder
	for v, err := range w.engine.Values(t.Context(), "") {
		w.must(err)
		stored.WriteString(v.Key + " " + string(v.Value) + "\n")
	}
	for r, err := range w.engine.Records(t.Context(), 1) {
		w.must(err)
		stored.Write(r.Payload)
	}
	w.must(w.engine.Read(t.Context(), func(s store.Snapshot) error {
		for _, typ := range []string{"Patient", "Encounter", "Observation", "Condition", "Practitioner"} {
			for d, err := range s.History(t.Context(), store.HistoryQuery{Type: typ}) {
				w.must(err)
				stored.Write(d.Body)
			}
		}
		return nil
	}))
	for what, value := range issued {
		if value == "" {
			t.Errorf("there is no %s", what)
		} else if strings.Contains(stored.String(), value) || strings.Contains(w.log.String(), value) || w.counted.contain(value) {
			t.Errorf("SMART-490, 495, T14: the store or the log has the %s", what)
		}
	}
}
