package telemetry

import (
	"context"
	"iter"
	"time"

	"carerecord/store"
)

// The values of the label "call".
const (
	callRead   = "read"
	callCommit = "commit"
	callAppend = "append"
)

// Engine returns an engine that measures the calls to e.
func (m *Metrics) Engine(e store.Engine) store.Engine { return &measuredEngine{Engine: e, m: m} }

// measuredEngine measures the calls that requests make.
type measuredEngine struct {
	store.Engine
	m *Metrics
}

func (e *measuredEngine) observe(call string, spent time.Duration, err error) {
	e.m.engine.WithLabelValues(call).Observe(spent.Seconds())
	if err != nil {
		e.m.failures.WithLabelValues(call, cause(err)).Inc()
	}
}

// Read measures the time in the engine, without the time that f spends outside of the snapshot.
func (e *measuredEngine) Read(ctx context.Context, f func(store.Snapshot) error) error {
	began := e.m.now()
	var outside time.Duration // spent by f outside of the engine
	var failed error          // the error that f returned
	err := e.Engine.Read(ctx, func(snap store.Snapshot) error {
		timed := &timedSnap{Snapshot: snap, now: e.m.now}
		from := e.m.now()
		failed = f(timed)
		outside += e.m.now().Sub(from) - timed.spent
		return failed
	})
	spent := e.m.now().Sub(began) - outside
	fault := err
	if failed != nil && cause(err) == "other" {
		fault = nil // a refusal or a missing row: the engine answered
	}
	e.observe(callRead, spent, fault)
	return err
}

func (e *measuredEngine) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	began := e.m.now()
	seq, err := e.Engine.Commit(ctx, b)
	e.observe(callCommit, e.m.now().Sub(began), err)
	if err == nil {
		e.m.records.Add(float64(len(b.Log)))
	}
	return seq, err
}

func (e *measuredEngine) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	began := e.m.now()
	first, err := e.Engine.Append(ctx, payloads...)
	e.observe(callAppend, e.m.now().Sub(began), err)
	if err == nil {
		e.m.records.Add(float64(len(payloads)))
	}
	return first, err
}

// timedSnap adds up the time spent in a snapshot.
type timedSnap struct {
	store.Snapshot
	now   func() time.Time
	spent time.Duration
}

func (s *timedSnap) add(began time.Time) { s.spent += s.now().Sub(began) }

func (s *timedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	defer s.add(s.now())
	return s.Snapshot.Get(ctx, ref)
}

func (s *timedSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.All(ctx, refs))
}

func (s *timedSnap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	defer s.add(s.now())
	return s.Snapshot.Version(ctx, ref, version)
}

func (s *timedSnap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	defer s.add(s.now())
	return s.Snapshot.Count(ctx, q, max)
}

func (s *timedSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.Scan(ctx, q))
}

func (s *timedSnap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.History(ctx, q))
}

// rows measures the time of a sequence in the engine.
func (s *timedSnap) rows(all iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		began := s.now()
		all(func(d store.Doc, err error) bool {
			s.add(began)
			more := yield(d, err)
			began = s.now()
			return more
		})
		s.add(began)
	}
}
