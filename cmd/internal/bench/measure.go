package bench

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Figure is what one side of a row did.
type Figure struct {
	Operations int           `json:"operations"`
	Took       time.Duration `json:"took_ns"`
	PerSecond  float64       `json:"per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	// Allocs are the allocations of the whole process for one operation: those
	// of the clients are few.
	Allocs float64 `json:"allocs"`
	// CPU is the processor time of the whole process for one operation, clients,
	// kernel and collector included: it says what an operation costs on a
	// machine that others use too.
	CPU time.Duration `json:"cpu_ns"`
}

// side gathers the rounds of one side.
type side struct {
	times   []time.Duration // of operations
	units   int             // done: operations, or the resources in them
	took    time.Duration   // of all rounds
	mallocs uint64
	cpu     time.Duration
	rates   []float64 // units per second of each round
}

// work does operation number n as one of several workers.
type work func(worker, n int) error

// timed runs f as one round. f returns how many units it did and how long its
// operations took.
func (s *side) timed(f func() (units int, times []time.Duration, took time.Duration, err error)) error {
	var before, after runtime.MemStats
	runtime.GC() // what others left is not to be paid here
	runtime.ReadMemStats(&before)
	spent := cpu()
	units, times, took, err := f()
	spent = cpu() - spent
	runtime.ReadMemStats(&after)
	if err != nil {
		return err
	}
	s.units += units
	s.times = append(s.times, times...)
	s.took += took
	s.cpu += spent
	s.mallocs += after.Mallocs - before.Mallocs
	s.rates = append(s.rates, float64(units)/took.Seconds())
	return nil
}

// drive runs w with several workers, until the time is over or, for a length of
// 0, until limit operations are done. from numbers the first operation.
func (s *side) drive(ctx context.Context, workers int, length time.Duration, from, limit int, w work) (done int, err error) {
	err = s.timed(func() (int, []time.Duration, time.Duration, error) {
		var next atomic.Int64
		var first atomic.Pointer[error]
		times := make([][]time.Duration, workers)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for first.Load() == nil && ctx.Err() == nil && (length == 0 || len(times[i]) == 0 || time.Since(start) < length) {
					n := int(next.Add(1)) - 1
					if length == 0 && n >= limit {
						return
					}
					began := time.Now()
					if err := w(i, from+n); err != nil {
						first.CompareAndSwap(nil, &err)
						return
					}
					times[i] = append(times[i], time.Since(began))
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		if e := first.Load(); e != nil {
			return 0, nil, 0, *e
		}
		all := slices.Concat(times...)
		done = len(all)
		return done, all, took, ctx.Err()
	})
	return done, err
}

// cpu is the processor time of this process; 0 where the system does not say.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// count makes the last round, of so many operations, count as units: the
// resources in them.
func (s *side) count(operations, units int) {
	s.units += units - operations
	last := len(s.rates) - 1
	s.rates[last] *= float64(units) / float64(operations)
}

// figure sums up the rounds.
func (s *side) figure() Figure {
	slices.Sort(s.times)
	f := Figure{Operations: s.units, Took: s.took, PerSecond: float64(s.units) / s.took.Seconds(), Allocs: float64(s.mallocs) / float64(max(1, s.units)),
		CPU: s.cpu / time.Duration(max(1, s.units))}
	if n := len(s.times); n > 0 {
		f.P50, f.P99 = s.times[n/2], s.times[min(n-1, n*99/100)]
	}
	return f
}

// row sums up both sides.
func row(name, limit, goal string, subject, beside *side) Row {
	r := Row{Name: name, Limit: limit, Goal: goal, Subject: subject.figure(), Beside: beside.figure()}
	r.Ratio = r.Subject.PerSecond / r.Beside.PerSecond
	for i := range subject.rates {
		ratio := subject.rates[i] / beside.rates[i]
		if i == 0 {
			r.Low, r.High = ratio, ratio
		}
		r.Low, r.High = min(r.Low, ratio), max(r.High, ratio)
	}
	return r
}
