package pebble

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/store"
)

func FuzzRecordsReadBack(f *testing.F) {
	f.Add("id", "RX1", "a|ab|b", uint64(3), int64(17), uint64(9), byte(2), uint64(0))
	f.Add("id", "", "a", uint64(3), int64(17), uint64(9), byte(2), uint64(300))
	f.Add("", "", "", uint64(0), int64(-62135596800000), uint64(0), byte(0), uint64(1))
	f.Fuzz(func(t *testing.T, id, source, keys string, version uint64, milli int64, seq uint64, origin byte, keying uint64) {
		want := store.Doc{
			Ref: store.Ref{Type: "T", ID: id}, Version: version, Seq: seq, Updated: time.UnixMilli(milli).UTC(),
			RowID: testID(5, "order"), Source: source, Origin: store.Origin(origin &^ rekeyedBit), Keys: split(keys), KeyRevision: keying,
		}
		want.Updated = time.UnixMilli(want.Updated.UnixMilli()).UTC()
		row := appendRecord(nil, &want, 12)
		rec, err := parseRecord(row)
		if err != nil || rec.code != 12 {
			t.Fatalf("parse: %v, code %d", err, rec.code)
		}
		read, err := decodeKeys(rec.keys, nil)
		if err != nil {
			t.Fatalf("keys: %v", err)
		}
		if diff := cmp.Diff(rec.doc("T", want.RowID, read), want, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("record (-got +want):\n%s", diff)
		}
	})
}

func split(s string) []store.Key {
	var keys []store.Key
	for _, k := range strings.Split(s, "|") {
		keys = append(keys, store.Key(k))
	}
	return store.Sorted(keys)
}

func FuzzDamagedRecordsAreRefused(f *testing.F) {
	d := store.Doc{Ref: store.Ref{ID: "id"}, Version: 1, Keys: []store.Key{"a", "ab", "b"}}
	f.Add(appendRecord(nil, &d, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if rec, err := parseRecord(b); err == nil {
			_, _ = decodeKeys(rec.keys, nil) // must not panic
		}
		_, _ = parseNewest(b)
		_, _ = parseVersion(1, "id", b)
		_, _ = parseHistory(b, b)
	})
}

func TestDecodedKeysOutliveTheRowAndTheSlice(t *testing.T) {
	row := appendKeys(nil, []store.Key{"a", "ab", "abc"})
	first, err := decodeKeys(row, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := first[1]
	clear(row)
	if _, err := decodeKeys(appendKeys(nil, []store.Key{"x", "y", "z"}), first); err != nil {
		t.Fatal(err)
	}
	if kept != "ab" {
		t.Errorf("a key became %q, want ab", kept)
	}
}
