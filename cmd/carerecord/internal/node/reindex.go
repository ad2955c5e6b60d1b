package node

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/reindex"
)

// backgroundRate is how many documents a second are rekeyed while requests are served, unless
// another rate is given.
const backgroundRate = 2000

// errReindexing reports that a walk is running in this process.
var errReindexing = errors.New("a reindex is running")

// Reindex rekeys every document, at most rate a second; 0 is the default, and a negative rate is
// no limit. It continues an interrupted walk. It returns the status after the walk, also after a
// failed one; nil if the store could not be opened.
func Reindex(ctx context.Context, cfg Config, rate int) (*IndexStatus, error) {
	return withIndex(ctx, cfg, http.MethodPost, "/reindex?rate="+strconv.Itoa(rate), func(n *Node) error {
		return n.perform(ctx, audit.Operation{Name: "reindex", Who: operatorName()}, func() error {
			_, err := n.reindex(ctx, n.guard, rate)
			return err
		})
	})
}

// ReindexStatus returns the progress of the last walk.
func ReindexStatus(ctx context.Context, cfg Config) (*IndexStatus, error) {
	return withIndex(ctx, cfg, http.MethodGet, "/reindex", func(n *Node) error {
		return n.audit(ctx, audit.Operation{Name: "reindex-status", Who: operatorName(), Status: http.StatusOK})
	})
}

// withIndex sends an operation to the server that holds the store, or else runs it here. It
// returns the status after it.
func withIndex(ctx context.Context, cfg Config, method, path string, run func(*Node) error) (*IndexStatus, error) {
	if server := dial(cfg); server != nil {
		if cfg.WordIndex != nil {
			return nil, errors.New("a server is running: stop it first to add or remove the keys of words")
		}
		var st IndexStatus
		if err := server.sendJSON(ctx, method, path, &st); err != nil {
			return nil, err
		}
		return &st, nil
	}
	cfg.otherKeyFormat = true
	n, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	err = run(n)
	st, statusErr := n.indexStatus(ctx)
	if statusErr != nil {
		return nil, cmp.Or(err, statusErr)
	}
	return &st, err
}

// reindex rekeys every document, at most rate a second if rate is greater than 0.
func (h *heldStore) reindex(ctx context.Context, guard *consent.Guard, rate int) (reindex.Walk, error) {
	if !h.reindexing.TryLock() {
		return reindex.Walk{}, errReindexing
	}
	defer h.reindexing.Unlock()
	if err := h.engine.Recount(ctx); err != nil {
		return reindex.Walk{}, err
	}
	return reindex.New(guard, h.engine, time.Now).All(ctx, h.throttle(rate))
}

// throttle returns a function that a walk calls between pages. It delays the walk to rate
// documents a second, if rate is greater than 0, and ends it when the lease is lost.
func (h *heldStore) throttle(rate int) reindex.Pause {
	var walk, began time.Time
	read := 0
	return func(ctx context.Context, at reindex.Walk) error {
		if !h.lease.valid() {
			return errLeaseLost
		}
		if !walk.Equal(at.Began) || began.IsZero() { // documents that an earlier process read do not count
			walk, began, read = at.Began, time.Now(), at.Read
		}
		if rate <= 0 {
			return ctx.Err()
		}
		due := began.Add(time.Duration(at.Read-read) * time.Second / time.Duration(rate))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
			return nil
		}
	}
}

// answerReindex answers POST /reindex on the socket.
func (n *Node) answerReindex(w http.ResponseWriter, q *http.Request) {
	rate, err := strconv.Atoi(q.URL.Query().Get("rate"))
	if err != nil {
		http.Error(w, "rate is not a number", http.StatusBadRequest)
		return
	}
	if rate == 0 {
		rate = backgroundRate
	}
	if _, err := n.reindex(q.Context(), n.guard, rate); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	n.answerStatus(w, q)
}
