package main

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
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/mongo"
)

// leaseLife is how long a lease lasts that nobody renews: after a kill the
// record is free again within this time.
const leaseLife = 15 * time.Second

// renewals is how often a lease is renewed within its life. Two of them may
// fail before the process stops answering, and the last third of the life is
// for requests that were let in before.
const renewals = 3

// errLost says that another process may write to the record from now on.
var errLost = errors.New("the lease of the record is lost: another process may hold it, so this one ends")

// errHeld says that another process holds the record.
var errHeld = errors.New("another process writes to this record")

// errNotSure says that another process may hold the record.
var errNotSure = errors.New("the lease was not renewed in time")

// holding is the right of this process to write to the record. A Pebble store
// is held by the lock of its folder; a MongoDB record by a lease, which is
// renewed until release.
type holding struct {
	lease *mongo.Lease // nil for a Pebble store
	life  time.Duration
	lost  chan struct{} // closed when the lease is another's
	stop  func()
	done  chan struct{} // closed when nobody renews any more

	mu      sync.Mutex
	renewed time.Time // when the last renewal that succeeded was begun
}

// hold takes the right to write to an opened record. It is refused while
// another process holds it.
func hold(ctx context.Context, e store.Engine, s settings) (*holding, error) {
	h := &holding{life: s.lease, lost: make(chan struct{}), done: make(chan struct{}), stop: func() {}}
	db, ok := e.(*mongo.DB)
	if !ok {
		close(h.done)
		return h, nil
	}
	if h.life <= 0 {
		h.life = leaseLife
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name of this machine: %w", err)
	}
	holder := fmt.Sprintf("process %d of %s", os.Getpid(), host)
	h.lease, err = db.AcquireLease(ctx, holder, h.life)
	if errors.Is(err, store.ErrExists) && !s.atOnce {
		s.log.Info("another process holds the record: waiting to see whether it lives", "err", err)
		h.lease, err = db.AwaitLease(ctx, holder, h.life)
	}
	if errors.Is(err, store.ErrExists) {
		return nil, fmt.Errorf("%w, and one may: write through that server with --to URL, or stop it first: %w", errHeld, err)
	}
	if err != nil {
		return nil, err
	}
	h.renewed = wall()
	if err := h.lease.Renew(ctx); err != nil {
		return nil, err
	}
	renewing, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	go h.renew(renewing, s.log) // ends with release or the loss
	return h, nil
}

// wall is the time by the clock that leases go by: it runs on while a process
// or its machine is held up.
func wall() time.Time { return time.Now().Round(0) }

// renew renews until it is stopped or the lease is lost.
func (h *holding) renew(ctx context.Context, log *slog.Logger) {
	defer close(h.done)
	tick := time.NewTicker(h.life / renewals)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := wall()
		once, cancel := context.WithTimeout(ctx, h.life/renewals)
		err := h.lease.Renew(once)
		cancel()
		switch {
		case err == nil:
			h.mu.Lock()
			h.renewed = began
			h.mu.Unlock()
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrConflict) || h.age() >= h.life:
			log.Error("the lease is lost", "err", err)
			close(h.lost)
			return
		default:
			log.Warn("the lease was not renewed", "err", err)
		}
	}
}

func (h *holding) age() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return wall().Sub(h.renewed)
}

// sure reports whether nobody else can hold the record now, nor before a
// request that begins now is over, if it takes less than a third of the life.
func (h *holding) sure() bool {
	if h.lease == nil {
		return true
	}
	select {
	case <-h.lost:
		return false
	default:
		return h.age() < h.life*(renewals-1)/renewals
	}
}

// release gives the right back.
func (h *holding) release() {
	h.stop()
	<-h.done
	if h.lease == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.life/renewals)
	defer cancel()
	_ = h.lease.Release(ctx) // what is not given back runs out
}

// whileHeld answers 503 while it is not sure that the record is ours: what this
// process remembers of directives may be older than what is stored (design,
// laws 5 and 8).
func (h *holding) whileHeld(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if reports := q.URL.Path == "/healthz" || q.URL.Path == "/readyz"; !h.sure() && (!reports || rest.HasLeakedToken(q)) { // those say how things are
			w.Header().Set("Content-Type", "application/fhir+json; charset=utf-8")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write(fhir.Outcome([]fhir.Issue{{Code: "transient", Text: "The record does not answer now. Nothing was done; it may be repeated."}}))
			return
		}
		next.ServeHTTP(w, q)
	})
}
