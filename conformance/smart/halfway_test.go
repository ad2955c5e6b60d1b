package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart"
	"carerecord/interop/smart/clients"
	"carerecord/store"
	"carerecord/store/storetest"
)

// halfway is an engine of which one part answers some calls and then no more.
type halfway struct {
	engine
	mu   sync.Mutex
	part string // state, log, record
	left int    // calls that are answered still
	slow bool   // then nothing is answered until the request has ended
}

// answers lets a part answer some calls; "" ends it.
func (h *halfway) answers(part string, calls int, slow bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.part, h.left, h.slow = part, calls, slow
}

// call counts a call of a part and returns its error.
func (h *halfway) call(ctx context.Context, part string) error {
	h.mu.Lock()
	fails := h.part == part && h.left <= 0
	if h.part == part {
		h.left--
	}
	slow := h.slow
	h.mu.Unlock()
	switch {
	case fails && slow:
		<-ctx.Done()
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	case fails:
		return store.ErrUnavailable
	}
	return nil
}

func (h *halfway) Lookup(ctx context.Context, key string) ([]byte, error) {
	if err := h.call(ctx, "state"); err != nil {
		return nil, err
	}
	return h.engine.Lookup(ctx, key)
}

func (h *halfway) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	if err := h.call(ctx, "state"); err != nil {
		return err
	}
	return h.engine.Insert(ctx, key, value, expires)
}

func (h *halfway) Take(ctx context.Context, key string) ([]byte, error) {
	if err := h.call(ctx, "state"); err != nil {
		return nil, err
	}
	return h.engine.Take(ctx, key)
}

func (h *halfway) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if err := h.call(ctx, "log"); err != nil {
		return 0, err
	}
	return h.engine.Append(ctx, payloads...)
}

// Commit implements store.Store. A log that fails here has stored the batch: the answer is lost on its way.
func (h *halfway) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if len(b.State) > 0 {
		if err := h.call(ctx, "state"); err != nil {
			return 0, err
		}
	}
	at, err := h.engine.Commit(ctx, b)
	if err == nil && len(b.Log) > 0 {
		err = h.call(ctx, "log")
	}
	return at, err
}

func (h *halfway) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if err := h.call(ctx, "record"); err != nil {
		return err
	}
	return h.engine.Read(ctx, func(s store.Snapshot) error { return f(halfSnapshot{s, h}) })
}

// halfSnapshot is a snapshot of a halfway.
type halfSnapshot struct {
	store.Snapshot
	of *halfway
}

func (s halfSnapshot) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if err := s.of.call(ctx, "record"); err != nil {
		return store.Doc{}, err
	}
	return s.Snapshot.Get(ctx, ref)
}

func (s halfSnapshot) Count(ctx context.Context, q store.Query, most int) (int, error) {
	if err := s.of.call(ctx, "record"); err != nil {
		return 0, err
	}
	return s.Snapshot.Count(ctx, q, most)
}

func (s halfSnapshot) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.each(ctx, s.Snapshot.All(ctx, refs))
}

func (s halfSnapshot) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.each(ctx, s.Snapshot.Scan(ctx, q))
}

