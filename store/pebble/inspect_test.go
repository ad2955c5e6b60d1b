package pebble

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Rows decodes every kind of row that the package documentation lists.
func TestRows(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	sample(t, db)
	if _, err := db.Commit(t.Context(), rekeyOf(newest(t, db, "a"), "\x00\x00hb|k|\x80v")); err != nil {
		t.Fatal(err)
	}
	if err := db.Insert(t.Context(), "name", []byte("value"), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	code, _ := db.types.code("T")
	if err := db.rows.Set(countRow(code, "k"), []byte{200, 1}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	got := map[byte][]string{}
	for row, err := range db.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got[row.Kind] = append(got[row.Kind], fmt.Sprint(line(row.Key), " → ", line(row.Value)))
	}
	id, _ := toRowID(testID(1, "a"))
	at := fmt.Sprintf("partition %x, sort key %x", id[:6], id[6:])
	for kind, want := range map[byte]string{
		rowType:    "type T → code 1",
		rowNewest:  "type T, id a → version 2, " + at + ", key revision 1",
		rowDoc:     at + ` → seq 3, updated 1970-01-01T00:00:00.002Z, version 2, origin updated, type T, key revision 1, id a, source , keys ["\x00\x00hb" "k" "\x80v"]`,
		rowBody:    at + " → body 3",
		rowAll:     "type T, " + at + " → ",
		rowPosting: `type none: a cross-type key, key ["\x00\x00hb"], ` + at + " → ",
		rowCount:   `type T, key ["k"] → count 200`,
		rowVersion: "type T, id a, version 1 → " + at + `, seq 1, updated 1970-01-01T00:00:00Z, version 1, origin created, type T, id a, source , keys ["k" "l" "\x80v"]`,
		rowOldBody: "type T, id a, version 1 → body 1",
		rowHistory: "type T, updated 1970-01-01T00:00:00.003Z, seq 4, id b → version 2",
		rowChange:  "seq 1, type T, id a → version 1",
		rowState:   "name name → expires " + "2100-01-01T00:00:00Z" + ", value value",
		rowLog:     "position 1 → hash ",
		rowMeta:    "name format → value " + formatValue,
	} {
		found := slices.ContainsFunc(got[kind], func(text string) bool { return text == want || kind == rowLog && strings.HasPrefix(text, want) })
		if !found {
			t.Errorf("%c: got %q, want %q", kind, got[kind], want)
		}
		delete(got, kind)
	}
	if len(got) > 0 {
		t.Errorf("kinds of rows that this test does not know: %v", got)
	}
}

// A row that is damaged ends the sequence with an error.
func TestRowsFindsDamage(t *testing.T) {
	for name, row := range map[string][2]string{
		"no such kind":     {"z", ""},
		"a short row ID":   {"d\x00", ""},
		"no such type":     {"iZZid", "\x01"},
		"a key not ended":  {"p\x00\x01k", ""},
		"a long count":     {"c\x00\x01k\x00\x01", "\x01\x01"},
		"a short record":   {"d" + strings.Repeat("x", rowIDSize), "\x00"},
		"a version of 0":   {"i\x00\x01id", "\x00"},
		"a short position": {"l\x00", strings.Repeat("x", 40)},
	} {
		db := open(t, t.TempDir(), nil)
		sample(t, db)
		if err := db.rows.Set([]byte(row[0]), []byte(row[1]), pebble.Sync); err != nil {
			t.Fatal(err)
		}
		var last error
		for _, last = range db.Rows(t.Context()) {
		}
		if !errors.Is(last, errDamaged) {
			t.Errorf("%s: got %v, want %v", name, last, errDamaged)
		}
	}
}

func line(of []store.Field) string {
	var out []string
	for _, f := range of {
		text := f.Text
		if f.Keys != nil {
			text = fmt.Sprintf("%q", f.Keys)
		}
		out = append(out, f.Name+" "+text)
	}
	return strings.Join(out, ", ")
}
