package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Raw is a bare tree with the options of the engine. Batches are applied to it
// without any question: it is what the engine is measured against.
type Raw struct{ rows *pebble.DB }

// OpenRaw makes a bare tree in a folder.
func OpenRaw(dir string) (*Raw, error) {
	rows, err := pebble.Open(dir, options(Config{Dir: dir, Log: slog.Default()}))
	if err != nil {
		return nil, fmt.Errorf("pebble: open %s: %w", dir, err)
	}
	return &Raw{rows: rows}, nil
}

// Apply applies a batch, as Config.Batches told it, and returns when it is
// durable. It keeps the bytes and changes them. It is safe for concurrent use;
// concurrent callers share one sync.
func (r *Raw) Apply(batch []byte) error {
	b := r.rows.NewBatch()
	if err := b.SetRepr(batch); err != nil {
		return fmt.Errorf("pebble: read a batch: %w", err)
	}
	if err := r.rows.Apply(b, pebble.Sync); err != nil {
		return fmt.Errorf("pebble: apply a batch: %w", err)
	}
	return b.Close()
}

// EditLog puts other records in the place of those of the log, as they are
// given, links and all: what somebody can do who has the disk. Tests of the
// trail damage it so.
func (r *Raw) EditLog(edit func([]store.Record) []store.Record) error {
	it, err := r.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowLog}, UpperBound: []byte{rowLog + 1}})
	if err != nil {
		return err
	}
	var records []store.Record
	for ok := it.First(); ok; ok = it.Next() {
		rec, err := parseLog(it)
		if err != nil {
			return errors.Join(err, it.Close())
		}
		records = append(records, rec)
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("pebble: read the log: %w", err)
	}
	b := r.rows.NewBatch()
	if err := b.DeleteRange([]byte{rowLog}, []byte{rowLog + 1}, nil); err != nil {
		return err
	}
	for _, rec := range edit(records) {
		if err := b.Set(logRow(rec.Pos), append(rec.Hash[:], rec.Payload...), nil); err != nil {
			return err
		}
	}
	return r.rows.Apply(b, pebble.Sync)
}

// Close ends the tree.
func (r *Raw) Close() error { return r.rows.Close() }

// Compact merges the whole tree, so that nothing superseded is left in it.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.up(); err != nil {
		return err
	}
	db.snapshots.drop() // it would keep what was superseded since
	if err := db.rows.Compact(ctx, []byte{0}, []byte{255}, true); err != nil {
		return unavailable("compact", err)
	}
	return nil
}
