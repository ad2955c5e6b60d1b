package smart

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/secret"
	"carerecord/store"
	"carerecord/store/storetest"
)

// working is an engine that notes the calls of State, of the log and of commits, by the kind of the key.
type working struct {
	engine
	mu    sync.Mutex
	calls []string
}

func (w *working) note(call, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		key = key[:i]
	}
	w.calls = append(w.calls, strings.TrimSpace(call+" "+key))
}

// taken returns the calls since the last time.
func (w *working) taken() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := strings.Join(w.calls, ", ")
	w.calls = nil
	return out
}

func (w *working) Lookup(ctx context.Context, key string) ([]byte, error) {
	w.note("lookup", key)
	return w.engine.Lookup(ctx, key)
}

func (w *working) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	w.note("insert", key)
	return w.engine.Insert(ctx, key, value, expires)
}

func (w *working) Take(ctx context.Context, key string) ([]byte, error) {
	w.note("take", key)
	return w.engine.Take(ctx, key)
}

func (w *working) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	w.note("values", prefix)
	return w.engine.Values(ctx, prefix)
}

func (w *working) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	w.note("record", "")
	return w.engine.Append(ctx, payloads...)
}

func (w *working) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	w.note("commit", "")
	return w.engine.Commit(ctx, b)
}

// guess is two requests that a guesser must not tell apart: of what does not exist, and of what exists and is wrong.
type guess struct {
	name           string
	unknown, wrong func() answer
}

func (w *world) guesses() []guess {
	credentials := url.Values{"grant_type": {"client_credentials"}}
	basic := func(path, id, value string) func() answer {
		return func() answer {
			return w.post(path, credentials, func(r *http.Request) { r.SetBasicAuth(id, value) })
		}
	}
	well := secret.New(secret.ClientSecret)
	var out []guess
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke"} {
		for name, id := range map[string]string{"a wrong secret": w.ids["secret"], "a public client with a secret": w.ids["app"], "a signing client with a secret": w.ids["signer"], "a suspended client": w.ids["suspended"]} {
			out = append(out, guess{path + ": " + name, basic(path, "app-00000000", well), basic(path, id, well)})
		}
		out = append(out, guess{path + ": a short secret", basic(path, "app-00000000", "x"), basic(path, w.ids["secret"], "x")})
	}
	expired := func(k secret.Kind, form url.Values, field string, path string) guess {
		send := func(value string) func() answer {
			return func() answer {
				f := url.Values{field: {value}, "client_id": {w.ids["app"]}}
				for name, values := range form {
					f[name] = values
				}
				return w.post(path, f)
			}
		}
		return guess{path + ": " + string(k), send(secret.New(k)), send(w.secrets[string(k)])}
	}
	code := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	handle := func(value string) func() answer {
		return func() answer {
			params := w.authorization("clinical", "launch patient/*.rs")
			params.Set("launch", value)
			return read(w.do(w.request("GET", site+"/oauth/authorize?"+params.Encode(), "")))
		}
	}
	return append(out, expired(secret.Code, code, "code", "/oauth/token"), expired(secret.RefreshToken, url.Values{"grant_type": {"refresh_token"}}, "refresh_token", "/oauth/token"),
		expired(secret.AccessToken, nil, "token", "/oauth/revoke"), expired(secret.RefreshToken, nil, "token", "/oauth/revoke"),
		guess{"a launch handle", handle(secret.New(secret.LaunchHandle)), handle(w.secrets[string(secret.LaunchHandle)])})
}

// TestSMARTT35: an unknown client and a wrong secret, and a code, a token and a handle that never existed and one that has ended, have the
// same answer, byte for byte, and the same work: look-ups, audit records, commits (SMART-319, 320, SMART-T35). In a soak the
// time is compared too.
func TestSMARTT35(t *testing.T) {
	seen := &working{}
	w := openWorld(t, func(clock func() time.Time) engine {
		seen.engine = storetest.NewReference(clock)
		return seen
	}, 1, func(c *smart.Config) { c.Failures = 0 })
	w.spend()
	for _, g := range w.guesses() {
		seen.taken()
		unknown := g.unknown()
		want := seen.taken()
		wrong := g.wrong()
		if got := seen.taken(); got != want {
			t.Errorf("SMART-T35: %s\nworks: %s\nunknown: %s", g.name, got, want)
		}
		if got, want := statusAndText(wrong), statusAndText(unknown); got != want {
			t.Errorf("SMART-T35: %s\nis answered %s\nunknown:    %s", g.name, got, want)
		}
		if unknown.code < 300 && !strings.HasPrefix(g.name, "/oauth/revoke") {
			t.Errorf("SMART-T35: %s: got %d", g.name, unknown.code)
		}
		if os.Getenv("CARERECORD_SOAK") != "" {
			g.timed(t)
		}
	}
}

