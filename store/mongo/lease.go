package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// leaseKey is the key of the lease in state.
const leaseKey = "store/lease"

// Lease is the right of one process to write to the record. It expires unless it is renewed, by
// the clocks of the processes, which must agree within a fraction of its life. It does not
// prevent writes by itself: a process that cannot renew must stop.
type Lease struct {
	db    *DB
	value []byte
	life  time.Duration
}

// AcquireLease takes the lease of the record for a process with the name holder. ErrExists means
// that another process holds it; its name is in the error's text.
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

// leaseLooks is how often a waiting process checks the lease within its life.
const leaseLooks = 20

// AwaitLease is AcquireLease for a process that may follow one that was killed: it waits for a
// held lease until it expires. ErrExists means that the lease was renewed or taken meanwhile, so
// that its holder lives.
func (db *DB) AwaitLease(ctx context.Context, holder string, life time.Duration) (*Lease, error) {
	l, err := db.AcquireLease(ctx, holder, life)
	if !errors.Is(err, store.ErrExists) {
		return l, err
	}
	seen, lookErr := db.leaseEnds(ctx)
	if lookErr != nil {
		return nil, lookErr
	}
	for {
		select {
		case <-ctx.Done():
			return nil, failed("wait for the lease of the record", ctx.Err())
		case <-time.After(life / leaseLooks):
		}
		if l, err = db.AcquireLease(ctx, holder, life); !errors.Is(err, store.ErrExists) {
			return l, err
		}
		if ends, lookErr := db.leaseEnds(ctx); lookErr != nil {
			return nil, lookErr
		} else if ends != seen {
			return nil, err
		}
	}
}

// leaseEnds returns when the lease expires.
func (db *DB) leaseEnds(ctx context.Context) (bson.DateTime, error) {
	var stored value
	err := db.state.FindOne(ctx, bson.D{{Key: "_id", Value: encode(leaseKey)}}, db.hintID()).Decode(&stored)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return 0, failed("read the lease of the record", err)
	}
	return stored.Expires, nil
}

// Renew extends the lease, starting now. ErrConflict means that it is lost.
func (l *Lease) Renew(ctx context.Context) error { return l.until(ctx, l.db.clock().Add(l.life)) }

// Release ends the lease. ErrConflict means that it was lost before.
func (l *Lease) Release(ctx context.Context) error { return l.until(ctx, l.db.clock()) }

func (l *Lease) until(ctx context.Context, expires time.Time) error {
	if err := l.db.Swap(ctx, leaseKey, l.value, l.value, expires); err != nil {
		return fmt.Errorf("lease of the record: %w", err)
	}
	return nil
}
