package smart

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/interop/smart/secret"
	"carerecord/store"
	"carerecord/store/storetest"
)

// gathering is an engine that holds requests that are sent at the same time until each of them is in a call of the engine, or answered: so
// each has passed the checks before the call when the first one goes on.
type gathering struct {
	engine
	mu                sync.Mutex
	moved             *sync.Cond
	call              string // "read", or the beginning of a key of State; empty holds nothing
	sent, in, answers int
}

func newGathering(e engine) *gathering {
	g := &gathering{engine: e}
	g.moved = sync.NewCond(&g.mu)
	return g
}

func (g *gathering) hold(call string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.call == "" || !strings.HasPrefix(call, g.call) {
		return
	}
	g.in++
	g.moved.Broadcast()
	for g.call != "" && g.in+g.answers < g.sent {
		g.moved.Wait()
	}
	g.call = ""
}

func (g *gathering) answered() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers++
	g.moved.Broadcast()
}

func (g *gathering) Read(ctx context.Context, f func(store.Snapshot) error) error {
	g.hold("read")
	return g.engine.Read(ctx, f)
}

func (g *gathering) Lookup(ctx context.Context, key string) ([]byte, error) {
	g.hold(key)
	return g.engine.Lookup(ctx, key)
}

// gather sends requests at the same time, and returns how many answers have each status.
func (w *world) gather(g *gathering, call string, list []*http.Request) map[int]int {
	w.Helper()
	g.mu.Lock()
	g.call, g.sent, g.in, g.answers = call, len(list), 0, 0
	g.mu.Unlock()
	codes, mu, done := map[int]int{}, sync.Mutex{}, sync.WaitGroup{}
	for _, r := range list {
		done.Go(func() {
			rec := httptest.NewRecorder()
			w.servers[0].ServeHTTP(rec, r)
			g.answered()
			mu.Lock()
			codes[rec.Code]++
			mu.Unlock()
		})
	}
	done.Wait()
	return codes
}

// TestSMART482AtOnce: requests at the same time are not more than a limit: launches that try patients, secrets, codes and states of
// sign-ins. What does not fail gives its place back.
func TestSMART482AtOnce(t *testing.T) {
	const limit, sent = 5, 40
	var g *gathering
	w := openWorld(t, func(clock func() time.Time) engine {
		g = newGathering(storetest.NewReference(clock))
		return g
	}, 1, func(c *smart.Config) { c.Failures = limit })
	token := w.backend("ehr", "__launch")
	form := func(path string, values url.Values) *http.Request {
		r := w.request("POST", site+path, values.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = "198.51.100.7:9"
		return r
	}
	for name, c := range map[string]struct {
		call    string
		request func(n int) *http.Request
		status  int
	}{
		"launches": {"read", func(n int) *http.Request {
			r := w.request("POST", site+"/oauth/launch", fmt.Sprintf(`{"client_id":%q,"user":"doctor","patient":"t1.unknown-%d"}`, w.ids["clinical"], n))
			r.Header.Set("Authorization", "Bearer "+token)
			return r
		}, 422},
		"secrets": {"smart/client/", func(int) *http.Request {
			r := form("/oauth/revoke", url.Values{"token": {"x"}})
			r.SetBasicAuth(w.ids["secret"], "wrong")
			return r
		}, 401},
		"codes": {"smart/client/", func(int) *http.Request {
			return form("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {w.ids["app"]}, "code": {secret.New(secret.Code)}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
		}, 400},
		"states": {"signin/", func(int) *http.Request {
			r := w.request("GET", site+"/oauth/callback/sample-staff?code=x&state="+secret.New(secret.State), "")
			r.RemoteAddr = "198.51.100.7:9"
			return r
		}, 400},
	} {
		var list []*http.Request
		for n := range sent {
			list = append(list, c.request(n))
		}
		if codes := w.gather(g, c.call, list); !maps.Equal(codes, map[int]int{c.status: limit, 429: sent - limit}) {
			t.Errorf("SMART-482: %d %s at once: got the answers %v, want %d of %d and the others 429", sent, name, codes, limit, c.status)
		}
	}
	w.now = w.now.Add(time.Minute)
	for n := range 2 * limit {
		if got := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}); got.code != 201 {
			t.Errorf("SMART-483: launch %d, of which none was refused: got %d %s", n+1, got.code, got.text)
		}
		own, change := w.as("secret", url.Values{"token": {"x"}})
		if got := w.post("/oauth/revoke", own, change, func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" }); got.code != 200 {
			t.Errorf("SMART-483: request %d with the right secret, of which none failed: got %d %s", n+1, got.code, got.text)
		}
	}
}

