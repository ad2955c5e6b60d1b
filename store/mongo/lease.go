package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"carerecord/store"
)

// leaseKey is where the lease of the record stands in state.
const leaseKey = "store/lease"

// Lease is the right of one process to write to the record. It runs out unless
// it is renewed, by the clocks of the processes, so they must agree within a
// fraction of its life. It keeps nobody from writing by itself: a process that
// cannot renew must stop.
type Lease struct {
	db    *DB
	value []byte
	life  time.Duration
}

// AcquireLease takes the lease of the record for a process that calls itself
// holder. ErrExists says that another process holds it; its name is in the
// error's text.
func (db *DB) AcquireLease(ctx context.Context, holder string, life time.Duration) (*Lease, error) {
	l := &Lease{db: db, value: []byte(holder + " " + rand.Text()), life: life}
	err := db.Insert(ctx, leaseKey, l.value, db.clock().Add(life))
	if errors.Is(err, store.ErrExists) {
		other, lookErr := db.Lookup(ctx, leaseKey)
		if lookErr == nil {
			err = fmt.Errorf("held by %s: %w", other, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("lease of the record: %w", err)
	}
	return l, nil
}

// Renew prolongs the lease from now on. ErrConflict says that it is lost.
func (l *Lease) Renew(ctx context.Context) error { return l.until(ctx, l.db.clock().Add(l.life)) }

// Release gives the lease back. ErrConflict says that it was lost before.
func (l *Lease) Release(ctx context.Context) error { return l.until(ctx, l.db.clock()) }

func (l *Lease) until(ctx context.Context, expires time.Time) error {
	if err := l.db.Swap(ctx, leaseKey, l.value, l.value, expires); err != nil {
		return fmt.Errorf("lease of the record: %w", err)
	}
	return nil
}
