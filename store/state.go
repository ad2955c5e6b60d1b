package store

import (
	"context"
	"iter"
	"time"
)

// State keeps small values with an expiry: tokens, leases, marks. An expired value does not
// exist. Writes are durable when they return. It is safe for concurrent use.
type State interface {
	// Insert stores a value under a key that has none, else it returns ErrExists. A zero
	// expiry means never.
	Insert(ctx context.Context, key string, value []byte, expires time.Time) error
	// Lookup returns a value, or ErrNotFound.
	Lookup(ctx context.Context, key string) ([]byte, error)
	// Swap replaces the value old. It returns ErrConflict if the key has another value or
	// none.
	Swap(ctx context.Context, key string, old, value []byte, expires time.Time) error
	// Take removes a value and returns it, or ErrNotFound. Of concurrent calls exactly one
	// gets the value.
	Take(ctx context.Context, key string) ([]byte, error)
	// Values yields each value whose key begins with a prefix, in no particular order. A
	// value that is inserted or removed during the call may be yielded or not. An error
	// ends the sequence.
	Values(ctx context.Context, prefix string) iter.Seq2[StateValue, error]
}

// StateValue is a value of a State with its key.
type StateValue struct {
	Key   string
	Value []byte
}

// StateWrite stores a value, which replaces the value of the key.
type StateWrite struct {
	Key     string
	Value   []byte
	Expires time.Time // zero: never; an instant of the past removes the value
	// New requires that the key has no live value, else the commit is ErrConflict.
	New bool
	// Old, unless it is nil, is the live value that the key must have, else the commit is
	// ErrConflict. Several conditions of one batch are all tested before it writes.
	Old []byte
}
