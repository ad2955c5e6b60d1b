package pebble

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"carerecord/store"
	"carerecord/store/wire"
)

// The first bytes of rows, see the package documentation.
const (
	rowAll      = 'a'
	rowBody     = 'b'
	rowCount    = 'c'
	rowDoc      = 'd'
	rowChange   = 'f'
	rowHistory  = 'h'
	rowNewest   = 'i'
	rowLog      = 'l'
	rowMeta     = 'm'
	rowPosting  = 'p'
	rowState    = 's'
	rowType     = 't'
	rowVersion  = 'v'
	rowOldBody  = 'w'
	metaSeq     = "seq"
	metaFormat  = "format"
	metaCounted = "counted"
	metaFeed    = "feed"
	formatValue = "carerecord 3"
	formatTwo   = "carerecord 2" // without a key revision, which is 0
	formatOne   = "carerecord 1" // also without f rows, see upgrade
)

// typeCode is the code of a type in rows.
type typeCode uint16

const rowIDSize = 6 + store.SortKeySize

// rowID is a store.RowID as rows contain it.
type rowID [rowIDSize]byte

// toRowID encodes a row ID; ok is false if the partition has more than 48 bits.
func toRowID(id store.RowID) (d rowID, ok bool) {
	var partition [8]byte
	binary.BigEndian.PutUint64(partition[:], uint64(id.Partition))
	copy(d[:6], partition[2:])
	copy(d[6:], id.SortKey[:])
	return d, id.Partition>>48 == 0
}

func (d rowID) decode() store.RowID {
	var partition [8]byte
	copy(partition[2:], d[:6])
	id := store.RowID{Partition: store.Partition(binary.BigEndian.Uint64(partition[:]))}
	copy(id.SortKey[:], d[6:])
	return id
}

// next returns the row ID after d; false if d is the last possible one.
func (d rowID) next() (rowID, bool) {
	for i := len(d) - 1; i >= 0; i-- {
		d[i]++
		if d[i] != 0 {
			return d, true
		}
	}
	return d, false
}

func (d rowID) before(e rowID) bool { return bytes.Compare(d[:], e[:]) < 0 }

// Escaping: a zero byte becomes 00 ff, and 00 01 terminates. So the terminator sorts before
// every byte that may follow, and escaped strings sort as the strings do, also if one is a
// prefix of the other and the row continues after the terminator.
const (
	escape     = "\x00\xff"
	terminator = "\x00\x01"
)

// appendKey appends an index key, or another string, escaped but not terminated: the bound of a
// range of rows by that key.
func appendKey[S ~string](b []byte, s S) []byte {
	for {
		i := strings.IndexByte(string(s), 0)
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		b = append(b, escape...)
		s = s[i+1:]
	}
}

// cutKey decodes the result of appendKey and the terminator; rest is the bytes after it.
func cutKey(b []byte) (s string, rest []byte, ok bool) {
	var out []byte
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 >= len(b) {
			return "", nil, false
		}
		out = append(out, b[:i]...)
		switch b[i+1] {
		case terminator[1]:
			return string(out), b[i+2:], true
		case escape[1]:
			out = append(out, 0)
		default:
			return "", nil, false
		}
		b = b[i+2:]
	}
}

func appendCode(b []byte, row byte, code typeCode) []byte {
	return binary.BigEndian.AppendUint16(append(b, row), uint16(code))
}

func newestRow(b []byte, code typeCode, id string) []byte {
	return append(appendCode(b, rowNewest, code), id...)
}

func docRow(row byte, d rowID) []byte {
	return append(append(make([]byte, 0, 1+rowIDSize), row), d[:]...)
}

func allRow(code typeCode, d rowID) []byte {
	return append(appendCode(make([]byte, 0, 3+rowIDSize), rowAll, code), d[:]...)
}

// postingPrefix is the common prefix of the postings of one key.
func postingPrefix(b []byte, code typeCode, k store.Key) []byte {
	return append(appendKey(appendCode(b, rowPosting, code), k), terminator...)
}

func postingRow(b []byte, code typeCode, k store.Key, d rowID) []byte {
	return append(postingPrefix(b, code, k), d[:]...)
}

// lastRowID returns the row ID at the end of a row.
func lastRowID(row []byte) (d rowID, ok bool) {
	return d, len(row) >= rowIDSize && copy(d[:], row[len(row)-rowIDSize:]) == rowIDSize
}

func versionPrefix(row byte, code typeCode, id string) []byte {
	return append(appendKey(appendCode(make([]byte, 0, 16+len(id)), row, code), id), terminator...)
}

func versionRow(row byte, code typeCode, id string, version uint64) []byte {
	return binary.BigEndian.AppendUint64(versionPrefix(row, code, id), version)
}

// encodeDescending encodes an instant so that later ones sort first.
func encodeDescending(milli int64) uint64 { return ^(uint64(milli) ^ 1<<63) }

func decodeDescending(v uint64) int64 { return int64(^v ^ 1<<63) }

// historyPrefix is a history row without the ID.
func historyPrefix(code typeCode, milli int64, seq uint64) []byte {
	b := appendCode(make([]byte, 0, 19+40), rowHistory, code)
	b = binary.BigEndian.AppendUint64(b, encodeDescending(milli))
	return binary.BigEndian.AppendUint64(b, ^seq)
}

func historyRow(code typeCode, milli int64, seq uint64, id string) []byte {
	return append(historyPrefix(code, milli, seq), id...)
}

// changePrefix is the common prefix of the change rows of a commit.
func changePrefix(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 11+40), rowChange), seq)
}

func changeRow(seq uint64, code typeCode, id string) []byte {
	return append(binary.BigEndian.AppendUint16(changePrefix(seq), uint16(code)), id...)
}

// changeEntry is a decoded change row.
type changeEntry struct {
	seq     uint64
	code    typeCode
	id      string
	version uint64
}

func parseChange(row, value []byte) (e changeEntry, err error) {
	r := wire.NewReader(value)
	version := r.Uvarint()
	if len(row) < 11 || r.Failed() {
		return e, fmt.Errorf("change row %x is damaged", row)
	}
	return changeEntry{
		seq:     binary.BigEndian.Uint64(row[1:]),
		code:    typeCode(binary.BigEndian.Uint16(row[9:])),
		id:      string(row[11:]),
		version: version,
	}, nil
}

// historyEntry is a decoded history row.
type historyEntry struct {
	milli   int64
	seq     uint64
	id      string
	version uint64
}

func parseHistory(row, value []byte) (e historyEntry, err error) {
	r := wire.NewReader(value)
	version := r.Uvarint()
	if len(row) < 19 || r.Failed() {
		return e, fmt.Errorf("history row %x is damaged", row)
	}
	return historyEntry{
		milli:   decodeDescending(binary.BigEndian.Uint64(row[3:])),
		seq:     ^binary.BigEndian.Uint64(row[11:]),
		id:      string(row[19:]),
		version: version,
	}, nil
}

func logRow(pos uint64) []byte { return binary.BigEndian.AppendUint64([]byte{rowLog}, pos) }

func nameRow(row byte, name string) []byte {
	return append(append(make([]byte, 0, 1+len(name)), row), name...)
}

// commitNumber is the value of a row that contains the number of a commit.
func commitNumber(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// prefixEnd returns the end, exclusive, of the rows with a prefix.
func prefixEnd(prefix []byte) []byte {
	return []byte(store.PrefixEnd(store.Key(prefix)))
}

func instant(milli int64) time.Time { return time.UnixMilli(milli).UTC() }
