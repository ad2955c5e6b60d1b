package mongo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// logPause is the time between two attempts to write to a stale log.
const logPause = 20 * time.Millisecond

// logWriter appends records to the log. Calls that wait during one write share the next.
type logWriter struct {
	db *DB

	mu      sync.Mutex
	waiting []*appendCall
	writing bool           // run is running
	writers sync.WaitGroup // for Close

	// Used by run only, or before it:
	head  store.Record // the last record, without payload
	stale bool         // head may not be the last record
}

// appendCall is a call of Append.
type appendCall struct {
	payloads [][]byte
	first    uint64
	err      error
	done     chan struct{} // closed when first and err are set
}

// append adds the records of one call and waits for them, until ctx ends.
func (t *logWriter) append(ctx context.Context, payloads [][]byte) (uint64, error) {
	c := &appendCall{payloads: payloads, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, c)
	if !t.writing {
		t.writing = true
		t.writers.Add(1)
		go t.run() // ends when no call waits; each write has a timeout
	}
	t.mu.Unlock()
	select {
	case <-c.done:
		return c.first, c.err
	case <-ctx.Done():
	}
	t.mu.Lock()
	i := slices.Index(t.waiting, c)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	t.mu.Unlock()
	select {
	case <-c.done:
		return c.first, c.err
	default:
	}
	if i >= 0 {
		return 0, failed("append to the log", ctx.Err())
	}
	return 0, fmt.Errorf("mongo: append to the log: %w: %w: %w", store.ErrUnavailable, store.ErrUnknown, ctx.Err())
}

// run writes the records of waiting calls until no call waits.
func (t *logWriter) run() {
	defer t.writers.Done()
	for {
		t.mu.Lock()
		calls := t.waiting
		t.waiting = nil
		t.writing = len(calls) > 0
		t.mu.Unlock()
		if len(calls) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), t.db.timeout)
		t.write(ctx, calls)
		cancel()
		for _, c := range calls {
			close(c.done)
		}
	}
}

// write adds the records of calls, and repeats those that were not stored until all are or time
// is up.
func (t *logWriter) write(ctx context.Context, calls []*appendCall) {
	if t.stale {
		if err := t.reread(ctx); err != nil {
			finishCalls(calls, nil, err)
			return
		}
	}
	rest := t.buildRecords(calls)
	var stored []record
	mayBeStored := false // a record that is not stored may still be
	for {
		_, err := t.db.log.InsertMany(ctx, rest, options.InsertMany().SetOrdered(true))
		if err == nil {
			stored = append(stored, rest...)
			t.head = headOf(rest[len(rest)-1])
			finishCalls(calls, stored, nil)
			return
		}
		err = failedWrite("append to the log", err)
		t.stale = true
		mayBeStored = mayBeStored || uncertain(err)
		for t.stale {
			select {
			case <-ctx.Done():
				if mayBeStored || len(stored) > 0 {
					err = fmt.Errorf("%w: %w", store.ErrUnknown, err)
				}
				finishCalls(calls, stored, err)
				return
			case <-time.After(logPause):
			}
			_ = t.reread(ctx) // on failure it is still stale
		}
		n, err := t.countStored(ctx, rest)
		if err != nil {
			t.stale = true
			continue
		}
		stored = append(stored, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			finishCalls(calls, stored, nil)
			return
		}
		t.chain(rest)
	}
}

// buildRecords returns the records of calls, chained to the head.
func (t *logWriter) buildRecords(calls []*appendCall) []record {
	var all []record
	for _, c := range calls {
		for _, p := range c.payloads {
			if p == nil {
				p = []byte{}
			}
			all = append(all, record{Payload: binary(p)})
		}
	}
	t.chain(all)
	return all
}

// chain sets the positions and hashes of records after the head.
func (t *logWriter) chain(records []record) {
	last := t.head
	for i := range records {
		pos := last.Pos + 1
		hash := store.ChainHash(last.Hash, pos, records[i].Payload.Data)
		records[i].Pos, records[i].Hash = int64(pos), binary(hash[:])
		last = store.Record{Pos: pos, Hash: hash}
	}
}

// countStored counts how many of the records are in the log, from the first on.
func (t *logWriter) countStored(ctx context.Context, records []record) (int, error) {
	if t.head.Pos < uint64(records[0].Pos) {
		return 0, nil
	}
	n := 0
	for r, err := range t.db.Records(ctx, uint64(records[0].Pos)) {
		if err != nil {
			return 0, err
		}
		if n == len(records) || r.Hash != records[n].toStore().Hash {
			break
		}
		n++
	}
	return n, nil
}

// reread reads the end of the log.
func (t *logWriter) reread(ctx context.Context) error {
	head, err := t.db.Head(ctx)
	if err != nil {
		return err
	}
	t.head, t.stale = head, false
	return nil
}

func headOf(r record) store.Record {
	return store.Record{Pos: uint64(r.Pos), Hash: r.toStore().Hash}
}

// finishCalls sets the result of each call: success if all its records are stored, else err.
func finishCalls(calls []*appendCall, stored []record, err error) {
	for _, c := range calls {
		if len(stored) < len(c.payloads) {
			c.err = err
			stored = nil
			continue
		}
		c.first = uint64(stored[0].Pos)
		stored = stored[len(c.payloads):]
	}
}

// wait returns when no writer runs.
func (t *logWriter) wait() { t.writers.Wait() }
