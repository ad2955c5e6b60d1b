package pebble

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// sample writes documents with every kind of row: a live one of two versions
// (a), a tombstone (b) and a log.
func sample(t *testing.T, db *DB) {
	t.Helper()
	for i, d := range []store.Doc{
		{Ref: store.Ref{Type: "T", ID: "a"}, Version: 1, Origin: store.Created, Keys: split("k|l|\x80v"), Body: []byte("1"), RowID: testID(1, "a")},
		{Ref: store.Ref{Type: "T", ID: "b"}, Version: 1, Origin: store.Created, Keys: split("k"), Body: []byte("2"), RowID: testID(1, "b")},
		{Ref: store.Ref{Type: "T", ID: "a"}, Version: 2, Origin: store.Updated, Keys: split("k|m|\x80v"), Body: []byte("3"), RowID: testID(1, "a")},
		{Ref: store.Ref{Type: "T", ID: "b"}, Version: 2, Origin: store.Deleted, Keys: split("k"), RowID: testID(1, "b")},
	} {
		d.Updated = time.UnixMilli(int64(i)).UTC()
		b := store.Batch{Writes: []store.Write{{Doc: d, Expect: d.Version - 1}}, Log: [][]byte{fmt.Append(nil, i)}}
		if _, err := db.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyFindsEveryMissingRow(t *testing.T) {
	intact := open(t, t.TempDir(), nil)
	sample(t, intact)
	if err := intact.Verify(t.Context()); err != nil {
		t.Fatalf("verify of a sound engine: %v", err)
	}
	var rows [][]byte
	it, err := intact.rows.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		// The counters and the end of the log cannot be missed.
		if it.Key()[0] != rowMeta && string(it.Key()) != string(logRow(4)) {
			rows = append(rows, append([]byte(nil), it.Key()...))
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("%q", row), func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, dir, nil)
			sample(t, db)
			if err := db.rows.Delete(row, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if row[0] == rowType { // the dictionary is kept in memory
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				db = open(t, dir, nil)
			}
			if err := db.Verify(t.Context()); err == nil {
				t.Error("the row is gone and verify finds nothing")
			}
		})
	}
}

func TestVerifyFindsStrayRows(t *testing.T) {
	id, _ := toRowID(testID(9, "x"))
	a, _ := toRowID(testID(1, "a"))
	for _, c := range []struct {
		name       string
		row, value []byte
		want       string
	}{
		{"a posting without a document", postingRow(nil, 1, "k", id), nil, "refers to a document that does not exist"},
		{"a posting of a key that the document lost", postingRow(nil, 1, "l", a), nil, "no such key"},
		{"a posting of a key that only verifies", postingRow(nil, 1, "\x80v", a), nil, ""},
		{"a row of another type", allRow(2, a), nil, "no such key or type"},
		{"an i row without a document", newestRow(nil, 1, "c"), newestEntry{version: 1, live: true, id: id}.encode(), "the i row of T/c refers to"},
		{"history without a version", historyRow(1, 5, 5, "a"), []byte{3}, "history of T/a"},
		{"a change without a version", changeRow(5, 1, "a"), []byte{3}, "the change feed has version 3 of T/a"},
		{"a change of another commit", changeRow(4, 1, "a"), []byte{2}, "the change feed has version 2 of T/a in commit 4"},
		{"a body without a document", docRow(rowBody, id), nil, "bodies"},
		{"an old body without a version", versionRow(rowOldBody, 1, "a", 7), nil, "no version"},
		{"a log record after a gap", logRow(9), make([]byte, 40), "log record 9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, t.TempDir(), nil)
			sample(t, db)
			if err := db.rows.Set(c.row, c.value, pebble.Sync); err != nil {
				t.Fatal(err)
			}
			if err := db.Verify(t.Context()); c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("verify: got %v, want %q", err, c.want)
			}
		})
	}
}
