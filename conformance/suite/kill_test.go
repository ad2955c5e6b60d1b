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

// soak returns the factor by which long tests are longer: CARERECORD_SOAK, else 1.
func soak(t *testing.T) int {
	text := os.Getenv("CARERECORD_SOAK")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CARERECORD_SOAK must be a positive whole number, not %q", text)
	}
	return n
}

// kills returns the number of times that the server is killed on each engine: five, and twenty in a soak of ten.
func kills(t *testing.T) int { return max(5, 2*soak(t)) }

// writers is the number of writers that load at the same time. Each has its own patients.
const writers = 4

// TestKilledInALoad: the server is killed with kill -9 during a load of transactions, several times, on both
// engines (REST-221, design laws 6 and 7). After each restart everything acknowledged is stored, byte for byte;
// a bundle without an answer is stored as a whole or not at all; the index equals a rebuild, and the audit trail
// verifies.
func TestKilledInALoad(t *testing.T) {
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); testKilledInALoad(t, onPebble(t)) })
	t.Run("mongo", func(t *testing.T) { // a server of its own, since the transactions of a killed process stay open
		t.Parallel()
		testKilledInALoad(t, onServer(t, mongotest.StartOwn(t)), "--lease", lease.String())
	})
}

func testKilledInALoad(t *testing.T, s *server, args ...string) {
	// Keys contain the public URL, and the port changes with each start.
	args = append(args, "--demo", "--public-url", "http://127.0.0.1:1")
	s.start(args...)
	s.token(trustClient)
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
			w.checkStored(t, s)
			w.sent = w.done // unstored bundles are sent again
		}
		if t.Failed() {
			return
		}
	}
	s.stop()
	stored := 0
	for _, w := range all {
		stored += w.done
	}
	t.Logf("%d kills in %.1f s: %d bundles are stored; %d were in flight at a kill, %d of these were stored", kills(t), time.Since(began).Seconds(), stored, unanswered, found)
	if unanswered == 0 {
		t.Error("no bundle was in flight at any kill")
	}
}

// writer loads bundles one after the other. Bundle n writes a Patient and Observations, updates the counter of
// the writer to n, and deletes the last Observation of bundle n-1.
type writer struct {
	name string
	sent int // bundles that were sent
	done int // bundles that were acknowledged, or found after a kill
}

// observationsPerBundle is the number of Observations in a bundle.
const observationsPerBundle = 8

func (w *writer) patient(n int) string { return fmt.Sprintf("Patient/%s.p%d", w.name, n) }
func (w *writer) observation(n, i int) string {
	return fmt.Sprintf("Observation/%s.o%d.%d", w.name, n, i)
}
func (w *writer) counter() string { return "Basic/" + w.name }

// bodies returns the resources of bundle n by their addresses.
func (w *writer) bodies(n int) map[string]string {
	id := func(path string) string { _, id, _ := strings.Cut(path, "/"); return id }
	out := map[string]string{
		w.patient(n): fmt.Sprintf(`{"resourceType":"Patient","id":"%s","name":[{"family":"K\u00e4lte %d"}],"_birthDate":{"extension":[{"url":"x","valueDecimal":1.00}]}}`, id(w.patient(n)), n),
		w.counter():  fmt.Sprintf(`{"resourceType":"Basic","id":"%s","code":{"text":"%d"}}`, w.name, n),
	}
	for i := range observationsPerBundle {
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
		entries = append(entries, fmt.Sprintf(`{"request":{"method":"DELETE","url":"%s"}}`, w.observation(n-1, observationsPerBundle-1)))
	}
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

// loadUntilKilled runs all writers, and kills the server after so many bundles were acknowledged. It returns when
// all writers have ended.
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
					return // the server was killed: the bundle may be stored
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
	<-time.After(time.Duration(rand.IntN(20)) * time.Millisecond) // at any point of a bundle
	s.kill()
	group.Wait()
}

// post sends a bundle as the source system. It returns an error if there is no answer.
func (s *server) post(client *http.Client, bundle string) (int, []byte, error) {
	q, err := http.NewRequest(http.MethodPost, s.base, bytes.NewReader([]byte(bundle)))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Content-Type", "application/fhir+json")
	q.Header.Set("Authorization", "Bearer "+s.tokens[trustClient])
	resp, err := client.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// settle counts the in-flight bundle as done if it was stored.
func (w *writer) settle(t *testing.T, s *server) int {
	t.Helper()
	switch r := s.get(trustClient, w.patient(w.sent)); r.status {
	case http.StatusOK:
		w.done = w.sent
		return 1
	case http.StatusNotFound:
	default:
		t.Errorf("%s: got %d %s", w.patient(w.sent), r.status, r.body)
	}
	return 0
}

// checkStored checks all resources that the writer has sent.
func (w *writer) checkStored(t *testing.T, s *server) {
	t.Helper()
	for n := 1; n <= w.sent; n++ {
		for path, body := range w.bodies(n) {
			if path == w.counter() {
				continue
			}
			r := s.get(trustClient, path)
			switch {
			case n > w.done:
				wantStatus(t, "an entry of a bundle that is not stored: "+path, r, 404, "not-found")
			case path == w.observation(n, observationsPerBundle-1) && n < w.done:
				wantStatus(t, "deleted by the next bundle: "+path, r, 410, "deleted")
			default:
				checkResource(t, r, path, body, 1)
			}
		}
	}
	if w.done > 0 {
		checkResource(t, s.get(trustClient, w.counter()), w.counter(), w.bodies(w.done)[w.counter()], w.done)
	}
	rows := s.get(trustClient, "Observation?_summary=count&patient="+w.patient(max(w.done, 1))).get("total").Int()
	if wanted := int64(min(w.done, 1) * observationsPerBundle); rows != wanted {
		t.Errorf("a search finds %d Observations of %s, want %d", rows, w.patient(w.done), wanted)
	}
}

// checkResource checks that a resource was read as it was sent, except id and meta.
func checkResource(t *testing.T, r reply, path, body string, version int) {
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
