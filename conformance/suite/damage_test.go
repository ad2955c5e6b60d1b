package suite

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
	"carerecord/store/pebble"
)

// damage is a change of the audit records from an index on, and the result that verify must report.
type damage struct {
	name   string
	do     func(records []store.Record, at int) []store.Record
	kind   string // empty if verify cannot detect it
	offset int    // number of records from the first damaged record to the reported one
}

func damages() []damage {
	return []damage{
		{"AUD-504 a changed record", func(r []store.Record, at int) []store.Record {
			r[at].Payload = bytes.Replace(r[at].Payload, []byte(`"recorded":"2`), []byte(`"recorded":"1`), 1)
			return r
		}, "altered", 0},
		{"AUD-504 a changed record with a recomputed hash", func(r []store.Record, at int) []store.Record {
			r[at].Payload = bytes.Replace(r[at].Payload, []byte(`"recorded":"2`), []byte(`"recorded":"1`), 1)
			r[at].Hash = store.ChainHash(r[at-1].Hash, r[at].Pos, r[at].Payload)
			return r
		}, "altered", 1}, // later records are no longer linked to it
		{"AUD-504 an inserted record", func(r []store.Record, at int) []store.Record {
			forged := store.Record{Payload: bytes.Clone(r[at-1].Payload)}
			forged.Hash = store.ChainHash(r[at-1].Hash, r[at].Pos, forged.Payload)
			return renumber(slices.Insert(r, at, forged))
		}, "inserted", 0},
		{"AUD-504 reordered records", func(r []store.Record, at int) []store.Record {
			r[at], r[at+1] = r[at+1], r[at]
			return renumber(r)
		}, "reordered", 0},
		{"AUD-504 a removed record", func(r []store.Record, at int) []store.Record {
			return slices.Delete(r, at, at+1)
		}, "missing", 0},
		{"AUD-504 a removed record and renumbered later records", func(r []store.Record, at int) []store.Record {
			return renumber(slices.Delete(r, at, at+1))
		}, "missing", 0},
		{"AUD-506 a truncated end", func(r []store.Record, at int) []store.Record { return r[:at] }, "", 0},
	}
}

func renumber(records []store.Record) []store.Record {
	for i := range records {
		records[i].Pos = uint64(i + 1)
	}
	return records
}

// TestAuditDamage: verify reports the place of a damaged audit record on the disk (AUD-504 to 507).
func TestAuditDamage(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.start("--demo")
		for range 10 {
			wantStatus(t, "a request that is recorded", s.get("consultant", "Observation?patient=Patient/xgp01.r0&_count=1"), 200, "")
		}
		s.stop()
		var whole []store.Record
		s.editLog(func(r []store.Record) []store.Record { whole = r; return r })
		if len(whole) < 12 {
			t.Fatalf("the audit trail has %d records", len(whole))
		}
		at := len(whole) - 6
		for _, d := range damages() {
			t.Run(d.name, func(t *testing.T) {
				s.editLog(func([]store.Record) []store.Record { return d.do(slices.Clone(whole), at) })
				out, err := s.run("audit", "verify")
				if !strings.Contains(out, "Signed heads") {
					t.Errorf("AUD-506: the limits of verify are not printed:\n%s", out)
				}
				if d.kind == "" {
					if err != nil || !strings.Contains(out, fmt.Sprintf("records checked: %d\n", at)) || !strings.Contains(out, "missing at the end of the audit trail") {
						t.Errorf("got %v\n%s", err, out)
					}
					return
				}
				place := fmt.Sprintf("BREAK at %d: %s:", at+1+d.offset, d.kind)
				if err == nil || !strings.Contains(out, place) || strings.Count(out, "BREAK") != 1 {
					t.Errorf("got %v, want an error and only %q:\n%s", err, place, out)
				}
			})
		}
		s.editLog(func([]store.Record) []store.Record { return slices.Clone(whole) })
		if out, err := s.run("audit", "verify"); err != nil || !strings.Contains(out, "the chain holds") {
			t.Errorf("verify of an undamaged audit trail: %v\n%s", err, out)
		}
	})
}

// editLog changes the audit trail in the store of a stopped server.
func (s *server) editLog(edit func([]store.Record) []store.Record) {
	s.t.Helper()
	dir, ok := strings.CutPrefix(s.store, "pebble:")
	if !ok {
		s.editCollection(edit)
		return
	}
	raw, err := pebble.OpenRaw(filepath.Join(dir, "db"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := raw.EditLog(edit); err != nil {
		s.t.Error(err)
	}
	if err := raw.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// logRecord is an audit record as MongoDB stores it.
type logRecord struct {
	Pos     int64  `bson:"_id"`
	Hash    []byte `bson:"h"`
	Payload []byte `bson:"b"`
}

func (s *server) editCollection(edit func([]store.Record) []store.Record) {
	s.t.Helper()
	ctx := s.t.Context()
	log := s.collection("log")
	cursor, err := log.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		s.t.Fatal(err)
	}
	var stored []logRecord
	if err := cursor.All(ctx, &stored); err != nil {
		s.t.Fatal(err)
	}
	records := make([]store.Record, len(stored))
	for i, r := range stored {
		records[i] = store.Record{Pos: uint64(r.Pos), Hash: store.Hash(r.Hash), Payload: r.Payload}
	}
	var put []logRecord
	for _, r := range edit(records) {
		put = append(put, logRecord{int64(r.Pos), r.Hash[:], r.Payload})
	}
	if _, err := log.DeleteMany(ctx, bson.D{}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := log.InsertMany(ctx, put); err != nil {
		s.t.Fatal(err)
	}
}
