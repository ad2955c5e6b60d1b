package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func keySet(t *testing.T, kids ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, kid := range kids {
		key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: kid})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// publisher serves a key set and counts the fetches.
type publisher struct {
	*httptest.Server
	body    []byte
	control string
	status  int
	fetches atomic.Int64
}

func publish(t *testing.T, body []byte) *publisher {
	p := &publisher{body: body, status: 200}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		if r.Header.Get("Accept") != "application/json" {
			t.Errorf("SMART-335: got Accept %q", r.Header.Get("Accept"))
		}
		if p.control != "" {
			w.Header().Set("Cache-Control", p.control)
		}
		if p.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(p.status)
		w.Write(p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

// TestCache: a set is used as long as its client allows and never longer (SMART-336, 338).
func TestCache(t *testing.T) {
	for name, c := range map[string]struct {
		control string
		keeps   time.Duration
	}{
		"no header": {"", 5 * time.Minute}, "max-age": {"max-age=60", time.Minute}, "a long max-age": {"public, max-age=864000", time.Hour}, "no-store": {"no-store", 0},
		"no-cache": {"max-age=60, no-cache", 0}, "max-age=0": {"max-age=0", 0}, "nonsense": {"max-age=soon", 0}, "another directive": {"public", 5 * time.Minute},
	} {
		p := publish(t, keySet(t, "a"))
		p.control = c.control
		now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		cache := &Cache{HTTP: NewClient(true), Loopback: true, Clock: func() time.Time { return now }}
		ask := func(kid string, want int, fetches int64, what string) {
			t.Helper()
			keys, err := cache.Keys(t.Context(), p.URL, kid)
			if err != nil || len(keys) != want || p.fetches.Load() != fetches {
				t.Errorf("SMART-336: %s: %s: got %d keys, %v, after %d fetches; want %d after %d", name, what, len(keys), err, p.fetches.Load(), want, fetches)
			}
		}
		ask("a", 1, 1, "first")
		if c.keeps == 0 {
			ask("a", 1, 2, "again")
			continue
		}
		now = now.Add(c.keeps - time.Second)
		ask("a", 1, 1, "at the end of its time")
		now = now.Add(time.Second)
		ask("a", 1, 2, "after its time")
		p.body = keySet(t, "b")
		ask("b", 0, 2, "a new kid at once")
		now = now.Add(10 * time.Second)
		ask("b", 1, 3, "SMART-338: a new kid ten seconds later")
		ask("a", 0, 3, "SMART-338: the old kid")
		now = now.Add(c.keeps)
		p.status = 500
		if keys, err := cache.Keys(t.Context(), p.URL, "b"); err == nil || keys != nil {
			t.Errorf("SMART-336: %s: past its time, with a failing fetch: got %d keys", name, len(keys))
		}
	}
}

// TestFetchRefused: what a URL of keys must not do (SMART-335, SMART-T25).
func TestFetchRefused(t *testing.T) {
	good := keySet(t, "a")
	for name, c := range map[string]struct {
		change func(*publisher)
	}{
		"a redirect":          {func(p *publisher) { p.status = 302 }},
		"a long answer":       {func(p *publisher) { p.body = append(good, strings.Repeat(" ", 300<<10)...) }},
		"an error":            {func(p *publisher) { p.status = 404 }},
		"no key set":          {func(p *publisher) { p.body = []byte("<html>") }},
		"a symmetric key":     {func(p *publisher) { p.body = []byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`) }},
		"a server that ended": {func(p *publisher) { p.Close() }},
		"two keys of one kid": {func(p *publisher) { p.body = keySet(t, "a", "a") }},
		"no keys in the set":  {func(p *publisher) { p.body = []byte(`{"keys":[]}`) }},
		"a compressed answer": {func(p *publisher) { p.body = []byte("\x1f\x8b\x08\x00") }},
	} {
		p := publish(t, good)
		c.change(p)
		cache := &Cache{HTTP: NewClient(true), Loopback: true, Clock: time.Now}
		if keys, err := cache.Keys(t.Context(), p.URL, "a"); err == nil {
			t.Errorf("T25: %s: got %d keys", name, len(keys))
		}
	}
	p := publish(t, good)
	for name, cache := range map[string]*Cache{
		"http":                      {HTTP: NewClient(true), Clock: time.Now},
		"the machine's own address": {HTTP: NewClient(false), Loopback: true, Clock: time.Now},
	} {
		if _, err := cache.Keys(t.Context(), p.URL, "a"); err == nil || p.fetches.Load() > 0 {
			t.Errorf("T25: %s: got %v after %d fetches", name, err, p.fetches.Load())
		}
	}
}

// TestSlowKeys: an answer that never ends, and one that never begins, end after the time of a fetch (SMART-335, SMART-T25).
func TestSlowKeys(t *testing.T) {
	t.Parallel()
	for name, endless := range map[string]bool{"a byte at a time": true, "nothing": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for endless {
					if _, err := w.Write([]byte(" ")); err != nil {
						return
					}
					w.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
						return
					case <-time.After(50 * time.Millisecond):
					}
				}
				<-r.Context().Done()
			}))
			s.Start()
			defer s.Close()
			cache := &Cache{HTTP: NewClient(true), Loopback: true, Clock: time.Now}
			if keys, err := cache.Keys(t.Context(), s.URL, "a"); err == nil {
				t.Errorf("got %d keys", len(keys))
			}
		})
	}
}

// TestAddresses: only public addresses are dialled (SMART-335, SMART-T25).
func TestAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"8.8.8.8": true, "[2a00:1450::1]": true, "127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"[::1]": false, "[::ffff:127.0.0.1]": false, "[::ffff:10.0.0.1]": false, "[fe80::1]": false, "[fc00::1]": false, "0.0.0.0": false, "[::]": false, "100.64.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "[64:ff9b::7f00:1]": false, "[2002:7f00:1::]": false, "198.18.0.1": false, "localhost": false,
	} {
		if err := checkAddress(fmt.Sprintf("%s:443", address), false); (err == nil) != ok {
			t.Errorf("SMART-335: %s: got %v", address, err)
		}
	}
	if checkAddress("127.0.0.1:80", true) != nil || checkAddress("10.0.0.1:80", true) == nil {
		t.Error("SMART-335: a server on loopback may fetch from loopback, and from no private network")
	}
}
