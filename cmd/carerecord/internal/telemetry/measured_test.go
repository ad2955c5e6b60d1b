package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// referenceEngine is the reference store as a store.Engine.
type referenceEngine struct{ *storetest.Reference }

func (referenceEngine) Verify(context.Context) error  { return nil }
func (referenceEngine) Recount(context.Context) error { return nil }

func (referenceEngine) Explain(context.Context, store.Query) (store.PlanNode, error) {
	return store.PlanNode{}, nil
}

func metricsText(m *Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func wantLine(t *testing.T, m *Metrics, line string) {
	t.Helper()
	if text := metricsText(m); !strings.Contains(text, line+"\n") {
		t.Errorf("the metrics lack %q:\n%s", line, ownLines(text))
	}
}

// ownLines are the lines of the program's own metrics.
func ownLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "carerecord_") && !strings.Contains(line, "_bucket") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A measured engine passes the tests of every engine.
func TestMeasuredEngineKeepsTheContract(t *testing.T) {
	storetest.Run(t, storetest.Subject{Open: func(_ testing.TB, clock func() time.Time) storetest.Engine {
		return NewMetrics().Engine(referenceEngine{storetest.NewReference(clock)})
	}})
}

// slowEngine spends a second in each Read, and then fails if err is set.
type slowEngine struct {
	referenceEngine
	clock *clock
	err   error
}

// clock is the time of a test.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func (s *slowEngine) Read(ctx context.Context, f func(store.Snapshot) error) error {
	s.clock.pass(time.Second)
	if s.err != nil {
		return s.err
	}
	return s.referenceEngine.Read(ctx, f)
}

func TestEngineIsCounted(t *testing.T) {
	m := NewMetrics()
	c := &clock{at: time.Unix(0, 0)}
	m.now = c.now
	inner := &slowEngine{referenceEngine: referenceEngine{storetest.NewReference(c.now)}, clock: c}
	e := m.Engine(inner)
	ctx := t.Context()
	if _, err := e.Append(ctx, []byte("a"), []byte("b")); err != nil {
		t.Fatal(err)
	}
	doc := store.Doc{Ref: store.Ref{Type: "Patient", ID: "x"}, Version: 1, Origin: store.Created, Body: []byte("{}"), Updated: time.UnixMilli(1).UTC()}
	if _, err := e.Commit(ctx, store.Batch{Writes: []store.Write{{Doc: doc}}, Log: [][]byte{[]byte("c")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Commit(ctx, store.Batch{Writes: []store.Write{{Doc: doc}}, Log: [][]byte{[]byte("d")}}); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	refusal := errors.New("refused")
	if err := e.Read(ctx, func(store.Snapshot) error { c.pass(time.Hour); return refusal }); err != refusal {
		t.Fatalf("got %v, want what f returned", err)
	}
	inner.err = fmt.Errorf("disk: %w", store.ErrUnavailable)
	if err := e.Read(ctx, func(store.Snapshot) error { return nil }); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	wantLine(t, m, `carerecord_store_failures_total{call="commit",cause="conflict"} 1`)
	wantLine(t, m, `carerecord_store_failures_total{call="read",cause="unavailable"} 1`)
	wantLine(t, m, `carerecord_trail_records_total 3`)
	for call, n := range map[string]int{"read": 2, "commit": 2, "append": 1} {
		wantLine(t, m, fmt.Sprintf(`carerecord_store_seconds_count{call=%q} %d`, call, n))
	}
	if strings.Contains(metricsText(m), `cause="other"`) {
		t.Error("a refusal is counted as a failure of the engine")
	}
	var spent float64
	for line := range strings.Lines(metricsText(m)) {
		fmt.Sscanf(line, `carerecord_store_seconds_sum{call="read"} %g`, &spent)
	}
	if spent != 2 {
		t.Errorf("got %g s in the engine, want the 2 s of two reads, without the time of f", spent)
	}
}

// A request that panics is counted, logged, and no longer under way.
func TestRequestsAreCounted(t *testing.T) {
	m := NewMetrics()
	ask := func(next func(*rest.Exchange)) {
		defer func() { recover() }()
		x := &rest.Exchange{Interaction: "read"}
		m.Middleware(t.Context(), x, func(context.Context) { next(x) })
	}
	ask(func(x *rest.Exchange) {
		wantLine(t, m, "carerecord_requests_under_way 1")
		x.Status = 200
	})
	ask(func(x *rest.Exchange) { x.Status = 404 })
	ask(func(x *rest.Exchange) { x.Status = rest.ClientClosedRequest })
	ask(func(x *rest.Exchange) { panic("broken") })
	wantLine(t, m, `carerecord_requests_total{class="2xx",interaction="read"} 1`)
	wantLine(t, m, `carerecord_requests_total{class="4xx",interaction="read"} 1`)
	wantLine(t, m, `carerecord_requests_total{class="canceled",interaction="read"} 1`)
	wantLine(t, m, `carerecord_requests_total{class="none",interaction="read"} 1`)
	wantLine(t, m, "carerecord_requests_under_way 0")
	wantLine(t, m, `carerecord_request_seconds_count{interaction="read"} 4`)
}
