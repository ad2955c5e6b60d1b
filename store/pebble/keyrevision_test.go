package pebble

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// rekeyOf rekeys a version that was read with a key revision.
func rekeyOf(d store.Doc, keys string) store.Batch {
	d.Keys = split(keys)
	return store.Batch{Writes: []store.Write{{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}}}
}

func newest(t *testing.T, db *DB, id string) (d store.Doc) {
	t.Helper()
	err := db.Read(t.Context(), func(s store.Snapshot) (err error) {
		d, err = s.Get(t.Context(), store.Ref{Type: "T", ID: id})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A folder of the second format has rows without a key revision. They are read as 0, rekeying
// counts from there, and programs of that format then reject the folder.
func TestFolderWithoutKeying(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	sample(t, db)
	if err := db.rows.Set(nameRow(rowMeta, metaFormat), []byte(formatTwo), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, nil)
	if format, err := get(db.rows, nameRow(rowMeta, metaFormat)); err != nil || string(format) != formatValue {
		t.Errorf("format after opening: got %q, %v, want %q", format, err, formatValue)
	}
	for _, id := range []string{"a", "b"} { // live and deleted
		for n := range uint64(2) {
			d := newest(t, db, id)
			if d.KeyRevision != n {
				t.Errorf("%s: got keying %d, want %d", id, d.KeyRevision, n)
			}
			if _, err := db.Commit(t.Context(), rekeyOf(d, "k|n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// These bytes are a row from before there was a key revision.
func TestRowsWrittenWithoutKeying(t *testing.T) {
	rec, err := parseRecord([]byte("\x00\x00\x00\x00\x00\x00\x00\x09\x22\x03\x03\x00\x0c\x02id\x03RX1\x01\x01\x00\x01k"))
	if err != nil || rec.keyRevision != 0 || rec.version != 3 || rec.origin != store.Updated || rec.code != 12 || string(rec.id) != "id" || string(rec.source) != "RX1" {
		t.Errorf("record: got %+v, %v", rec, err)
	}
	id, _ := toRowID(testID(1, "a"))
	for row, want := range map[string]newestEntry{
		"\x03":                              {version: 3},
		"\x03" + string(id[:]):              {version: 3, live: true, id: id},
		"\xac\x02":                          {version: 300},
		"\x7f" + string(id[:]):              {version: 127, live: true, id: id},
		"\x03\x05":                          {version: 3, keyRevision: 5},
		"\x03" + string(id[:]) + "\xac\x02": {version: 3, live: true, id: id, keyRevision: 300},
	} {
		if got, err := parseNewest([]byte(row)); err != nil || got != want || string(want.encode()) != row {
			t.Errorf("address row %x: got %+v, %v, want %+v", row, got, err, want)
		}
	}
}

func TestVerifyFindsAKeyingThatDiffers(t *testing.T) {
	for _, id := range []string{"a", "b"} {
		db := open(t, t.TempDir(), nil)
		sample(t, db)
		if _, err := db.Commit(t.Context(), rekeyOf(newest(t, db, id), "k")); err != nil {
			t.Fatal(err)
		}
		if err := db.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		row := newestRow(nil, 1, id)
		value, err := get(db.rows, row)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := parseNewest(value)
		if err != nil {
			t.Fatal(err)
		}
		entry.keyRevision++
		if err := db.rows.Set(row, entry.encode(), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), "key revision 2 in its i row and 1 in") {
			t.Errorf("verify of T/%s: got %v, want key revisions 2 and 1", id, err)
		}
	}
}
