package persons

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/conformance/servertest"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
)

// BenchmarkMoves measures writes of a Patient that move the rows of a person to another partition, over HTTP on both engines:
// the number arrives after the rows, changes, and goes, and the Patient is deleted and restored. Meanwhile another client creates
// rows of another person, and a third searches those of a third. It prints the latency of the write, the time until the background has caught
// up, and the median and the 99th percentile of the other clients. It asserts no time.
//
// The background is that of the program (2,000 documents a second). A round is one sequence of all moves: use -benchtime 1x.
func BenchmarkMoves(b *testing.B) {
	for _, engine := range []string{"pebble", "mongo"} {
		b.Run(engine, func(b *testing.B) {
			m := newMoves(b, engine)
			for _, rows := range []int{1_000, 10_000} {
				patient := fmt.Sprintf("xgp.p%d", rows)
				m.send(b, feed, http.MethodPut, "Patient/"+patient, resource("Patient", patient, ""))
				m.rows(patient, rows)
			}
			b.Run("no move", func(b *testing.B) {
				for b.Loop() {
					m.measure(b, func() { <-time.After(2 * time.Second) })
				}
			})
			for _, rows := range []int{1_000, 10_000} {
				path := fmt.Sprintf("Patient/xgp.p%d", rows)
				for _, move := range []struct {
					name, method string
					values       []string
				}{
					{"arrives", http.MethodPut, []string{benchNumber(rows / 100)}},
					{"changes", http.MethodPut, []string{benchNumber(rows/100 + 1)}},
					{"deleted", http.MethodDelete, nil},
					{"restored", http.MethodPut, []string{benchNumber(rows/100 + 1)}},
					{"goes", http.MethodPut, nil},
				} {
					b.Run(fmt.Sprintf("%d rows, %s", rows, move.name), func(b *testing.B) {
						for b.Loop() {
							body := ""
							if move.method == http.MethodPut {
								body = resource("Patient", strings.TrimPrefix(path, "Patient/"), identifierOrNone(move.values))
							}
							m.measure(b, func() { m.send(b, feed, move.method, path, body) })
						}
					})
				}
			}
		})
	}
}

const feed, staff = "source XGP", "staff XMH"

// moves is a server with the background of the program, and its clients.
type moves struct {
	guard  *consent.Guard
	url    string
	client *http.Client
	tb     testing.TB
	next   int // the number of the next row of xgp.written
}

func newMoves(b *testing.B, engine string) *moves {
	b.Helper()
	var s store.Engine
	var err error
	if engine == "mongo" {
		server := mongotest.Start(b)
		uri, name := server.Database(b)
		s, err = mongo.Open(b.Context(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
	} else {
		s, err = pebble.Open(pebble.Config{Dir: b.TempDir(), Cache: 64 << 20})
	}
	if err != nil {
		b.Fatal(err)
	}
	folder := servertest.Policy(true, "XGP", "XMH")
	folder.Identity = policy.DefaultIdentity("XGP", "XMH")
	callers := map[string]consent.Principal{feed: servertest.SourceSystem(b, "XGP"), staff: {Kind: consent.Staff, Subject: "staff", Organisation: "XMH", Role: "R1",
		Activities: []string{policy.ActivityRead}, Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: servertest.Scopes(b, "user/*.cruds")}}
	cfg := servertest.Config{Store: s, State: s, Policy: folder, Callers: callers, Guard: func(g *consent.Config) { g.State = s }}
	server := servertest.Open(b, cfg)
	web := httptest.NewServer(server.Handler())
	m := &moves{guard: server.Guard, url: web.URL + "/fhir/", client: web.Client(), tb: b}
	ctx, cancel := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { m.catchUp(ctx) })
	b.Cleanup(func() {
		cancel()
		background.Wait()
		web.Close()
		s.Close()
	})
	for n, other := range []string{"xgp.searched", "xgp.written"} {
		m.send(b, feed, http.MethodPut, "Patient/"+other, resource("Patient", other, identifier(benchNumber(n))))
	}
	m.rows("xgp.searched", 100)
	return m
}

// catchUp rekeys in the background, as the program does, until the context ends.
func (m *moves) catchUp(ctx context.Context) {
	var retry <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-retry:
		case <-m.guard.BacklogWork():
		}
		retry = nil
		err := m.guard.CatchUp(ctx, func(ctx context.Context, read int) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(read) * time.Second / 2000):
				return nil
			}
		})
		if err != nil && ctx.Err() == nil {
			m.tb.Logf("catch up: %v", err)
			retry = time.After(time.Second)
		}
	}
}

