package audit_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent/audit"
	"carerecord/store"
)

func chain(n int) []store.Record {
	var out []store.Record
	var last store.Hash
	for i := 1; i <= n; i++ {
		payload := fmt.Appendf(nil, `{"recorded":"2026-01-01T00:00:%02dZ","request":"r%d"}`, i, i)
		last = store.ChainHash(last, uint64(i), payload)
		out = append(out, store.Record{Pos: uint64(i), Hash: last, Payload: payload})
	}
	return out
}

func seq(records []store.Record) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// renumber makes positions consecutive, like a person who edits the rows would.
func renumber(records []store.Record) []store.Record {
	for i := range records {
		records[i].Pos = uint64(i + 1)
	}
	return records
}

func TestVerifyNamesThePosition(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func([]store.Record) []store.Record
		want   []string
	}{
		{"an untouched chain holds", func(r []store.Record) []store.Record { return r }, nil},
		{"AUD-504 altered record", func(r []store.Record) []store.Record {
			r[4].Payload = []byte(`{"recorded":"2026-01-01T00:00:05Z","request":"other"}`)
			return r
		}, []string{"5 altered"}},
		{"AUD-504 altered record with its own hash recomputed", func(r []store.Record) []store.Record {
			r[4].Payload = []byte(`{"recorded":"2026-01-01T00:00:05Z","request":"other"}`)
			r[4].Hash = store.ChainHash(r[3].Hash, 5, r[4].Payload)
			return r
		}, []string{"6 altered"}},
		{"AUD-504 missing record", func(r []store.Record) []store.Record { return slices.Delete(r, 4, 5) }, []string{"5 missing"}},
		{"AUD-504 missing first record", func(r []store.Record) []store.Record { return r[1:] }, []string{"1 missing"}},
		{"AUD-504 missing record, rows moved up", func(r []store.Record) []store.Record {
			return renumber(slices.Delete(r, 4, 5))
		}, []string{"5 missing"}},
		{"AUD-504 two positions", func(r []store.Record) []store.Record {
			r[1].Payload = []byte(`{"recorded":"2026-01-01T00:00:02Z","request":"other"}`)
			return renumber(slices.Delete(r, 5, 8))
		}, []string{"2 altered", "6 missing"}},
		{"AUD-504 inserted record", func(r []store.Record) []store.Record {
			extra := store.Record{Payload: []byte(`{"recorded":"2026-01-01T00:00:05Z","request":"false"}`)}
			extra.Hash = store.ChainHash(r[3].Hash, 5, extra.Payload)
			return renumber(slices.Insert(r, 4, extra))
		}, []string{"5 inserted"}},
		{"AUD-504 reordered records", func(r []store.Record) []store.Record {
			r[4], r[5] = r[5], r[4]
			return renumber(r)
		}, []string{"5 reordered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := audit.VerifyRecords(seq(c.damage(chain(10))))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range report.Breaks {
				got = append(got, fmt.Sprintf("%d %s", b.Pos, b.Kind))
			}
			if diff := cmp.Diff(got, c.want); diff != "" {
				t.Errorf("breaks: got-, want+\n%s", diff)
			}
		})
	}
}
