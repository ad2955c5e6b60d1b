package pebble

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Export implements store.Copier. The copy is of one snapshot, keys included.
func (db *DB) Export(ctx context.Context) iter.Seq2[store.CopyItem, error] {
	return func(yield func(store.CopyItem, error) bool) {
		if err := db.outOfService(); err != nil {
			yield(store.CopyItem{}, err)
			return
		}
		// The snapshot has all acknowledged commits, and also those that are applied but not yet
		// durable.
		rows := db.rows.NewSnapshot()
		defer rows.Close()
		e := &export{snap: db.snap(rows), names: db.types.names(), yield: yield}
		err := e.documents(ctx)
		if err == nil && !e.done {
			err = e.log(ctx)
		}
		if err != nil && !e.done {
			if ctx.Err() == nil {
				err = unavailable("export", err)
			}
			yield(store.CopyItem{}, err)
		}
	}
}

// export is one run of Export.
type export struct {
	*snap
	names map[typeCode]string
	yield func(store.CopyItem, error) bool
	done  bool // the caller has stopped
}

func (e *export) documents(ctx context.Context) error {
	it, err := e.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowNewest}, UpperBound: []byte{rowNewest + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok && !e.done; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := it.Key()
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		now, err := parseNewest(value)
		if err != nil || len(row) < 3 {
			return fmt.Errorf("newest row %x: %w", row, errDamaged)
		}
		if err := e.versions(typeCode(binary.BigEndian.Uint16(row[1:])), string(row[3:]), now); err != nil {
			return fmt.Errorf("newest row %x: %w", row, err)
		}
	}
	return it.Error()
}

// versions yields the versions of a document, newest first.
func (e *export) versions(code typeCode, id string, now newestEntry) error {
	typ := e.names[code]
	if typ == "" {
		return errDamaged
	}
	for version := now.version; version > 0 && !e.done; version-- {
		v, err := e.version(code, id, version, now)
		if err != nil {
			return err
		}
		d, err := e.document(typ, v)
		if err != nil {
			return err
		}
		e.done = !e.yield(store.CopyItem{Doc: &d}, nil)
	}
	return nil
}

func (e *export) log(ctx context.Context) error {
	it, err := e.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowLog}, UpperBound: []byte{rowLog + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok && !e.done; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		rec, err := parseLog(it)
		if err != nil {
			return err
		}
		e.done = !e.yield(store.CopyItem{Record: &rec}, nil)
	}
	return it.Error()
}

// importBytes is about the size of a batch of an import.
const importBytes = 4 << 20

var errOrder = errors.New("versions or records do not follow each other")

// Import implements store.Copier.
func (db *DB) Import(ctx context.Context, parts iter.Seq2[store.CopyItem, error]) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.empty(); err != nil {
		return fmt.Errorf("pebble: import: %w", err)
	}
	in := &importer{db: db, out: db.rows.NewBatch(), seq: db.seq}
	defer func() { _ = in.out.Close() }()
	for p, err := range parts {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = in.add(p)
		}
		if err != nil {
			return fmt.Errorf("pebble: import: %w", err)
		}
	}
	if in.last.Version > 1 {
		return fmt.Errorf("pebble: import: the versions of %s: %w", in.last.Ref, errOrder)
	}
	set(in.out, nameRow(rowMeta, metaSeq), commitNumber(in.seq))
	feed := rand.Text()
	set(in.out, nameRow(rowMeta, metaFeed), []byte(feed))
	if err := in.flush(pebble.Sync); err != nil {
		return err
	}
	// Stored counts of the empty store are wrong now.
	db.counts.keys.Store(&countsByKey{})
	if err := db.counts.deleteRows(db.rows); err != nil {
		return unavailable("import", err)
	}
	db.seq, db.head = in.seq, in.head
	db.applied.Store(db.seq)
	db.durable.Store(db.head.Pos)
	db.feedEnd.reset(feed, db.seq)
	return nil
}

// empty returns ErrExists if there is a document or a log record.
func (db *DB) empty() error {
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowNewest}, UpperBound: []byte{rowNewest + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	if it.First() || db.head.Pos > 0 {
		return store.ErrExists
	}
	return it.Error()
}

// importer is one run of Import.
type importer struct {
	db   *DB
	out  *pebble.Batch
	last store.Doc // the previous version
	seq  uint64    // the highest
	head store.Record
}

func (in *importer) add(p store.CopyItem) error {
	switch {
	case p.Record != nil:
		r := *p.Record
		if r.Pos != in.head.Pos+1 || r.Hash != store.ChainHash(in.head.Hash, r.Pos, r.Payload) {
			return fmt.Errorf("log record %d: %w", r.Pos, errOrder)
		}
		set(in.out, logRow(r.Pos), append(append(make([]byte, 0, len(r.Hash)+len(r.Payload)), r.Hash[:]...), r.Payload...))
		in.head = store.Record{Pos: r.Pos, Hash: r.Hash}
	case p.Doc != nil:
		if err := in.version(p.Doc); err != nil {
			return fmt.Errorf("version %d of %s: %w", p.Doc.Version, p.Doc.Ref, err)
		}
	}
	if in.out.Len() < importBytes {
		return nil
	}
	return in.flush(pebble.NoSync)
}

func (in *importer) flush(o *pebble.WriteOptions) error {
	if err := in.db.rows.Apply(in.out, o); err != nil {
		return unavailable("import", err)
	}
	_ = in.out.Close() // it was applied
	in.out = in.db.rows.NewBatch()
	return nil
}

// version writes the rows of a version, those of a newest version if the document is new.
func (in *importer) version(exported *store.Doc) error {
	d := *exported
	d.KeyRevision = 0 // not copied
	code, err := in.db.types.assign(in.db.rows, d.Ref.Type)
	if err != nil {
		return err
	}
	id, fits := toRowID(d.RowID)
	newest := in.last.Ref != d.Ref
	if !fits || d.Version == 0 || !newest && d.Version != in.last.Version-1 || newest && in.last.Version > 1 {
		return errOrder
	}
	in.last = store.Doc{Ref: d.Ref, Version: d.Version}
	in.seq = max(in.seq, d.Seq)
	row := appendRecord(nil, &d, code)
	c := &change{write: &store.Write{Doc: d}, code: code, id: id}
	c.putHistory(in.out, d.Seq)
	if newest && !d.Deleted() {
		var posted postingRows
		c.create(in.out, &posted)
		posted.putSorted(in.out)
		set(in.out, docRow(rowDoc, id), row)
		return nil
	}
	if newest {
		set(in.out, newestRow(nil, code, d.Ref.ID), newestEntry{version: d.Version}.encode())
	}
	set(in.out, versionRow(rowVersion, code, d.Ref.ID, d.Version), append(id[:len(id):len(id)], row...))
	if !d.Deleted() {
		set(in.out, versionRow(rowOldBody, code, d.Ref.ID, d.Version), d.Body)
	}
	return nil
}