// rows stores rows that refer to a Patient.
func (m *moves) rows(patient string, rows int) {
	m.tb.Helper()
	for from := 0; from < rows; from += 100 {
		var entries []string
		for n := from; n < from+100; n++ {
			id := fmt.Sprintf("%s-%d", patient, n)
			entries = append(entries, `{"resource":`+resource("Observation", id, row(n)+about(patient))+`,"request":{"method":"PUT","url":"Observation/`+id+`"}}`)
		}
		m.send(m.tb, feed, http.MethodPost, "", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)
	}
}

// row is an Observation like those of a laboratory, after its id.
func row(n int) string {
	return observation(fmt.Sprint(n%50)) + fmt.Sprintf(`,"effectiveDateTime":"2026-03-%02dT10:%02d:00Z","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}]`+
		`,"valueQuantity":{"value":%d.5,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}`, 1+n%28, n%60, n%90)
}

func resource(typ, id, rest string) string {
	return `{"resourceType":"` + typ + `","id":"` + id + `"` + rest + `}`
}

func identifierOrNone(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return identifier(values...)
}

func (m *moves) send(tb testing.TB, caller, method, path, body string) time.Duration {
	req, err := http.NewRequest(method, m.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		tb.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+caller)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	began := time.Now()
	answer, err := m.client.Do(req)
	if err != nil {
		tb.Error(err)
		return 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		tb.Errorf("%s %s: %d %.300s (error %v)", method, path, answer.StatusCode, text, err)
	}
	return time.Since(began)
}

// measure runs a write and waits until the background has caught up, with two other clients meanwhile.
func (m *moves) measure(b *testing.B, write func()) {
	b.Helper()
	stop := make(chan struct{})
	var others sync.WaitGroup
	var creates, reads []time.Duration
	client := func(times *[]time.Duration, every time.Duration, send func() time.Duration) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				*times = append(*times, send())
			}
		}
	}
	others.Go(func() {
		client(&creates, 10*time.Millisecond, func() time.Duration {
			m.next++
			id := fmt.Sprintf("xgp.written-%d", m.next)
			return m.send(b, feed, http.MethodPut, "Observation/"+id, resource("Observation", id, row(m.next)+about("xgp.written")))
		})
	})
	others.Go(func() {
		client(&reads, 5*time.Millisecond, func() time.Duration {
			return m.send(b, staff, http.MethodGet, "Observation?patient=xgp.searched&_count=20", "")
		})
	})
	began := time.Now()
	write()
	answered := time.Since(began)
	for names, _ := m.guard.Backlog(); names > 0; names, _ = m.guard.Backlog() {
		<-time.After(time.Millisecond)
	}
	caughtUp := time.Since(began)
	close(stop)
	others.Wait()
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(answered), "write-ms")
	b.ReportMetric(ms(caughtUp), "caught-up-ms")
	for name, times := range map[string][]time.Duration{"create": creates, "search": reads} {
		if slices.Sort(times); len(times) > 0 {
			b.ReportMetric(ms(times[len(times)/2]), name+"-p50-ms")
			b.ReportMetric(ms(times[len(times)*99/100]), name+"-p99-ms")
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		b.Logf("load average %s; %d creates, %d searches", strings.Fields(string(load))[0], len(creates), len(reads))
	}
}
