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

// Figure is the result of one measurement of a row.
type Figure struct {
	Operations int           `json:"operations"`
	Took       time.Duration `json:"took_ns"`
	PerSecond  float64       `json:"per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	// Allocs are the allocations of the whole process for one operation. Few are of the clients.
	Allocs float64 `json:"allocs"`
	// CPU is the processor time of the whole process for one operation, with clients, kernel and
	// garbage collector. Unlike elapsed time it hardly depends on other load of the machine.
	CPU time.Duration `json:"cpu_ns"`
}

// measurement sums up the rounds of the subject or the baseline of a row.
type measurement struct {
	times   []time.Duration // of operations
	units   int             // operations, or the resources in them
	took    time.Duration   // of all rounds
	mallocs uint64
	cpu     time.Duration
	rates   []float64 // units per second of each round
}

// work runs operation number n in one of several workers.
type work func(worker, n int) error

// timeRound runs f as one round. f returns the number of its units and the times of its
// operations.
func (s *measurement) timeRound(f func() (units int, times []time.Duration, took time.Duration, err error)) error {
	var before, after runtime.MemStats
	runtime.GC() // garbage of earlier rounds must not be collected in this one
	runtime.ReadMemStats(&before)
	spent := cpuTime()
	units, times, took, err := f()
	spent = cpuTime() - spent
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

// run runs w with several workers until the time is over or, for a length of 0, until limit
// operations are done. from is the number of the first operation.
func (s *measurement) run(ctx context.Context, workers int, length time.Duration, from, limit int, w work) (done int, err error) {
	err = s.timeRound(func() (int, []time.Duration, time.Duration, error) {
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

// cpuTime returns the processor time of this process; 0 if the system does not report it.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// setUnits replaces the operations of the last round by units, the resources in them.
func (s *measurement) setUnits(operations, units int) {
	s.units += units - operations
	last := len(s.rates) - 1
	s.rates[last] *= float64(units) / float64(operations)
}

// figure sums up the rounds.
func (s *measurement) figure() Figure {
	slices.Sort(s.times)
	f := Figure{Operations: s.units, Took: s.took, PerSecond: float64(s.units) / s.took.Seconds(), Allocs: float64(s.mallocs) / float64(max(1, s.units)),
		CPU: s.cpu / time.Duration(max(1, s.units))}
	if n := len(s.times); n > 0 {
		f.P50, f.P99 = s.times[n/2], s.times[min(n-1, n*99/100)]
	}
	return f
}

// row returns the row of a subject and its baseline.
func row(name, limit, goal string, subject, baseline *measurement) Row {
	r := Row{Name: name, Limit: limit, Goal: goal, Subject: subject.figure(), Baseline: baseline.figure()}
	r.Ratio = r.Subject.PerSecond / r.Baseline.PerSecond
	for i := range subject.rates {
		ratio := subject.rates[i] / baseline.rates[i]
		if i == 0 {
			r.Low, r.High = ratio, ratio
		}
		r.Low, r.High = min(r.Low, ratio), max(r.High, ratio)
	}
	return r
}
