package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"carerecord/consent/audit"
	"carerecord/store"
)

// heldStore is an opened engine that no other process may write to until close.
type heldStore struct {
	cfg    Config
	engine store.Engine
	lease  *lease
	log    *slog.Logger

	audited    bool       // operations are recorded even if the audit trail is empty
	reindexing sync.Mutex // held by the walk over all documents, of which there is one at a time

	restored    *restoreMark // nil if no backup was restored into the store; read by readRestoreMark
	confirming  sync.Mutex   // held by confirmRestore
	unconfirmed atomic.Bool  // a restored store that no operator has confirmed
}

// hold opens the store of a Config and takes the right to write to it.
func hold(ctx context.Context, cfg Config) (*heldStore, error) {
	h := &heldStore{cfg: cfg, engine: cfg.Engine, log: cfg.Log}
	if h.engine != nil {
		h.lease = newLease(nil, 0)
		return h, nil
	}
	var err error
	if h.engine, err = cfg.Address.open(ctx); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Address, err)
	}
	if h.lease, err = acquireLease(ctx, h.engine, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Address, err), h.engine.Close())
	}
	return h, nil
}

// close gives the right to write back and closes the engine.
func (h *heldStore) close() error {
	h.lease.release()
	return h.engine.Close()
}

// audit records an operation in the audit trail of the store. A store that is served with --auth
// off has none, and gets none by this.
func (h *heldStore) audit(ctx context.Context, o audit.Operation) error {
	if !h.audited {
		head, err := h.engine.Head(ctx)
		if err != nil || head.Pos == 0 {
			return err
		}
	}
	return audit.AppendOperation(context.WithoutCancel(ctx), h.engine, time.Now(), o)
}

// perform runs an operation, with an audit record before it and another one if it fails.
func (h *heldStore) perform(ctx context.Context, o audit.Operation, run func() error) error {
	if err := h.audit(ctx, o); err != nil {
		return err
	}
	if err := run(); err != nil {
		return errors.Join(err, h.audit(ctx, withOutcome(o, err)))
	}
	return nil
}

// withOutcome returns the operation with the status of its outcome.
func withOutcome(o audit.Operation, err error) audit.Operation {
	if o.Status = http.StatusOK; err != nil {
		o.Status, o.Reason = http.StatusUnprocessableEntity, "refused"
	}
	return o
}
