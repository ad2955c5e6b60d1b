package pebble

import (
	"fmt"
	"testing"

	"carerecord/store"
)

// TestTheSmallerRangeDrives: of several ranges, the one with the fewest postings drives,
// whatever its position, and the result does not depend on it.
func TestTheSmallerRangeDrives(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	for n := range 300 {
		keys := []store.Key{store.Key(fmt.Sprintf("a%03d", n))}
		if n%100 == 0 {
			keys = append(keys, store.Key(fmt.Sprintf("b%03d", n)))
		}
		d := benchDoc(n)
		d.Keys = keys
		if _, err := db.Commit(t.Context(), batchOf(d)); err != nil {
			t.Fatal(err)
		}
	}
	wide, narrow := store.WithPrefix("a"), store.WithPrefix("b")
	for _, where := range []store.And{{wide, narrow}, {narrow, wide}} {
		err := db.Read(t.Context(), func(view store.Snapshot) error {
			s := view.(*snap)
			code, _ := s.types.code("Observation")
			got, err := s.cheapest(t.Context(), planTyped(where).(verified).plan.(cheapestOf), code)
			if err != nil {
				return err
			}
			if want := planTyped(narrow).String(); got.String() != want {
				t.Errorf("%s drives, want %s", got, want)
			}
			n, err := s.Count(t.Context(), store.Query{Type: "Observation", Where: where}, 0)
			if n != 3 {
				t.Errorf("%d documents are found, want 3", n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
