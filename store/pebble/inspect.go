package pebble

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"

	"carerecord/store"
	"carerecord/store/wire"
)

// StoredRow is one decoded row of the tree.
type StoredRow struct {
	Kind       byte   // the first byte, see the package documentation
	Meaning    string // the meaning of Kind
	Key, Value []store.Field
	RawKey     []byte
	RawValue   []byte
}

// Rows yields all rows of one snapshot in their order. An error ends the sequence; a row that
// cannot be decoded is an error. It is for the test that writes docs/storage-example.md.
func (db *DB) Rows(ctx context.Context) iter.Seq2[StoredRow, error] {
	return func(yield func(StoredRow, error) bool) {
		fail := func(err error) { yield(StoredRow{}, unavailable("read the rows", err)) }
		if err := db.outOfService(); err != nil {
			yield(StoredRow{}, err)
			return
		}
		rows := db.rows.NewSnapshot()
		defer rows.Close()
		it, err := rows.NewIter(nil)
		if err != nil {
			fail(err)
			return
		}
		defer it.Close()
		types := db.types.names()
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				fail(err)
				return
			}
			row, err := decodeRow(types, bytes.Clone(it.Key()), bytes.Clone(value))
			if err != nil {
				fail(err)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := it.Error(); err != nil {
			fail(err)
		}
	}
}

// decodeRow decodes a row and keeps key and value.
func decodeRow(types map[typeCode]string, key, value []byte) (StoredRow, error) {
	if len(key) == 0 {
		return StoredRow{}, errDamaged
	}
	out := StoredRow{Kind: key[0], RawKey: key, RawValue: value}
	k, v := &fields{bytesReader: wire.NewReader(key[1:]), types: types}, &fields{bytesReader: wire.NewReader(value), types: types}
	switch out.Kind {
	case rowType:
		out.Meaning = "dictionary of types: the code of a type in rows"
		k.text("type")
		v.number("code", 2)
	case rowNewest:
		out.Meaning = "the newest version of a document"
		k.typ()
		k.text("id")
		v.newestEntry()
	case rowDoc:
		out.Meaning = "a live document: facts and keys"
		k.rowID()
		v.record()
	case rowBody:
		out.Meaning = "the body of a live document"
		k.rowID()
		v.text("body")
	case rowAll:
		out.Meaning = "a live document of a type"
		k.typ()
		k.rowID()
	case rowPosting:
		out.Meaning = "a posting: a live document with a driving or cross-type key"
		k.typ()
		k.key()
		k.rowID()
	case rowCount:
		out.Meaning = "the number of postings of a key; for a few keys only"
		k.typ()
		k.key()
		v.uvarints("count")
	case rowVersion:
		out.Meaning = "a superseded version or a tombstone: its rowid, facts and keys"
		k.version()
		v.rowID()
		v.record()
	case rowOldBody:
		out.Meaning = "the body of a superseded version"
		k.version()
		v.text("body")
	case rowHistory:
		out.Meaning = "a version in the history of its type, newest first"
		k.typ()
		k.descending()
		k.text("id")
		v.uvarints("version")
	case rowChange:
		out.Meaning = "a version in the change feed, by its commit"
		k.number("seq", 8)
		k.typ()
		k.text("id")
		v.uvarints("version")
	case rowState:
		out.Meaning = "a value of State"
		k.text("name")
		v.expiry()
		v.text("value")
	case rowLog:
		out.Meaning = "a record of the log"
		k.number("position", 8)
		v.hex("hash", uint64(len(store.Hash{})))
		v.text("payload")
	case rowMeta:
		out.Meaning = "metadata of the folder"
		k.text("name")
		switch string(key[1:]) {
		case metaSeq, metaCounted:
			v.number("commit", 8)
		default:
			v.text("value")
		}
	default:
		return StoredRow{}, fmt.Errorf("row %x: %w", key, errDamaged)
	}
	if k.Failed() || v.Failed() || k.Len() > 0 || v.Len() > 0 {
		return StoredRow{}, fmt.Errorf("row %x: %w", key, errDamaged)
	}
	out.Key, out.Value = k.out, v.out
	return out, nil
}

