package pebble

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// upgradeBytes is the size of a batch of an upgrade.
const upgradeBytes = 4 << 20

// upgrade converts a folder to the current format: an empty one, or one of the first format,
// which had no f rows. Each is made from an h row. An interrupted upgrade is repeated as a
// whole, because the format is written last. A batch has about so many bytes.
func (db *DB) upgrade(batch int) error {
	it, err := db.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowHistory}, UpperBound: []byte{rowHistory + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	out := db.rows.NewBatch()
	defer func() { _ = out.Close() }()
	for ok := it.First(); ok; ok = it.Next() {
		row, value := it.Key(), it.Value()
		e, err := parseHistory(row, value)
		if err != nil {
			return err
		}
		set(out, changeRow(e.seq, typeCode(binary.BigEndian.Uint16(row[1:])), e.id), value)
		if out.Len() < batch {
			continue
		}
		if err := db.rows.Apply(out, pebble.NoSync); err != nil {
			return err
		}
		out.Reset()
	}
	if err := it.Error(); err != nil {
		return err
	}
	set(out, nameRow(rowMeta, metaFeed), []byte(rand.Text()))
	set(out, nameRow(rowMeta, metaFormat), []byte(formatValue))
	return db.rows.Apply(out, pebble.Sync)
}

// loadFeed reads the ID of the feed. All rows are durable when a folder is opened.
func (db *DB) loadFeed() error {
	feed, err := get(db.rows, nameRow(rowMeta, metaFeed))
	if err != nil {
		return err
	}
	db.feedEnd.reset(string(feed), db.seq)
	return nil
}
