package mongo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// Inspect decodes every field of documents of res and old.
func TestInspect(t *testing.T) {
	d := store.Doc{Ref: store.Ref{Type: "T", ID: "a"}, Version: 3, Updated: time.UnixMilli(2000).UTC(), Source: "\x01S", Origin: store.Updated, KeyRevision: 2,
		RowID: store.RowID{Partition: 0xabc, SortKey: store.SortKey{1}}, Keys: []store.Key{"\x00\x00h\x01", "\x01k\xff", "\x80v"}, Body: []byte("{}")}
	live := stored(t, d)
	d.Origin, d.Body = store.Deleted, nil
	deleted := stored(t, d)
	old, err := superseded(live)
	if err != nil {
		t.Fatal(err)
	}
	const order = "01000000000000000000000000"
	for name, c := range map[string]struct {
		raw  bson.Raw
		want string
	}{
		"live": {live, "_id T/a, v 3, t T, lu 1970-01-01T00:00:02Z, g updated, p 000000000abc, o " + order + `, s ` + "\x01S" + `, k ["" "\x00\x00h\x01" "\x01k\xff"], f ["\x00\x00h\x01" "\x01k\xff" "\x80v"], r 2, b {}, q 7`},
		"dead": {deleted, "_id T/a, v 3, t T, lu 1970-01-01T00:00:02Z, g deleted, p 000000000abc, o " + order + `, s ` + "\x01S" + `, f ["\x00\x00h\x01" "\x01k\xff" "\x80v"], r 2, d T/a, q 7`},
		"old":  {old, "_id T/a/00000000000000000003, v 3, t T, lu 1970-01-01T00:00:02Z, g updated, p 000000000abc, o " + order + `, s ` + "\x01S" + `, f ["\x00\x00h\x01" "\x01k\xff" "\x80v"], r 2, b {}, q 7`},
	} {
		fields, err := Inspect(c.raw)
		var out []string
		for _, f := range fields {
			text := f.Text
			if f.Keys != nil {
				text = fmt.Sprintf("%q", f.Keys)
			}
			if out = append(out, f.Name+" "+text); f.Meaning == "" {
				t.Errorf("%s: %s has no meaning", name, f.Name)
			}
		}
		if got := strings.Join(out, ", "); err != nil || got != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, c.want)
		}
	}
	for name, more := range map[string]bson.E{
		"an unknown field": {Key: "zz", Value: 1},
		"posts of numbers": {Key: "k", Value: bson.A{1}},
		"posts of no code": {Key: "k", Value: bson.A{"T/\u0100"}},
		"no posts":         {Key: "k", Value: "T/x"},
	} {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "T/a"}, {Key: "t", Value: "T"}, more})
		if err != nil {
			t.Fatal(err)
		}
		if fields, err := Inspect(raw); err == nil {
			t.Errorf("%s: got %v", name, fields)
		}
	}
	if fields, err := Inspect(live[:len(live)-3]); err == nil {
		t.Errorf("a damaged document: got %v", fields)
	}
}

// stored is a document of res as commit 7 wrote it.
func stored(t *testing.T, d store.Doc) bson.Raw {
	t.Helper()
	raw, err := marshal(&d)
	if err != nil {
		t.Fatal(err)
	}
	return addSeq(raw, 7)
}
