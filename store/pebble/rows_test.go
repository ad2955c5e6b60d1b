package pebble

import (
	"bytes"
	"cmp"
	"strings"
	"testing"

	"carerecord/store"
)

var awkward = []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "a\x00\x01", "a\x01", "a\xff", "a\xff\xff", "ab", "b", "\x01", "\xff"}

func FuzzPostingsOrderByKeyThenRowID(f *testing.F) {
	for _, a := range awkward {
		for _, b := range awkward {
			f.Add(a, b, uint64(1), uint64(256), "x", "y")
		}
	}
	f.Fuzz(func(t *testing.T, a, b string, placeA, placeB uint64, orderA, orderB string) {
		x, y := testID(placeA, orderA), testID(placeB, orderB)
		want := cmp.Or(strings.Compare(a, b), x.Compare(y))
		dx, _ := toRowID(x)
		dy, _ := toRowID(y)
		rowA, rowB := postingRow(nil, 7, store.Key(a), dx), postingRow(nil, 7, store.Key(b), dy)
		if got := bytes.Compare(rowA, rowB); got != want {
			t.Errorf("rows of (%q, %v) and (%q, %v) compare %d, want %d", a, x, b, y, got, want)
		}
		// A range of keys is a range of rows.
		low := appendKey(appendCode(nil, rowPosting, 7), b)
		if got, want := bytes.Compare(rowA, low) < 0, a < b; got != want {
			t.Errorf("row of %q is before the bound of %q: %v, want %v", a, b, got, want)
		}
		// The bytes before the row ID decide first.
		for _, bound := range [][]byte{rowB, low, rowB[:len(rowB)/2], rowB[:len(rowB)-1], appendCode(nil, rowPosting, 0)} {
			i, j := splitRow(rowA), splitRow(bound)
			if got, want := cmp.Or(bytes.Compare(rowA[:i], bound[:j]), bytes.Compare(rowA[i:], bound[j:])), bytes.Compare(rowA, bound); got != want {
				t.Errorf("rows %x and %x, split at %d and %d, compare %d, want %d", rowA, bound, i, j, got, want)
			}
		}
		if got, want := splitRow(rowA), len(rowA)-rowIDSize; got != want {
			t.Errorf("row %x is split at %d, want %d", rowA, got, want)
		}
		if dx.decode() != x {
			t.Errorf("docid %v reads back as %v", x, dx.decode())
		}
		if key, rest, ok := cutKey(rowA[3:]); !ok || key != a || !bytes.Equal(rest, dx[:]) {
			t.Errorf("row of (%q, %v) reads back as %q, %x, %v", a, x, key, rest, ok)
		}
	})
}

func testID(partition uint64, order string) store.RowID {
	id := store.RowID{Partition: store.Partition(partition & (1<<48 - 1))}
	copy(id.SortKey[:], order)
	return id
}

func FuzzCutKeyTakesAnyBytes(f *testing.F) {
	for _, a := range awkward {
		f.Add([]byte(a))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, rest, ok := cutKey(b); ok {
			if again := append(append(appendKey(nil, s), terminator...), rest...); !bytes.Equal(again, b) {
				t.Errorf("%x is read as %q and %x, which is written %x", b, s, rest, again)
			}
		}
	})
}

func TestHistoryRowsOrderNewestFirst(t *testing.T) {
	rows := []historyEntry{
		{milli: 5, seq: 9, id: "a"}, {milli: 5, seq: 9, id: "ab"}, {milli: 5, seq: 8, id: "a"}, {milli: 5, seq: 0, id: "z"},
		{milli: 0, seq: 100, id: "a"}, {milli: -1, seq: 1 << 60, id: "a"}, {milli: -1 << 50, seq: 1, id: "a"},
	}
	var last []byte
	for _, want := range rows {
		row := historyRow(3, want.milli, want.seq, want.id)
		if bytes.Compare(last, row) >= 0 {
			t.Errorf("row of %+v does not follow the one before", want)
		}
		want.version = 4
		if got, err := parseHistory(row, []byte{4}); err != nil || got != want {
			t.Errorf("row of %+v reads back as %+v, %v", want, got, err)
		}
		last = row
	}
}

func FuzzSplitRowsCompareAsBytes(f *testing.F) {
	for _, a := range awkward {
		for _, b := range awkward {
			f.Add([]byte("p\x00\x01"+a), []byte("p\x00\x01"+b+terminator+"docid"))
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		i, j := splitRow(a), splitRow(b)
		if got, want := cmp.Or(bytes.Compare(a[:i], b[:j]), bytes.Compare(a[i:], b[j:])), bytes.Compare(a, b); got != want {
			t.Errorf("%x and %x, split at %d and %d, compare %d, want %d", a, b, i, j, got, want)
		}
	})
}
