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

// whole is the reference store as an engine.
type whole struct{ *storetest.Reference }

func (whole) Verify(context.Context) error  { return nil }
func (whole) Recount(context.Context) error { return nil }

func (whole) Explain(context.Context, store.Query) (store.PlanNode, error) {
	return store.PlanNode{}, nil
}

func told(m *Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func wantLine(t *testing.T, m *Metrics, line string) {
	t.Helper()
	if text := told(m); !strings.Contains(text, line+"\n") {
		t.Errorf("the metrics lack %q:\n%s", line, ours(text))
	}
}

// ours are the lines of the program's own metrics.
func ours(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "carerecord_") && !strings.Contains(line, "_bucket") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A measured engine is an engine: it keeps the whole contract.
func TestMeasuredEngineKeepsTheContract(t *testing.T) {
	storetest.Run(t, storetest.Subject{Open: func(_ testing.TB, clock func() time.Time) storetest.Engine {
		return NewMetrics().Engine(whole{storetest.NewReference(clock)})
	}})
}

// slow is an engine that takes its time, and fails when it is told to.
type slow struct {
	whole
	err error
}

const pause = 20 * time.Millisecond

func (s *slow) Read(ctx context.Context, f func(store.Snap) error) error {
	time.Sleep(pause)
	if s.err != nil {
		return s.err
	}
	return s.whole.Read(ctx, f)
}

func TestEngineIsCounted(t *testing.T) {
	m := NewMetrics()
	inner := &slow{whole: whole{storetest.NewReference(time.Now)}}
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
	refusal, began := errors.New("refused"), time.Now()
	if err := e.Read(ctx, func(store.Snap) error { time.Sleep(10 * pause); return refusal }); err != refusal {
		t.Fatalf("got %v, want what f returned", err)
	}
	inner.err = fmt.Errorf("disk: %w", store.ErrUnavailable)
	if err := e.Read(ctx, func(store.Snap) error { return nil }); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	took := time.Since(began)
	wantLine(t, m, `carerecord_store_failures_total{call="commit",cause="conflict"} 1`)
	wantLine(t, m, `carerecord_store_failures_total{call="read",cause="unavailable"} 1`)
	wantLine(t, m, `carerecord_trail_records_total 3`)
	for call, n := range map[string]int{"read": 2, "commit": 2, "append": 1} {
		wantLine(t, m, fmt.Sprintf(`carerecord_store_seconds_count{call=%q} %d`, call, n))
	}
	if strings.Contains(told(m), `cause="other"`) {
		t.Error("a refusal is counted as a failure of the engine")
	}
	var spent float64
	for line := range strings.Lines(told(m)) {
		fmt.Sscanf(line, `carerecord_store_seconds_sum{call="read"} %g`, &spent)
	}
	if most := (took - 10*pause).Seconds(); spent < 2*pause.Seconds() || spent > most {
		t.Errorf("got %g s in the engine, want %s or more, and %g s or less, which is all without f", spent, 2*pause, most)
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
