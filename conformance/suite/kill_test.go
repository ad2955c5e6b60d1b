package suite

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/store/mongo/mongotest"
)

// soak is by how much long tests are longer: CARERECORD_SOAK, else 1.
func soak(t *testing.T) int {
	text := os.Getenv("CARERECORD_SOAK")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CARERECORD_SOAK is a whole number from 1 on, not %q", text)
	}
	return n
}

// kills is how often the server is killed on each engine: five times, and
// twenty in a soak of ten.
func kills(t *testing.T) int { return max(5, 2*soak(t)) }

// writers load at the same time, each its own patients.
const writers = 4

// TestKilledInALoad kills the server with kill -9 in the middle of a load of transactions, several times, on
// both engines (REST-221, design laws 6 and 7). After each restart everything acknowledged is there, byte for
// byte; a bundle without an answer is stored whole or not at all; the index equals a rebuild, and the audit
// trail verifies.
func TestKilledInALoad(t *testing.T) {
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); killInALoad(t, onPebble(t)) })
	t.Run("mongo", func(t *testing.T) { // on a server of its own: transactions of the killed stay open there
		t.Parallel()
		killInALoad(t, onServer(t, mongotest.StartOwn(t)), "--lease", lease.String())
	})
}

func killInALoad(t *testing.T, s *server, args ...string) {
	// The address of the site is part of keys, and the port is another each time.
	args = append(args, "--demo", "--public-url", "http://record.test")
	s.start(args...)
	s.token(feed)
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{name: fmt.Sprintf("xac01.w%d", i)}
	}
	unanswered, found, began := 0, 0, time.Now()
	for round := range kills(t) {
		s.loadUntilKilled(t, all, 3+rand.IntN(20))
		for _, command := range [][]string{{"verify"}, {"audit", "verify"}} {
			if out, err := s.run(command...); err != nil {
				t.Fatalf("kill %d: %v: %v\n%s\nits output:\n%s", round+1, command, err, out, s.output)
			}
		}
		s.start(args...)
		for _, w := range all {
			if w.sent > w.done {
				unanswered++
				found += w.settle(t, s)
			}
			w.check(t, s)
			w.sent = w.done // unstored bundles are sent again
		}
		if t.Failed() {
			return
		}
	}
	s.stop()
	stand := 0
	for _, w := range all {
		stand += w.done
	}
	t.Logf("%d kills in %.1f s: %d bundles are stored; %d were in flight when the server was killed, %d of them stored", kills(t), time.Since(began).Seconds(), stand, unanswered, found)
	if unanswered == 0 {
		t.Error("no kill met a load: no bundle was in flight")
	}
}

// writer loads bundles one after the other. Bundle n writes a Patient and
// Observations, changes a resource of the writer's to n, and deletes the last
// Observation of bundle n-1.
type writer struct {
	name string
	sent int // bundles that were sent
	done int // bundles that were acknowledged, or found after a kill
}

// observations is how many a bundle writes.
const observations = 8

func (w *writer) patient(n int) string { return fmt.Sprintf("Patient/%s.p%d", w.name, n) }
func (w *writer) observation(n, i int) string {
	return fmt.Sprintf("Observation/%s.o%d.%d", w.name, n, i)
}
func (w *writer) counter() string { return "Basic/" + w.name }

// bodies are the resources of bundle n by their addresses.
func (w *writer) bodies(n int) map[string]string {
	id := func(path string) string { _, id, _ := strings.Cut(path, "/"); return id }
	out := map[string]string{
		w.patient(n): fmt.Sprintf(`{"resourceType":"Patient","id":"%s","name":[{"family":"K\u00e4lte %d"}],"_birthDate":{"extension":[{"url":"x","valueDecimal":1.00}]}}`, id(w.patient(n)), n),
		w.counter():  fmt.Sprintf(`{"resourceType":"Basic","id":"%s","code":{"text":"%d"}}`, w.name, n),
	}
	for i := range observations {
		path := w.observation(n, i)
		out[path] = fmt.Sprintf(`{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"k-%d"}]},`+
			`"subject":{"reference":"%s"},"effectiveDateTime":"2026-05-0%d","valueQuantity":{"value":%d.50,"unit":"kg"}}`, id(path), i, w.patient(n), i+1, n)
	}
	return out
}

