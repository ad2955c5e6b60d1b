package smart

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/fhir"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestSMARTT03: what may not be a redirect URI, a launch URL, an origin or a URL of keys is refused by the registry itself, whoever asks
// (SMART-056, SMART-T03).
func TestSMARTT03(t *testing.T) {
	w := newWorld(t, nil, 1)
	app, err := w.smart[0].Clients.Get(t.Context(), w.ids["app"])
	w.must(err)
	signer, err := w.smart[0].Clients.Get(t.Context(), w.ids["signer"])
	w.must(err)
	for _, uri := range []string{"http://app.example/back", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "https://*.app.example/back", "https://app.*/back", "app:/back", "app", "file:///etc/passwd",
		"//app.example/back", "https://me@app.example/", "https://app.example/#x", "https://app.example\\@evil.example/", "blob:https://app.example/x", "vbscript:x", "about:blank"} {
		for field, change := range map[string]func(*clients.Client){
			"redirect URI": func(c *clients.Client) { c.RedirectURIs = append(c.RedirectURIs, uri) }, "launch URL": func(c *clients.Client) { c.LaunchURLs = []string{uri} },
			"origin": func(c *clients.Client) { c.Origins = []string{uri} }, "URL of keys": func(c *clients.Client) { c.Keys, c.KeysURL = nil, uri },
		} {
			c := *app
			if field == "URL of keys" {
				c = *signer
			}
			change(&c)
			if _, err := w.smart[0].Clients.Add(t.Context(), "ann", c); !errors.Is(err, clients.ErrRefused) {
				t.Errorf("SMART-T03: %s %q as a new client: got %v", field, uri, err)
			}
			if _, err := w.smart[0].Clients.Change(t.Context(), "ann", c.ID, c); !errors.Is(err, clients.ErrRefused) {
				t.Errorf("SMART-T03: %s %q as a change: got %v", field, uri, err)
			}
		}
	}
}

// TestSMARTT20: a token of a backend is no user: it gives nothing of a user anywhere, also where the id of the client is written like a
// user's, and no client chooses its id (SMART-053, 364, SMART-T20).
func TestSMARTT20(t *testing.T) {
	w := newWorld(t, nil, 1)
	a := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}, "user": {"doctor"}, "sub": {"900000000102"}, "fhirUser": {"Practitioner/t1.doctor"}})
	if a.code != 200 || a.str("id_token")+a.str("refresh_token")+a.str("patient")+a.str("fhirUser") != "" {
		t.Fatalf("SMART-364, SMART-T20: got %d %s", a.code, a.text)
	}
	described := w.post("/oauth/introspect", url.Values{"token": {a.str("access_token")}}, bearer(w.backend("ehr", "__introspect")))
	for _, member := range []string{"sub", "fhirUser", "patient", "iss"} {
		if described.body["active"] != true || described.body[member] != nil {
			t.Errorf("SMART-T20: introspection of a backend's token tells %s: %s", member, described.text)
		}
	}
	for _, scope := range []string{"user/*.rs", "patient/*.rs", "openid", "openid fhirUser system/*.rs", "launch/patient system/*.rs", "offline_access system/*.rs", "__clients", "__operations"} {
		if got := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}); got.str("error") != "invalid_scope" {
			t.Errorf("SMART-T20: a backend asks for %q: got %d %s", scope, got.code, got.text)
		}
	}
	for _, path := range []string{"/my/apps", "/my/sessions"} {
		r := w.request("GET", site+path, "")
		r.Header.Set("Authorization", "Bearer "+a.str("access_token"))
		if got := read(w.do(r)); got.code == 200 {
			t.Errorf("SMART-T20: %s with a backend's token: got %d", path, got.code)
		}
	}
	for _, id := range []string{"900000000102", "doctor", "ann", w.ids["app"], "feed"} {
		c := clients.Client{ID: id, Name: "Chosen", Kind: clients.Backend, Organisation: "T1", Scopes: "system/*.rs", Purposes: []string{"TREAT"}}
		added, err := w.smart[0].Clients.Add(t.Context(), "ann", c)
		w.must(err)
		if added.ID == id || !strings.HasPrefix(added.ID, "app-") {
			t.Errorf("SMART-053, SMART-T20: the id %q was chosen: got %s", id, added.ID)
		}
		if _, err := w.smart[0].Clients.Restore(t.Context(), "ann", c); !errors.Is(err, clients.ErrRefused) {
			t.Errorf("SMART-053, SMART-T20: the id %q was imported: %v", id, err)
		}
	}
	for _, p := range w.policy.People {
		if strings.HasPrefix(p.User, "app-") || strings.HasPrefix(p.Subject, "app-") {
			t.Errorf("SMART-053: the user %s is in the name space of clients", p.User)
		}
	}
}