// TestSecretsTakeTheSame: a secret is compared as often for a client that has none, one or two (SMART-319, SMART-T35).
func TestSecretsTakeTheSame(t *testing.T) {
	w := newWorld(t, nil, 1)
	one, err := w.smart[0].Clients.Get(t.Context(), w.ids["secret"])
	w.must(err)
	two := *one
	two.Secrets = append(two.Secrets[:1:1], two.Secrets[0])
	work := func(c *clients.Client) float64 {
		return testing.AllocsPerRun(100, func() { w.smart[0].Clients.HasSecret(c, "cr_cs_x") })
	}
	if none, one, two := work(&clients.Client{}), work(one), work(&two); none != one || one != two || none == 0 {
		t.Errorf("SMART-319: allocations of a comparison with none, one and two secrets: %v, %v, %v", none, one, two)
	}
}

// spend makes a code, a refresh token, an access token and a launch handle that have ended, and a client that is suspended.
func (w *world) spend() {
	w.Helper()
	code := w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code")
	a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	w.secrets[string(secret.Code)], w.secrets[string(secret.RefreshToken)], w.secrets[string(secret.AccessToken)] = code, a.str("refresh_token"), a.str("access_token")
	announced := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor"})
	w.secrets[string(secret.LaunchHandle)] = announced.str("launch")
	added, err := w.smart[0].Clients.Add(w.Context(), "ann", clients.Client{Name: "Suspended", Kind: clients.Symmetric, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, RedirectURIs: []string{redirect}})
	w.must(err)
	_, err = w.smart[0].Clients.Approve(w.Context(), "bob", added.ID, added.Digest())
	w.must(err)
	_, err = w.smart[0].Clients.Suspend(w.Context(), "ann", added.ID)
	w.must(err)
	w.ids["suspended"] = added.ID
	for name, value := range w.secrets {
		if value == "" {
			w.Fatalf("there is no %s", name)
		}
	}
	w.now = w.now.AddDate(2, 0, 0)
}

// statusAndText is what a guesser sees of an answer, without the request id and what the browser sent.
func statusAndText(a answer) string {
	h := a.header.Clone()
	h.Del("X-Request-Id")
	h.Del("Set-Cookie")
	return fmt.Sprintln(a.code, h, strings.ReplaceAll(a.text, a.header.Get("X-Request-Id"), ""))
}

// timed compares the times of the two requests: the probability that one takes longer is about one half.
func (g guess) timed(t *testing.T) {
	share := g.unknownLonger(1500)
	if share < 0.4 || share > 0.6 { // by chance, or while another test was busy: more samples decide
		share = g.unknownLonger(4500)
	}
	t.Logf("SMART-T35: %s: the unknown takes longer in %.3f", g.name, share)
	if share < 0.4 || share > 0.6 {
		t.Errorf("SMART-T35: %s: the unknown takes longer in %.3f, want 0.4 to 0.6", g.name, share)
	}
}

// unknownLonger sends the two requests in random order, and returns the share of pairs in which the unknown one took longer.
func (g guess) unknownLonger(samples int) float64 {
	var times [2][]time.Duration
	for len(times[0]) < samples || len(times[1]) < samples {
		which := rand.IntN(2)
		began := time.Now()
		[]func() answer{g.unknown, g.wrong}[which]()
		times[which] = append(times[which], time.Since(began))
	}
	longer := 0
	for _, x := range times[0] {
		for _, y := range times[1] {
			if x > y {
				longer++
			}
		}
	}
	return float64(longer) / float64(len(times[0])*len(times[1]))
}
