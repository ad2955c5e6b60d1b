package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carerecord/store"
	"carerecord/store/wire"
)

// errDamaged: a row cannot be decoded.
var errDamaged = errors.New("row is damaged")

// record is one version without row ID and body: the value of a d row and, after the row ID, of
// a v row. It begins with Seq in eight bytes, which are set last, when the number of the commit
// is known.
type record struct {
	seq         uint64
	milli       int64
	version     uint64
	keyRevision uint64
	origin      store.Origin
	code        typeCode
	id          []byte // these three share memory with the row
	source      []byte
	keys        []byte
}

// rekeyedBit in the origin: the key revision follows the type. Without it the key revision is 0,
// as in all rows written before it existed.
const rekeyedBit = 0x80

func appendRecord(b []byte, d *store.Doc, code typeCode) []byte {
	origin := byte(d.Origin)
	if d.KeyRevision > 0 {
		origin |= rekeyedBit
	}
	b = binary.BigEndian.AppendUint64(b, d.Seq)
	b = binary.AppendVarint(b, d.Updated.UnixMilli())
	b = binary.AppendUvarint(b, d.Version)
	b = append(b, origin)
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	if d.KeyRevision > 0 {
		b = binary.AppendUvarint(b, d.KeyRevision)
	}
	b = appendString(b, d.Ref.ID)
	b = appendString(b, d.Source)
	return appendKeys(b, d.Keys)
}

func setSeq(row []byte, seq uint64) { binary.BigEndian.PutUint64(row, seq) }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendKeys appends sorted keys: their number, their total length, and for each the length of
// the prefix that it shares with the previous one, and the rest.
func appendKeys(b []byte, keys []store.Key) []byte {
	total := 0
	for _, k := range keys {
		total += len(k)
	}
	b = binary.AppendUvarint(b, uint64(len(keys)))
	b = binary.AppendUvarint(b, uint64(total))
	last := store.Key("")
	for _, k := range keys {
		shared := 0
		for shared < min(len(k), len(last)) && k[shared] == last[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = appendString(b, string(k[shared:]))
		last = k
	}
	return b
}

func parseRecord(b []byte) (record, error) {
	r := wire.NewReader(b)
	var rec record
	if head := r.Bytes(8); head != nil {
		rec.seq = binary.BigEndian.Uint64(head)
	}
	rec.milli = r.Varint()
	rec.version = r.Uvarint()
	if v := r.Bytes(3); v != nil {
		rec.origin, rec.code = store.Origin(v[0]&^rekeyedBit), typeCode(binary.BigEndian.Uint16(v[1:]))
		if v[0]&rekeyedBit != 0 {
			rec.keyRevision = r.Uvarint()
		}
	}
	rec.id = r.Text()
	rec.source = r.Text()
	rec.keys = r.Rest()
	if r.Failed() {
		return record{}, errDamaged
	}
	return rec, nil
}

// decodeKeys decodes the result of appendKeys. The keys share one new buffer; the slice reuses
// that of into.
func decodeKeys(b []byte, into []store.Key) ([]store.Key, error) {
	r := wire.NewReader(b)
	count, total := r.Uvarint(), r.Uvarint()
	if r.Failed() || count > uint64(len(b)) || total > 1<<31 {
		return nil, errDamaged
	}
	keys := slices.Grow(into[:0], int(count))
	var arena strings.Builder // grown once, so the results of String stay valid
	arena.Grow(int(total))
	last := ""
	for range count {
		shared := r.Uvarint()
		rest := r.Text()
		from := arena.Len()
		if r.Failed() || shared > uint64(len(last)) || uint64(from)+shared+uint64(len(rest)) > total {
			return nil, errDamaged
		}
		arena.WriteString(last[:shared])
		arena.Write(rest)
		last = arena.String()[from:]
		keys = append(keys, store.Key(last))
	}
	if r.Len() != 0 {
		return nil, errDamaged
	}
	return keys, nil
}

// doc returns the document of a record, copied from the row, with the given keys and without
// body.
func (r *record) doc(typ string, id store.RowID, keys []store.Key) store.Doc {
	return store.Doc{
		Ref:         store.Ref{Type: typ, ID: string(r.id)},
		Version:     r.version,
		Updated:     instant(r.milli),
		Seq:         r.seq,
		RowID:       id,
		Source:      string(r.source),
		Origin:      r.origin,
		KeyRevision: r.keyRevision,
		Keys:        keys,
	}
}

// newestEntry is an i row: the newest version of a document.
type newestEntry struct {
	version     uint64 // 0: no version exists
	live        bool
	id          rowID  // if live
	keyRevision uint64 // how often the version was rekeyed
}

// revision returns the version and key revision, as a write or a check expects them.
func (s newestEntry) revision() revision { return revision{s.version, s.keyRevision} }

// revision is a version and how often it was rekeyed.
type revision struct{ version, keyRevision uint64 }

func (h revision) String() string {
	return fmt.Sprintf("%d, rekeyed %d times", h.version, h.keyRevision)
}

// encode writes the version, the row ID if it is live, and the key revision unless it is 0. The
// latter takes fewer bytes than a row ID, so parseNewest can distinguish them.
func (s newestEntry) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 8+rowIDSize), s.version)
	if s.live {
		b = append(b, s.id[:]...)
	}
	if s.keyRevision > 0 {
		b = binary.AppendUvarint(b, s.keyRevision)
	}
	return b
}

func parseNewest(b []byte) (s newestEntry, err error) {
	r := wire.NewReader(b)
	s.version = r.Uvarint()
	if r.Len() >= rowIDSize {
		s.live = true
		copy(s.id[:], r.Bytes(rowIDSize))
	}
	if r.Len() > 0 {
		s.keyRevision = r.Uvarint()
	}
	if r.Failed() || s.version == 0 || r.Len() > 0 {
		return newestEntry{}, errDamaged
	}
	return s, nil
}
