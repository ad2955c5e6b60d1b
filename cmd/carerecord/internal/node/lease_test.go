package node

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"carerecord/conformance/wait"
)

// renewable is a stored lease that is always renewed.
type renewable struct{ renewals atomic.Int64 }

func (r *renewable) Renew(context.Context) error   { r.renewals.Add(1); return nil }
func (r *renewable) Release(context.Context) error { return nil }

// TestClockAtRenewals: the clock is compared at each renewal of the lease, so a clock that goes wrong while the server runs is noticed
// (AUD-105, SMART-493).
func TestClockAtRenewals(t *testing.T) {
	stored := &renewable{}
	l := newLease(stored, time.Minute)
	l.renewed = wallClock()
	var offset, compared atomic.Int64
	l.clock = &clockCheck{timeout: time.Minute, log: slog.New(slog.DiscardHandler), measure: func(context.Context) (time.Duration, time.Duration, error) {
		compared.Add(1)
		return time.Duration(offset.Load()), 0, nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	tick := make(chan time.Time)
	go l.renew(ctx, tick, slog.New(slog.DiscardHandler))
	served := l.require(http.NotFoundHandler())
	for i, c := range []struct {
		offset time.Duration
		code   int
	}{{0, 404}, {2 * time.Second, 503}, {2 * time.Second, 503}, {0, 404}} {
		offset.Store(int64(c.offset))
		tick <- time.Time{}
		if !wait.Until(func() bool { return compared.Load() == int64(i+1) }) {
			t.Fatalf("AUD-105: after %d renewals the clock was compared %d times", stored.renewals.Load(), compared.Load())
		}
		code := 0
		wait.Until(func() bool {
			w := httptest.NewRecorder()
			served.ServeHTTP(w, httptest.NewRequest("GET", "/fhir/metadata", nil))
			code = w.Code
			return code == c.code
		})
		if code != c.code {
			t.Errorf("AUD-105: at renewal %d, with an offset of %v: got %d, want %d", i+1, c.offset, code, c.code)
		}
	}
	l.release()
}
