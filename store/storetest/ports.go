package storetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"carerecord/store"
)

// liveValue returns the value of a key, and false if there is none or it has expired. r.mu must be held.
func (r *Reference) liveValue(key string) (value, bool) {
	v, found := r.values[key]
	if found && !v.expires.IsZero() && !r.clock().Before(v.expires) {
		delete(r.values, key)
		return value{}, false
	}
	return v, found
}

// Insert implements store.State.
func (r *Reference) Insert(ctx context.Context, key string, b []byte, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, found := r.liveValue(key); found {
		return fmt.Errorf("insert of a value: %w", store.ErrExists)
	}
	r.values[key] = value{bytes.Clone(b), expires}
	return nil
}

// Lookup implements store.State.
func (r *Reference) Lookup(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v, found := r.liveValue(key)
	if !found {
		return nil, fmt.Errorf("lookup of a value: %w", store.ErrNotFound)
	}
	return bytes.Clone(v.bytes), nil
}

// Swap implements store.State.
func (r *Reference) Swap(ctx context.Context, key string, old, b []byte, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v, found := r.liveValue(key)
	if !found || !bytes.Equal(v.bytes, old) {
		return fmt.Errorf("swap of a value: %w", store.ErrConflict)
	}
	r.values[key] = value{bytes.Clone(b), expires}
	return nil
}

// Values implements store.State.
func (r *Reference) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	return func(yield func(store.StateValue, error) bool) {
		r.mu.Lock()
		var found []store.StateValue
		for _, key := range slices.Sorted(maps.Keys(r.values)) {
			if v, live := r.liveValue(key); live && strings.HasPrefix(key, prefix) {
				found = append(found, store.StateValue{Key: key, Value: bytes.Clone(v.bytes)})
			}
		}
		r.mu.Unlock()
		for _, v := range found {
			if err := ctx.Err(); err != nil {
				yield(store.StateValue{}, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// Take implements store.State.
func (r *Reference) Take(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v, found := r.liveValue(key)
	if !found {
		return nil, fmt.Errorf("take of a value: %w", store.ErrNotFound)
	}
	delete(r.values, key)
	return v.bytes, nil
}

// appendLog adds to the log. r.mu must be held.
func (r *Reference) appendLog(payloads [][]byte) {
	for _, p := range payloads {
		var last store.Record
		if len(r.log) > 0 {
			last = r.log[len(r.log)-1]
		}
		pos := last.Pos + 1
		r.log = append(r.log, store.Record{Pos: pos, Hash: store.ChainHash(last.Hash, pos, p), Payload: bytes.Clone(p)})
	}
}

// Append implements store.Log.
func (r *Reference) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	first := uint64(len(r.log)) + 1
	r.appendLog(payloads)
	return first, nil
}

// Records implements store.Log. It yields the records that existed when it began.
func (r *Reference) Records(ctx context.Context, from uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		r.mu.Lock()
		log := r.log
		r.mu.Unlock()
		for _, rec := range log {
			if err := ctx.Err(); err != nil {
				yield(store.Record{}, err)
				return
			}
			if rec.Pos >= from && !yield(rec, nil) {
				return
			}
		}
	}
}

// Head implements store.Log.
func (r *Reference) Head(ctx context.Context) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.log) == 0 {
		return store.Record{}, nil
	}
	last := r.log[len(r.log)-1]
	last.Payload = nil
	return last, nil
}
