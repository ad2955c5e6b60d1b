package telemetry

import (
	"context"
	"iter"
	"time"

	"carerecord/store"
)

// The calls of an engine that are measured.
const (
	callRead   = "read"
	callCommit = "commit"
	callAppend = "append"
)

// Engine returns an engine that answers as e does and is measured.
func (m *Metrics) Engine(e store.Engine) store.Engine { return &measured{Engine: e, m: m} }

// measured times the calls that requests make.
type measured struct {
	store.Engine
	m *Metrics
}

func (e *measured) done(call string, spent time.Duration, err error) {
	e.m.engine.WithLabelValues(call).Observe(spent.Seconds())
	if err != nil {
		e.m.failures.WithLabelValues(call, cause(err)).Inc()
	}
}

// Read takes the time that f spends outside of the snapshot off.
func (e *measured) Read(ctx context.Context, f func(store.Snap) error) error {
	began := time.Now()
	var ours time.Duration // spent by f, not by the engine
	var failed error       // what f returned
	err := e.Engine.Read(ctx, func(snap store.Snap) error {
		timed := &timedSnap{Snap: snap}
		from := time.Now()
		failed = f(timed)
		ours += time.Since(from) - timed.spent
		return failed
	})
	spent := time.Since(began) - ours
	fault := err
	if failed != nil && cause(err) == "other" {
		fault = nil // a refusal, a row that is not there: the engine answered
	}
	e.done(callRead, spent, fault)
	return err
}

func (e *measured) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	began := time.Now()
	seq, err := e.Engine.Commit(ctx, b)
	e.done(callCommit, time.Since(began), err)
	if err == nil {
		e.m.records.Add(float64(len(b.Log)))
	}
	return seq, err
}

func (e *measured) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	began := time.Now()
	first, err := e.Engine.Append(ctx, payloads...)
	e.done(callAppend, time.Since(began), err)
	if err == nil {
		e.m.records.Add(float64(len(payloads)))
	}
	return first, err
}

// timedSnap adds up the time spent in a snapshot.
type timedSnap struct {
	store.Snap
	spent time.Duration
}

func (s *timedSnap) since(began time.Time) { s.spent += time.Since(began) }

func (s *timedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	defer s.since(time.Now())
	return s.Snap.Get(ctx, ref)
}

func (s *timedSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snap.All(ctx, refs))
}

func (s *timedSnap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	defer s.since(time.Now())
	return s.Snap.Version(ctx, ref, version)
}

func (s *timedSnap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	defer s.since(time.Now())
	return s.Snap.Count(ctx, q, max)
}

func (s *timedSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snap.Scan(ctx, q))
}

func (s *timedSnap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snap.History(ctx, q))
}

// rows times a sequence while it is the engine's turn.
func (s *timedSnap) rows(all iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		began := time.Now()
		all(func(d store.Doc, err error) bool {
			s.since(began)
			more := yield(d, err)
			began = time.Now()
			return more
		})
		s.since(began)
	}
}