// each fails in the middle of the rows.
func (s halfSnapshot) each(ctx context.Context, rows iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range rows {
			if wrong := s.of.call(ctx, "record"); wrong != nil {
				yield(store.Doc{}, wrong)
				return
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// TestSMARTT38Halfway: a store of tokens, an audit trail or a record that answers some calls of a request and then fails, or is slow until
// the request has ended, gives no access: the answer is 503, or a page that says so, or that of a store that answers everything (SMART-413, 496,
// SMART-T38).
func TestSMARTT38Halfway(t *testing.T) {
	var h *halfway
	w := openWorld(t, func(clock func() time.Time) engine {
		h = &halfway{engine: storetest.NewReference(clock)}
		return h
	}, 1, func(c *smart.Config) { c.Deadline, c.Epoch = 400*time.Millisecond, nil })
	reading := w.exchange("app", w.browser().journey("app", "patient/Observation.rs", "ann", "").Get("code")).str("access_token")
	whole := w.get(reading, "Observation")
	if whole.code != 200 || !strings.Contains(whole.text, `"total":2`) {
		t.Fatalf("a read: got %d %s", whole.code, whole.text)
	}
	// Each makes a request that may be sent once.
	steps := map[string]func() func() answer{
		"a read": func() func() answer { return func() answer { return w.get(reading, "Observation") } },
		"a code": func() func() answer {
			code := w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code")
			return func() answer { return w.exchange("app", code) }
		},
		"a refresh": func() func() answer {
			a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
			return func() answer {
				return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
			}
		},
		"a backend": func() func() answer {
			return func() answer {
				return w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}})
			}
		},
		"a request": func() func() answer {
			return func() answer {
				b := w.browser()
				b.open(site + "/oauth/authorize?" + w.authorization("app", "patient/*.rs").Encode())
				return b.page
			}
		},
	}
	failed := 0
	for _, part := range []string{"state", "log", "record"} {
		for name, prepare := range steps {
			for calls := range 4 {
				for _, slow := range []bool{false, true} {
					if slow && (name == "a read" || calls > 0 || part == "log" && name != "a backend") || part == "log" && calls > 1 {
						continue // the time of a read is that of the FHIR server (LIM-009); a slow log takes the five seconds of a commit
					}
					send := prepare()
					h.answers(part, calls, slow)
					got := send()
					h.answers("", 0, false)
					what := fmt.Sprintf("%s, of the %s %d calls are answered, slow %v", name, part, calls, slow)
					switch got.code {
					case http.StatusServiceUnavailable, http.StatusInternalServerError:
						if failed++; got.str("access_token") != "" || strings.Contains(got.text, "store:") || strings.Contains(got.header.Get("Location"), "code=") {
							t.Errorf("SMART-496, SMART-T38: %s: got %d %s", what, got.code, got.text)
						}
					case http.StatusOK, http.StatusSeeOther:
						if name == "a read" && !strings.Contains(got.text, `"total":2`) {
							t.Errorf("SMART-T38: %s: a part of the rows: %s", what, got.text)
						}
					default:
						t.Errorf("SMART-T38: %s: got %d %.200s", what, got.code, got.text)
					}
				}
			}
		}
	}
	if failed < 25 {
		t.Errorf("%d requests failed, want at least 25", failed)
	}
}

// TestSMARTT38Keys: while the host of a client's keys is slow, answers half, or answers something else, the client has no access; when it
// answers, it has (SMART-T38).
func TestSMARTT38Keys(t *testing.T) {
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Loopback, c.Deadline = true, 500*time.Millisecond })
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k"}}})
	w.must(err)
	half := set[:len(set)/2]
	hosts := []struct {
		name  string
		serve http.HandlerFunc
	}{
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"half a body", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", fmt.Sprint(len(set)))
			_, _ = rw.Write(half)
		}},
		{"half a set", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(half) }},
		{"half, and then slow", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = rw.Write(half)
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		}},
		{"an error with the keys", func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(http.StatusInternalServerError)
			_, _ = rw.Write(set)
		}},
		{"no keys", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, `{"keys":[]}`) }},
	}
	backend := func() answer {
		return w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}})
	}
	for _, h := range hosts {
		host := httptest.NewServer(h.serve)
		w.changeClient("loader", func(c *clients.Client) { c.Keys, c.KeysURL = nil, host.URL+"/"+url.PathEscape(h.name) })
		got := backend()
		refused := got.code == http.StatusUnauthorized && got.str("error") == "invalid_client" || got.code == http.StatusServiceUnavailable
		if !refused || got.str("access_token") != "" {
			t.Errorf("SMART-T38: the host of the keys: %s: got %d %s", h.name, got.code, got.text)
		}
		host.CloseClientConnections()
		host.Close()
	}
	host := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(set) }))
	defer host.Close()
	w.changeClient("loader", func(c *clients.Client) { c.Keys, c.KeysURL = nil, host.URL })
	if got := backend(); got.code != http.StatusOK {
		t.Errorf("SMART-T38: when the host answers: got %d %s", got.code, got.text)
	}
}