// TestSMART483Users: a user who sends the access token of an app where it has no right blocks no request of the app, and the record names
// the user (SMART-483, 494).
func TestSMART483Users(t *testing.T) {
	const limit = 3
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = limit })
	users := w.exchange("secret", w.browser().journey("secret", "launch/patient patient/Condition.rs", "ann", "").Get("code")).str("access_token")
	staffs := w.exchange("clinical", w.browser().journey("clinical", "user/Condition.rs", "doctor", "").Get("code")).str("access_token")
	wrong := func() answer {
		form, change := w.as("secret", url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
		return w.post("/oauth/token", form, change, func(r *http.Request) { r.RemoteAddr = "203.0.113.9:9" })
	}
	if got := wrong(); got.code != 400 {
		t.Fatalf("a code that nobody has: got %d %s", got.code, got.text)
	}
	for _, path := range []string{"/oauth/launch", "/oauth/introspect"} {
		var last uint64
		w.records(&last)
		for n := range 10*limit + 1 {
			if got := w.post(path, url.Values{"token": {"x"}}, bearer(users)); got.code != 401 {
				t.Errorf("SMART-391: %s: request %d with a user's token: got %d", path, n+1, got.code)
			}
		}
		for _, r := range w.records(&last) {
			if r.Agent.Kind != "user" || r.Agent.Subject != "ann" || r.Agent.Purpose != "PATRQT" || r.Client.ID != w.ids["secret"] {
				t.Errorf("SMART-494: %s: the record names the agent %+v and the client %+v, want the user", path, r.Agent, r.Client)
			}
		}
		if got := wrong(); got.code != 400 {
			t.Errorf("SMART-483: after requests of a user at %s the app's own refusal is %d %s", path, got.code, got.text)
		}
	}
	var last uint64
	w.records(&last)
	w.post("/oauth/launch", nil, bearer(staffs))
	if r := w.records(&last); len(r) != 1 || r[0].Agent.Subject != "doctor" || r[0].Agent.Role != "R1" || r[0].Agent.Organisation != "T1" {
		t.Errorf("SMART-494: the record of a member of staff is %+v, want role and organisation", r)
	}
	here, codes := func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" }, map[int]int{}
	for range 20 * limit {
		codes[w.post("/oauth/launch", nil, bearer(users), here).code]++
	}
	if codes[401] != 10*limit || codes[429] != 10*limit {
		t.Errorf("SMART-482: a user at one address: got the answers %v, want %d with a record", codes, 10*limit)
	}
}

// TestSMART482Sender: over the limit of a source, only who sends is looked up, which is one value for a token or a client that nobody has,
// and nothing is written. So a client at the same address, which another one's failures must not block, is served (SMART-482, 483).
func TestSMART482Sender(t *testing.T) {
	const limit = 3
	seen := &working{}
	w := openWorld(t, func(clock func() time.Time) engine {
		seen.engine = storetest.NewReference(clock)
		return seen
	}, 1, func(c *smart.Config) { c.Failures = limit })
	here := func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" }
	token := w.backend("ehr", "__launch __introspect")
	for name, c := range map[string]struct {
		send func() answer
		want string
	}{
		"introspection": {func() answer {
			return w.post("/oauth/introspect", url.Values{"token": {"x"}}, here, bearer(secret.New(secret.AccessToken)))
		}, "lookup smart/at"},
		"a launch": {func() answer { return w.post("/oauth/launch", nil, here, bearer(secret.New(secret.AccessToken))) }, "lookup smart/at"},
		"a request for a token": {func() answer {
			return w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {secret.New(secret.AccessToken)}}, here)
		}, "lookup smart/client"},
	} {
		over := 0
		for range 20 * limit {
			seen.taken()
			a, calls := c.send(), ""
			if calls = seen.taken(); a.code != 429 {
				continue
			}
			if over++; calls != c.want {
				t.Errorf("SMART-482: %s over the limit of its source has the calls %q, want %q", name, calls, c.want)
			}
		}
		if over == 0 {
			t.Errorf("SMART-482: %s: there is no limit of a source", name)
		}
	}
	if a := w.post("/oauth/introspect", url.Values{"token": {"x"}}, here, bearer(token)); a.code != 200 {
		t.Errorf("SMART-483: introspection by a client at the address: got %d %s", a.code, a.text)
	}
	form, _ := w.as("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}})
	if a := w.post("/oauth/token", form, here); a.code != 200 {
		t.Errorf("SMART-483: a client at the address: got %d %s", a.code, a.text)
	}
}

// TestSMART482Basic: failures of HTTP Basic count for the client whose secret is compared: what names another one, or none, is refused
// before a secret is compared.
func TestSMART482Basic(t *testing.T) {
	const limit, sent = 3, 25
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = limit })
	here := func(r *http.Request) { r.RemoteAddr = "198.51.100.7:9" }
	ask := func(before, value, after string) answer {
		return w.post("/oauth/revoke", url.Values{"token": {"x"}, "client_id": {w.ids["secret"]}}, here, func(r *http.Request) {
			r.Header.Set("Authorization", before+base64.StdEncoding.EncodeToString([]byte(w.ids["secret"]+":"+value))+after)
		})
	}
	for _, c := range [][2]string{{"Basic  ", ""}, {"Basic\t", ""}, {"Basic \t", ""}, {"Basic ", " "}} {
		w.now = w.now.Add(time.Minute)
		if got := ask(c[0], w.secrets["secret"], c[1]); got.code != 401 || got.str("error") != "invalid_client" {
			t.Errorf("SMART-482: %q before and %q after the credentials: got %d %s", c[0], c[1], got.code, got.text)
		}
	}
	w.now = w.now.Add(time.Minute)
	for _, before := range []string{"Basic ", "basic ", "BASIC "} {
		if got := ask(before, w.secrets["secret"], ""); got.code != 200 {
			t.Errorf("SMART-317: %q before the credentials: got %d %s", before, got.code, got.text)
		}
	}
	codes := map[int]int{}
	for n := range sent {
		codes[w.post("/oauth/revoke", url.Values{"token": {"x"}, "client_id": {fmt.Sprint("app-", n)}}, here, func(r *http.Request) {
			r.SetBasicAuth(strings.Replace(w.ids["secret"], "-", []string{"-", "%2d", "%2D"}[n%3], 1), "wrong")
		}).code]++
	}
	if codes[401] != limit || codes[429] != sent-limit {
		t.Errorf("SMART-482: got the answers %v, want %d of 401 and the others 429", codes, limit)
	}
}