// partly is an engine of which parts do not answer.
type partly struct {
	engine
	mu   sync.Mutex
	down map[string]bool // state, log, record
	slow map[string]bool // the same; they answer when the request has ended
}

func (p *partly) set(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = map[string]bool{}
	for _, part := range parts {
		p.down[part] = true
	}
}

// slowed makes one part slow; none for "".
func (p *partly) slowed(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = map[string]bool{part: true}
}

// fails returns the error of a part that does not answer, at once or when the request has ended.
func (p *partly) fails(ctx context.Context, part string) error {
	p.mu.Lock()
	down, slow := p.down[part], p.slow[part]
	p.mu.Unlock()
	if slow {
		<-ctx.Done()
		return ctx.Err()
	}
	if down {
		return store.ErrUnavailable
	}
	return nil
}

func (p *partly) Lookup(ctx context.Context, key string) ([]byte, error) {
	if err := p.fails(ctx, "state"); err != nil {
		return nil, err
	}
	return p.engine.Lookup(ctx, key)
}

func (p *partly) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := p.fails(ctx, "state"); err != nil {
		return err
	}
	return p.engine.Insert(ctx, key, value, expires)
}

func (p *partly) Swap(ctx context.Context, key string, old, value []byte, expires time.Time) error {
	if err := p.fails(ctx, "state"); err != nil {
		return err
	}
	return p.engine.Swap(ctx, key, old, value, expires)
}

func (p *partly) Take(ctx context.Context, key string) ([]byte, error) {
	if err := p.fails(ctx, "state"); err != nil {
		return nil, err
	}
	return p.engine.Take(ctx, key)
}

func (p *partly) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	err := p.fails(ctx, "state")
	if err == nil {
		return p.engine.Values(ctx, prefix)
	}
	return func(yield func(store.StateValue, error) bool) { // the first value, and then nothing more
		for v, wrong := range p.engine.Values(ctx, prefix) {
			if !yield(v, wrong) {
				return
			}
			break
		}
		yield(store.StateValue{}, err)
	}
}

func (p *partly) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if err := p.fails(ctx, "log"); err != nil {
		return 0, err
	}
	return p.engine.Append(ctx, payloads...)
}

func (p *partly) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if len(b.Log) > 0 && p.fails(ctx, "log") != nil || len(b.State) > 0 && p.fails(ctx, "state") != nil {
		return 0, store.ErrUnavailable
	}
	return p.engine.Commit(ctx, b)
}

func (p *partly) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if err := p.fails(ctx, "record"); err != nil {
		return err
	}
	return p.engine.Read(ctx, f)
}

