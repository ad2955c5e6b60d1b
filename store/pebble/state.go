package pebble

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// An s row is the expiry in microseconds, eight bytes, and the value.
const neverExpires = math.MaxInt64

func encodeState(value []byte, expires time.Time) []byte {
	micro := int64(neverExpires)
	if !expires.IsZero() {
		micro = expires.UnixMicro()
	}
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(value)), uint64(micro)), value...)
}

// expired reports whether the value of an s row has expired.
func (db *DB) expired(row []byte) bool {
	if len(row) < 8 {
		return false // damaged: liveValue reports it
	}
	micro := int64(binary.BigEndian.Uint64(row))
	return micro != neverExpires && db.clock().UnixMicro() >= micro
}

// liveValue returns the value of a key unless it has expired; nil if there is none.
func (db *DB) liveValue(key string) ([]byte, error) {
	row, err := get(db.rows, nameRow(rowState, key))
	if err != nil || row == nil || db.expired(row) {
		return nil, err
	}
	if len(row) < 8 {
		return nil, errDamaged
	}
	return row[8:], nil
}

// Lookup implements store.State.
func (db *DB) Lookup(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := db.outOfService(); err != nil {
		return nil, err
	}
	value, err := db.liveValue(key)
	switch {
	case err != nil:
		return nil, unavailable("look up a value", err)
	case value == nil:
		return nil, fmt.Errorf("pebble: look up a value: %w", store.ErrNotFound)
	}
	return value, nil
}

// Insert implements store.State.
func (db *DB) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	return db.alter(ctx, "insert a value", key, func(current []byte, out *pebble.Batch) error {
		if current != nil {
			return store.ErrExists
		}
		if err := db.sweepExpired(out); err != nil {
			return err
		}
		return out.Set(nameRow(rowState, key), encodeState(value, expires), nil)
	})
}

// Swap implements store.State.
func (db *DB) Swap(ctx context.Context, key string, old, value []byte, expires time.Time) error {
	return db.alter(ctx, "swap a value", key, func(current []byte, out *pebble.Batch) error {
		if current == nil || !bytes.Equal(current, old) {
			return store.ErrConflict
		}
		return out.Set(nameRow(rowState, key), encodeState(value, expires), nil)
	})
}

// Take implements store.State.
func (db *DB) Take(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := db.alter(ctx, "take a value", key, func(current []byte, out *pebble.Batch) error {
		if current == nil {
			return store.ErrNotFound
		}
		value = current
		return out.Delete(nameRow(rowState, key), nil)
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Values implements store.State.
func (db *DB) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	return func(yield func(store.StateValue, error) bool) {
		if err := db.values(ctx, prefix, func(v store.StateValue) bool { return yield(v, nil) }); err != nil {
			yield(store.StateValue{}, err)
		}
	}
}

// values calls f for each value under a prefix until f returns false.
func (db *DB) values(ctx context.Context, prefix string, f func(store.StateValue) bool) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	low := nameRow(rowState, prefix)
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: prefixEnd(low)})
	if err != nil {
		return unavailable("list values", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := it.ValueAndErr()
		if err == nil && len(row) < 8 {
			err = errDamaged
		}
		if err != nil {
			return unavailable("list values", err)
		}
		if db.expired(row) {
			continue
		}
		if !f(store.StateValue{Key: string(it.Key()[1:]), Value: bytes.Clone(row[8:])}) {
			return nil
		}
	}
	if err := it.Error(); err != nil {
		return unavailable("list values", err)
	}
	return nil
}

// alter changes one value under the mutex: f receives the current one, nil for none.
func (db *DB) alter(ctx context.Context, doing, key string, f func(current []byte, out *pebble.Batch) error) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	return db.write(ctx, 0, func(out *pebble.Batch) error {
		current, err := db.liveValue(key)
		if err != nil {
			return unavailable(doing, err)
		}
		if err := f(current, out); err != nil {
			return fmt.Errorf("pebble: %s: %w", doing, err)
		}
		return nil
	})
}

// sweepRows is how many values an insert checks for expiry. An insert adds one, so the sweep
// overtakes them.
const sweepRows = 8

// sweepExpired deletes expired values, starting where the previous insert stopped. The mutex
// must be held.
func (db *DB) sweepExpired(out *pebble.Batch) error {
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowState}, UpperBound: []byte{rowState + 1}})
	if err != nil {
		return unavailable("sweep expired values", err)
	}
	defer it.Close()
	n := 0
	for ok := it.SeekGE(nameRow(rowState, db.sweepFrom)); ok && n < sweepRows; ok = it.Next() {
		if n++; db.expired(it.Value()) {
			del(out, it.Key())
		}
		db.sweepFrom = string(it.Key()[1:]) + "\x00"
	}
	if n < sweepRows {
		db.sweepFrom = ""
	}
	if err := it.Error(); err != nil {
		return unavailable("sweep expired values", err)
	}
	return nil
}