func (w *writer) bundle(n int) string {
	var entries []string
	for path, body := range w.bodies(n) {
		entries = append(entries, fmt.Sprintf(`{"fullUrl":"http://record.test/fhir/%s","resource":%s,"request":{"method":"PUT","url":"%[1]s"}}`, path, body))
	}
	if n > 1 {
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"DELETE","url":"%s"}}`, w.observation(n-1, observations-1)))
	}
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

// loadUntilKilled lets every writer load, and kills the server when so many
// bundles were acknowledged. It returns when the last writer noticed.
func (s *server) loadUntilKilled(t *testing.T, all []*writer, bundles int) {
	t.Helper()
	var acknowledged atomic.Int64
	enough := make(chan struct{})
	var once sync.Once
	var group sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for _, w := range all {
		group.Go(func() {
			for {
				w.sent++
				status, answer, err := s.post(client, w.bundle(w.sent))
				if err != nil {
					return // killed: whether the bundle is stored is not known
				}
				if status != http.StatusOK {
					t.Errorf("a bundle: got %d %s", status, answer)
					once.Do(func() { close(enough) })
					return
				}
				w.done = w.sent
				if acknowledged.Add(1) >= int64(bundles) {
					once.Do(func() { close(enough) })
				}
			}
		})
	}
	<-enough
	<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond) // a moment anywhere in a bundle
	s.kill()
	group.Wait()
}

// post sends a bundle as the source system. The error says that no answer came.
func (s *server) post(client *http.Client, bundle string) (int, []byte, error) {
	q, err := http.NewRequest(http.MethodPost, s.base, bytes.NewReader([]byte(bundle)))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Content-Type", "application/fhir+json")
	q.Header.Set("Authorization", "Bearer "+s.tokens[feed])
	resp, err := client.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// settle finds out whether the bundle in flight was stored, and counts it.
func (w *writer) settle(t *testing.T, s *server) int {
	t.Helper()
	switch r := s.get(feed, w.patient(w.sent)); r.status {
	case http.StatusOK:
		w.done = w.sent
		return 1
	case http.StatusNotFound:
	default:
		t.Errorf("%s: got %d %s", w.patient(w.sent), r.status, r.body)
	}
	return 0
}

// check reads everything that the writer ever sent.
func (w *writer) check(t *testing.T, s *server) {
	t.Helper()
	for n := 1; n <= w.sent; n++ {
		for path, body := range w.bodies(n) {
			if path == w.counter() {
				continue
			}
			r := s.get(feed, path)
			switch {
			case n > w.done:
				want(t, "an entry of a bundle that is not stored: "+path, r, 404, "not-found")
			case path == w.observation(n, observations-1) && n < w.done:
				want(t, "deleted by the next bundle: "+path, r, 410, "deleted")
			default:
				checkStored(t, r, path, body, 1)
			}
		}
	}
	if w.done > 0 {
		checkStored(t, s.get(feed, w.counter()), w.counter(), w.bodies(w.done)[w.counter()], w.done)
	}
	rows := s.get(feed, "Observation?_summary=count&patient="+w.patient(max(w.done, 1))).get("total").Int()
	if wanted := int64(min(w.done, 1) * observations); rows != wanted {
		t.Errorf("a search finds %d Observations of %s, want %d", rows, w.patient(w.done), wanted)
	}
}

// checkStored compares a read resource with the sent one, except id and meta.
func checkStored(t *testing.T, r reply, path, body string, version int) {
	t.Helper()
	at, err := time.Parse(fhir.InstantFormat, gjson.Get(r.body, "meta.lastUpdated").Str)
	if r.status != 200 || err != nil {
		t.Errorf("%s was acknowledged: got %d %s", path, r.status, r.body)
		return
	}
	sent, err := fhir.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(path, "/")
	if want := string(fhir.Stamp(sent.Body, id, uint64(version), at)); r.body != want {
		t.Errorf("REST-092: %s came back changed:\ngot  %s\nwant %s", path, r.body, want)
	}
}
