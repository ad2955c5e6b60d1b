package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// leaving is an engine under which a client hangs up in the middle of a scan. The scan ends
// with the error of its context, or with a fault of the engine.
type leaving struct {
	*storetest.Reference
	hangUp func()
	fault  error
}

type leavingSnap struct {
	store.Snapshot
	of *leaving
}

func (s *leaving) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return s.Reference.Read(context.WithoutCancel(ctx), func(snap store.Snapshot) error { return f(leavingSnap{snap, s}) })
}

func (s leavingSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if s.of.hangUp(); s.of.fault != nil {
		return store.Doc{}, s.of.fault
	}
	if ctx.Err() != nil {
		return store.Doc{}, errors.Join(store.ErrUnavailable, ctx.Err())
	}
	return s.Snapshot.Get(ctx, ref)
}

func (s leavingSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if s.of.hangUp(); s.of.fault != nil {
			yield(store.Doc{}, s.of.fault)
			return
		}
		if ctx.Err() != nil {
			yield(store.Doc{}, errors.Join(store.ErrUnavailable, ctx.Err()))
			return
		}
		s.Snapshot.Scan(ctx, q)(yield)
	}
}

// TestHangUpIsNoFault: a client that hangs up is told apart from a record that cannot be
// reached: status 499 in metrics, log and trail, and no line of an error. A fault of the
// engine is an error, whether its client is there or not (AUD-101).
func TestHangUpIsNoFault(t *testing.T) {
	db := &leaving{Reference: storetest.NewReference(time.Now), hangUp: func() {}}
	var log bytes.Buffer
	var told rest.Exchange
	h := handlerWith(t, db, func(c *rest.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Audit, _ = audit.New(db, make([]byte, 32), time.Second)
		c.Middleware = func(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
			next(ctx)
			told = *x
		}
	})
	put(t, h, "Patient", "p1", `"gender":"male"`)
	batch := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.TrimSuffix(strings.Repeat(`{"request":{"method":"GET","url":"Patient/p1"}},`, 5), ",") + `]}`
	request := func(method, path, body string, leaves bool, fault error) (int, audit.Record) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		db.fault, db.hangUp = fault, func() {
			if leaves {
				cancel()
			}
		}
		log.Reset()
		r := httptest.NewRequestWithContext(ctx, method, "/fhir"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/fhir+json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var last audit.Record
		for stored, err := range db.Records(context.Background(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			last = audit.Record{}
			if err := json.Unmarshal(stored.Payload, &last); err != nil {
				t.Fatal(err)
			}
		}
		return w.Code, last
	}
	down := fmt.Errorf("disk: %w", store.ErrUnavailable)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/Patient/p1", ""}, {"GET", "/Patient?gender=male", ""}, {"GET", "/Patient/p1/$everything", ""}, {"PUT", "/Patient/p1", `{"resourceType":"Patient","id":"p1"}`}, {"POST", "", batch},
	} {
		_, record := request(c.method, c.path, c.body, true, nil)
		if outcome := record.Decision.Outcome; told.Status != rest.ClientClosedRequest || record.Status != rest.ClientClosedRequest || c.path != "" && outcome != "fail" || log.Len() > 0 {
			t.Errorf("AUD-101: %s %s: the client closed the connection: told status %d, recorded %d %s, logged %q; want 499 and no line", c.method, c.path, told.Status, record.Status, outcome, log.String())
		}
		for _, leaves := range []bool{false, true} {
			_, record := request(c.method, c.path, c.body, leaves, down)
			if !strings.Contains(log.String(), "level=ERROR") || c.path != "" && (told.Status != 503 || record.Status != 503) {
				t.Errorf("AUD-101: %s %s: the engine failed, the client left %v: told status %d, recorded %d, logged %q; want 503 and an error", c.method, c.path, leaves, told.Status, record.Status, log.String())
			}
		}
		if status, record := request(c.method, c.path, c.body, false, nil); status >= 300 || record.Status != status || told.Status != status || log.Len() > 0 {
			t.Errorf("%s %s: got %d, recorded %d, logged %q", c.method, c.path, status, record.Status, log.String())
		}
	}
}