// TestSMARTT38: while the store of tokens, the audit trail, the record or the host of a client's keys does not answer, in time or at all, nobody gets access: the
// answer is 503, a page that says so, or a refusal (SMART-413, 496, SMART-T38).
func TestSMARTT38(t *testing.T) {
	var p *partly
	w := openWorld(t, func(clock func() time.Time) engine {
		p = &partly{engine: storetest.NewReference(clock)}
		return p
	}, 1, func(c *smart.Config) { c.Deadline, c.Epoch = 200*time.Millisecond, nil })
	b := w.browser()
	a := w.exchange("app", b.journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	revoked := w.exchange("app", w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code"))
	signed := w.browserOf("bob") // who has granted nothing: there is a consent page
	consent := signed.forms()["decision"]
	if consent.action == "" {
		t.Fatalf("there is no consent page: %d %s %s", signed.page.code, signed.at, signed.page.text)
	}
	code := w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
	steps := map[string]func() answer{
		"a read": func() answer { return w.get(a.str("access_token"), "Observation") },
		"a refresh": func() answer {
			return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
		},
		"a code": func() answer { return w.exchange("app", code) },
		"a backend": func() answer {
			return w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}})
		},
		"a request": func() answer {
			x := w.browser()
			x.open(site + "/oauth/authorize?" + w.authorization("app", "patient/*.rs").Encode())
			return x.page
		},
		"a decision": func() answer {
			signed.send(consent, url.Values{"decision": {"allow"}, "group": {"Observation"}, "category": consent.offers["category"]})
			return signed.page
		},
		"the apps": func() answer { b.open(site + "/my/apps"); return b.page },
		"revocation": func() answer {
			f, c := w.as("app", url.Values{"token": {revoked.str("access_token")}})
			return w.post("/oauth/revoke", f, c)
		},
		"introspection": func() answer {
			f, c := w.as("secret", url.Values{"token": {a.str("access_token")}})
			return w.post("/oauth/introspect", f, c)
		},
	}
	without := map[string][]string{ // what a step does not need, so that it is answered
		"record": {"a backend", "revocation", "introspection", "a code", "a request"},
		"log":    {"a request", "the apps", "introspection"},
	}
	for _, part := range []string{"state", "log", "record"} {
		for name, step := range steps {
			p.set(part)
			got := step()
			p.set()
			if needs := !slices.Contains(without[part], name); needs && got.code != http.StatusServiceUnavailable && got.code != http.StatusInternalServerError {
				t.Errorf("SMART-T38: %s without the %s: got %d %.200s", name, part, got.code, got.text)
			}
			if part != "record" && (got.str("access_token") != "" || strings.Contains(got.header.Get("Location"), "code=")) {
				t.Errorf("SMART-496, SMART-T38: %s without the %s gives access: %s", name, part, got.text)
			}
			if strings.Contains(got.text, "store:") {
				t.Errorf("SMART-481: %s without the %s tells of the store: %s", name, part, got.text)
			}
		}
		code = w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")
		signed = w.browserOf("bob")
		if consent = signed.forms()["decision"]; consent.action == "" {
			t.Fatalf("%s: there is no consent page: %d %s %s", part, signed.page.code, signed.at, signed.page.text)
		}
		revoked = w.exchange("app", w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code"))
		a = w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	}
	for _, part := range []string{"state", "record"} {
		for name, step := range steps {
			if name == "a read" || slices.Contains(without[part], name) {
				continue // the time of a read is that of the FHIR server (LIM-009)
			}
			p.slowed(part)
			got := step()
			p.slowed("")
			if got.code != http.StatusServiceUnavailable && got.code != http.StatusInternalServerError || got.str("access_token") != "" {
				t.Errorf("SMART-T38: %s with a slow %s: got %d %.200s", name, part, got.code, got.text)
			}
		}
		a = w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
		signed = w.browserOf("bob")
		consent = signed.forms()["decision"]
	}
	p.slowed("state")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	_, err := w.smart[0].Verify(ctx, http.Header{"Authorization": {"Bearer " + a.str("access_token")}}, "")
	cancel()
	p.slowed("")
	if e, ok := fhir.AsError(err); !ok || e.Status != http.StatusServiceUnavailable {
		t.Errorf("SMART-T38: a token while the store is slow: got %v", err)
	}
	if got := steps["a read"](); got.code != 200 {
		t.Errorf("SMART-T38: when all parts answer again: got %d %s", got.code, got.text)
	}
	host := httptest.NewServer(http.NotFoundHandler())
	host.Close() // nothing listens there any more
	w.changeClient("signer", func(c *clients.Client) {
		c.Keys, c.KeysURL = nil, strings.Replace(host.URL, "http://", "https://", 1)+"/keys"
	})
	if got := w.token("signer", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}}); got.code != 401 || got.str("error") != "invalid_client" {
		t.Errorf("SMART-T38: the host of the keys is down: got %d %s", got.code, got.text)
	}
}
