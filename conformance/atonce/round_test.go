package atonce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"carerecord/consent"
	"carerecord/consent/reindex"
	"carerecord/store"
)

// round is how much a round does.
type round struct {
	seed   uint64
	writes int // of each feed
}

// run is one round: all writers, the walks and the readers at once, and the comparison.
func (w *world) run(r round) {
	prepare := newDice(r.seed, 0)
	for range 6 {
		w.apply(prepare.sourceStep(pick(prepare, "G", "A")))
	}
	ctx, cancel := context.WithTimeout(context.Background(), paused)
	defer cancel()
	var writers, others sync.WaitGroup
	done := make(chan struct{})
	for i, source := range []string{"G", "G", "A", "A", patientIndex} {
		writers.Go(func() {
			d := newDice(r.seed, uint64(1+i))
			for range r.writes {
				w.apply(d.sourceStep(source))
			}
		})
	}
	for i, who := range []string{"staff", "patient"} {
		writers.Go(func() {
			d := newDice(r.seed, uint64(10+i))
			for range r.writes / 2 {
				w.apply(d.personStep(who))
			}
		})
	}
	writers.Go(func() { w.define(ctx, r.seed) })
	others.Go(func() { w.reindex(ctx, done) })
	others.Go(func() { w.catchUp(ctx, done) })
	for i, ods := range organisations {
		others.Go(func() {
			for over := false; !over && !w.failed.Load(); {
				select {
				case <-done:
					over = true // once more when all is written
				case <-w.db.readers[i]:
				}
				w.readAll(w.guard, ods)
			}
		})
	}
	writers.Wait()
	close(done)
	others.Wait()
	w.compare()
}

// define defines a search parameter on Consent, indexes it, retires it and defines it
// again, as an operator does.
func (w *world) define(ctx context.Context, seed uint64) {
	id := fmt.Sprintf("p%d", seed%3)
	for _, active := range []bool{true, false, true} {
		change := consent.Change{Kind: consent.ChangeUpdate, Ref: store.Ref{Type: "SearchParameter", ID: id}, Body: []byte(definition(id, active))}
		if _, err := w.commit(consent.Principal{Kind: consent.System}, []consent.Change{change}); err != nil {
			w.report("define a search parameter: %v", err)
		}
		if err := reindex.New(w.guard, w.db, time.Now).Parameters(ctx, func(ctx context.Context, _ reindex.Walk) error { return ctx.Err() }); err != nil {
			w.report("index a search parameter: %v", err)
		}
	}
}

// reindex rekeys everything, until all writes are done.
func (w *world) reindex(ctx context.Context, done chan struct{}) {
	for {
		if _, err := reindex.New(w.guard, w.db, time.Now).All(ctx, func(ctx context.Context, _ reindex.Walk) error { return ctx.Err() }); err != nil {
			w.report("reindex: %v", err)
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// catchUp rekeys the backlog in the background.
func (w *world) catchUp(ctx context.Context, done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-w.guard.BacklogWork():
		}
		if err := w.guard.CatchUp(ctx, func(ctx context.Context, _ int) error { return ctx.Err() }); err != nil {
			w.report("key what depends on what was written: %v", err)
			return
		}
	}
}

// compare holds everything in memory and every document against a rebuild, and a guard
// that is opened now against the one that was there all the time.
func (w *world) compare() {
	ctx := context.Background()
	if err := w.guard.CatchUp(ctx, func(ctx context.Context, _ int) error { return ctx.Err() }); err != nil {
		w.report("key what depends on what was written, at the end: %v", err)
	}
	if err := w.guard.CheckMemory(ctx); err != nil {
		w.report("%v", err)
	}
	if _, err := reindex.Verify(ctx, w.guard, func(err error) { w.report("%v", err) }); err != nil {
		w.report("%v", err)
	}
	if e, can := w.db.Engine.(checkedEngine); can {
		if err := errors.Join(e.CheckMemory(ctx), e.Verify(ctx)); err != nil {
			w.report("%v", err)
		}
	}
	fresh := w.open()
	for _, ods := range organisations {
		if now, then := w.readAll(w.guard, ods), w.readAll(fresh, ods); !slices.Equal(now, then) {
			w.report("staff of %s see %v, and after a restart %v", ods, now, then)
		}
	}
}