type bytesReader = wire.Reader[[]byte]

// fields decodes the key or the value of a row, field by field.
type fields struct {
	bytesReader
	types map[typeCode]string
	out   []store.Field
}

func (f *fields) add(name, text string) { f.out = append(f.out, store.Field{Name: name, Text: text}) }

// text reads the rest.
func (f *fields) text(name string) { f.add(name, string(f.Bytes(uint64(f.Len())))) }

func (f *fields) hex(name string, n uint64) { f.add(name, fmt.Sprintf("%x", f.Bytes(n))) }

func (f *fields) uvarints(names ...string) {
	for _, name := range names {
		f.add(name, fmt.Sprint(f.Uvarint()))
	}
}

// uint reads n bytes in big-endian order.
func (f *fields) uint(n int) (v uint64) {
	for _, b := range f.Bytes(uint64(n)) {
		v = v<<8 | uint64(b)
	}
	return v
}

func (f *fields) number(name string, bytes int) { f.add(name, fmt.Sprint(f.uint(bytes))) }

func (f *fields) typ() {
	code := typeCode(f.uint(2))
	name := f.types[code]
	if name == "" && code != crossType {
		f.Fail()
	}
	if code == crossType {
		name = "none: a cross-type key"
	}
	f.add("type", name)
}

func (f *fields) rowID() {
	f.hex("partition", 6)
	f.hex("sort key", store.SortKeySize)
}

// escaped reads a string that appendKey wrote, with its terminator.
func (f *fields) escaped() string {
	s, rest, ok := cutKey(f.Rest())
	if !ok {
		f.Fail()
	}
	f.Bytes(uint64(f.Len() - len(rest)))
	return s
}

func (f *fields) key() {
	f.out = append(f.out, store.Field{Name: "key", Keys: []store.Key{store.Key(f.escaped())}})
}

func (f *fields) version() {
	f.typ()
	f.add("id", f.escaped())
	f.number("version", 8)
}

func (f *fields) descending() {
	f.add("updated", formatInstant(decodeDescending(f.uint(8))))
	f.add("seq", fmt.Sprint(^f.uint(8)))
}

func (f *fields) expiry() {
	micro := int64(f.uint(8))
	text := "never"
	if micro != neverExpires {
		text = time.UnixMicro(micro).UTC().Format(time.RFC3339Nano)
	}
	f.add("expires", text)
}

func (f *fields) newestEntry() {
	s, err := parseNewest(f.Rest())
	if err != nil {
		f.Fail()
		return
	}
	f.uvarints("version")
	if s.live {
		f.rowID()
	}
	if s.keyRevision > 0 {
		f.uvarints("key revision")
	}
}

// record reads a row that appendRecord wrote.
func (f *fields) record() {
	rec, err := parseRecord(f.Bytes(uint64(f.Len())))
	if err != nil {
		f.Fail()
		return
	}
	keys, err := decodeKeys(rec.keys, nil)
	typ := f.types[rec.code]
	if err != nil || typ == "" {
		f.Fail()
		return
	}
	f.add("seq", fmt.Sprint(rec.seq))
	f.add("updated", formatInstant(rec.milli))
	f.add("version", fmt.Sprint(rec.version))
	f.add("origin", rec.origin.String())
	f.add("type", typ)
	if rec.keyRevision > 0 {
		f.add("key revision", fmt.Sprint(rec.keyRevision))
	}
	f.add("id", string(rec.id))
	f.add("source", string(rec.source))
	f.out = append(f.out, store.Field{Name: "keys", Keys: keys})
}

func formatInstant(milli int64) string { return instant(milli).Format(time.RFC3339Nano) }
