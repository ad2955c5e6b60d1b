package pebble

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Append implements store.Log.
func (db *DB) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if err := db.outOfService(); err != nil {
		return 0, err
	}
	size := 0
	for _, p := range payloads {
		size += len(p)
	}
	if size > maxCommit {
		return 0, fmt.Errorf("pebble: append of %d bytes: %w", size, store.ErrTooLarge)
	}
	var first uint64
	err := db.write(ctx, 0, func(out *pebble.Batch) error {
		first = db.head.Pos + 1
		for _, p := range payloads {
			if err := db.chainRecord(out, p); err != nil {
				return unavailable("append to the log", err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return first, nil
}

// chainRecord adds a record after the head. The mutex must be held.
func (db *DB) chainRecord(out *pebble.Batch, payload []byte) error {
	pos := db.head.Pos + 1
	db.head = store.Record{Pos: pos, Hash: store.ChainHash(db.head.Hash, pos, payload)}
	value := append(make([]byte, 0, len(db.head.Hash)+len(payload)), db.head.Hash[:]...)
	return out.Set(logRow(pos), append(value, payload...), nil)
}

// Records implements store.Log. It yields the records that were durable when it began.
func (db *DB) Records(ctx context.Context, from uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := db.records(ctx, from, yield); err != nil {
			yield(store.Record{}, err)
		}
	}
}

func (db *DB) records(ctx context.Context, from uint64, yield func(store.Record, error) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.outOfService(); err != nil {
		return err
	}
	last := db.durable.Load()
	if from > last {
		return nil
	}
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: logRow(from), UpperBound: prefixEnd(logRow(last))})
	if err != nil {
		return unavailable("read the log", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := parseLog(it)
		if err != nil {
			return unavailable("read the log", err)
		}
		if !yield(rec, nil) {
			return nil
		}
	}
	if err := it.Error(); err != nil {
		return unavailable("read the log", err)
	}
	return nil
}

// parseLog copies the record at the position of an iterator.
func parseLog(it *pebble.Iterator) (rec store.Record, err error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return rec, err
	}
	if len(it.Key()) != 9 || len(value) < len(rec.Hash) {
		return rec, errDamaged
	}
	rec.Pos = binary.BigEndian.Uint64(it.Key()[1:])
	n := copy(rec.Hash[:], value)
	rec.Payload = append(make([]byte, 0, len(value)-n), value[n:]...)
	return rec, nil
}

// Head implements store.Log: the last durable record.
func (db *DB) Head(ctx context.Context) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	if err := db.outOfService(); err != nil {
		return store.Record{}, err
	}
	pos := db.durable.Load()
	if pos == 0 {
		return store.Record{}, nil
	}
	value, err := get(db.rows, logRow(pos))
	if err == nil && len(value) < len(store.Hash{}) {
		err = errDamaged
	}
	if err != nil {
		return store.Record{}, unavailable("read the head of the log", err)
	}
	return store.Record{Pos: pos, Hash: store.Hash(value[:len(store.Hash{})])}, nil
}

// lastRecord reads the head when the engine is opened.
func (db *DB) lastRecord() (store.Record, error) {
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowLog}, UpperBound: []byte{rowLog + 1}})
	if err != nil {
		return store.Record{}, err
	}
	defer it.Close()
	if !it.Last() {
		return store.Record{}, it.Error()
	}
	rec, err := parseLog(it)
	rec.Payload = nil
	return rec, err
}
