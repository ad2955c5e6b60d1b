package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Raw is a tree with the options of the engine and no checks. The engine is measured against it.
type Raw struct{ rows *pebble.DB }

// OpenRaw opens a tree in a folder, or creates it.
func OpenRaw(dir string) (*Raw, error) {
	rows, err := pebble.Open(dir, options(Config{Dir: dir, Log: slog.Default()}))
	if err != nil {
		return nil, fmt.Errorf("pebble: open %s: %w", dir, err)
	}
	return &Raw{rows: rows}, nil
}

// Apply applies a batch that Config.Batches received, and returns when it is durable. It keeps
// the bytes and changes them. It is safe for concurrent use; concurrent callers share one sync.
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

// EditLog replaces the records of the log by others without checking their chain, as an attacker
// with access to the disk could. It is for tests of the audit trail.
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

// Close closes the tree.
func (r *Raw) Close() error { return r.rows.Close() }

// Compact merges the whole tree and removes all superseded rows.
func (db *DB) Compact(ctx context.Context) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	db.snapshots.drop() // it would keep rows that were superseded since
	if err := db.rows.Compact(ctx, []byte{0}, []byte{255}, true); err != nil {
		return unavailable("compact", err)
	}
	return nil
}
