package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"carerecord/fhir"
	"carerecord/store"
	"carerecord/store/mongo"
)

// leaseLife is how long a lease lasts without renewal: after a kill the record is free again
// within this time.
const leaseLife = 15 * time.Second

// renewals is how often a lease is renewed within its life. Two renewals may fail before the
// process stops answering. The last third of the life is for requests that were accepted before.
const renewals = 3

// errLeaseLost reports that another process may write to the record from now on.
var errLeaseLost = errors.New("the lease of the record is lost: another process may hold it, so this one ends")

// errLeaseTaken reports that another process holds the record.
var errLeaseTaken = errors.New("another process writes to this record")

// errLeaseLate reports that another process may hold the record.
var errLeaseLate = errors.New("the lease was not renewed in time")

// lease is the right of this process to write to a store. A Pebble store is protected by the
// lock of its folder, so its lease always holds. A MongoDB record has a stored lease, which is
// renewed until release.
type lease struct {
	stored storedLease // nil for a Pebble store
	life   time.Duration
	lost   chan struct{} // closed when another process has the lease
	stop   func()
	done   chan struct{} // closed when renewing has ended

	clock *clockCheck // nil for a Pebble store, whose server has no peer

	mu      sync.Mutex
	renewed time.Time // start of the last successful renewal
}

// storedLease is a lease in a MongoDB database.
type storedLease interface {
	Renew(ctx context.Context) error
	Release(ctx context.Context) error
}

func newLease(stored storedLease, life time.Duration) *lease {
	l := &lease{stored: stored, life: life, lost: make(chan struct{}), done: make(chan struct{}), stop: func() {}}
	if stored == nil {
		close(l.done)
	}
	return l
}

// acquireLease takes the right to write to an opened store. It fails while another process has it.
func acquireLease(ctx context.Context, e store.Engine, cfg Config) (*lease, error) {
	db, ok := e.(*mongo.DB)
	if !ok {
		return newLease(nil, 0), nil
	}
	life := cfg.Lease
	if life <= 0 {
		life = leaseLife
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name of this machine: %w", err)
	}
	holder := fmt.Sprintf("process %d of %s", os.Getpid(), host)
	stored, err := db.AcquireLease(ctx, holder, life)
	if errors.Is(err, store.ErrExists) && !cfg.noWait {
		cfg.Log.Info("another process holds the record: waiting until it renews its lease or the lease expires", "err", err)
		stored, err = db.AwaitLease(ctx, holder, life)
	}
	if errors.Is(err, store.ErrExists) {
		return nil, fmt.Errorf("%w, and only one may: write through that server with --to URL, or stop it first: %w", errLeaseTaken, err)
	}
	if err != nil {
		return nil, err
	}
	l := newLease(stored, life)
	l.renewed = wallClock()
	if err := stored.Renew(ctx); err != nil {
		return nil, err
	}
	l.clock = &clockCheck{measure: db.ClockOffset, timeout: firstComparison, log: cfg.Log}
	l.clock.compare(ctx)
	l.clock.timeout = life / (2 * renewals)
	renewing, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	tick := time.NewTicker(life / renewals)
	go func() { // ends with release or with the loss
		defer tick.Stop()
		l.renew(renewing, tick.C, cfg.Log)
	}()
	return l, nil
}

// wallClock returns the time without its monotonic part, which stops while a machine is
// suspended. Leases are compared by the wall clock.
func wallClock() time.Time { return time.Now().Round(0) }

// renew renews the lease at each tick until it is stopped or the lease is lost.
func (l *lease) renew(ctx context.Context, tick <-chan time.Time, log *slog.Logger) {
	defer close(l.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		began := wallClock()
		once, cancel := context.WithTimeout(ctx, l.life/renewals)
		err := l.stored.Renew(once)
		cancel()
		switch {
		case err == nil:
			l.mu.Lock()
			l.renewed = began
			l.mu.Unlock()
			l.clock.compare(ctx)
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrConflict) || l.age() >= l.life:
			log.Error("the lease is lost", "err", err)
			close(l.lost)
			return
		default:
			log.Warn("the lease was not renewed", "err", err)
		}
	}
}

func (l *lease) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wallClock().Sub(l.renewed)
}

// valid reports whether no other process can hold the record now, nor before a request that
// begins now has ended, if it takes less than a third of the life.
func (l *lease) valid() bool {
	if l.stored == nil {
		return true
	}
	select {
	case <-l.lost:
		return false
	default:
		return l.age() < l.life*(renewals-1)/renewals
	}
}

// release gives the lease back.
func (l *lease) release() {
	l.stop()
	<-l.done
	if l.stored == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.life/renewals)
	defer cancel()
	_ = l.stored.Release(ctx) // on failure the lease expires
}

// require answers 503 while the lease is not valid: the directives that this process has in
// memory may be older than the stored ones. It does so too while the clock of this machine is wrong: tokens would live too long or end
// early (AUD-105, SMART-493). Health requests are answered.
func (l *lease) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if isHealth(q) || l.valid() && l.clock.err() == nil {
			next.ServeHTTP(w, q)
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write(fhir.Outcome([]fhir.Issue{{Code: "transient", Text: "The record cannot answer now. Nothing was done. Try again."}}))
	})
}
