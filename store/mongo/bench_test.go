package mongo

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
)

// BenchmarkBesideRawCalls compares the engine with raw calls of the driver for the same
// documents, alternating: "ratio" is the time of the engine divided by that of the raw call. The
// name contains the server; times on the stand-in say nothing about MongoDB.
func BenchmarkBesideRawCalls(b *testing.B) {
	server := mongotest.Start(b)
	uri, name := server.Database(b)
	db, err := Open(b.Context(), Config{URI: uri, Database: name, Timeout: 20 * time.Second, NoticeStandIn: true})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	raw := db.res.Database().Collection("raw")
	const rows = 200
	serial := 0
	next := func() store.Doc {
		serial++
		d := document(fmt.Sprintf("%012d", serial), 1)
		d.Body = make([]byte, 1200)
		for k := range 30 {
			d.Keys = append(d.Keys, store.Key(fmt.Sprintf("b%02d%d", k, serial)))
		}
		d.Keys = store.Sorted(append(d.Keys, "mine"+store.Key(fmt.Sprint(serial/20))))
		return d
	}
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	insert := func(d store.Doc) {
		body, err := marshal(&d)
		must(err)
		_, err = raw.InsertOne(b.Context(), body)
		must(err)
	}
	commit := func(d store.Doc) {
		_, err := db.Commit(b.Context(), write(d))
		must(err)
	}
	for range rows {
		d := next()
		commit(d)
		insert(d)
	}
	beside := func(what string, ours, limit func()) {
		b.Run(what+"/"+server.Describe(), func(b *testing.B) {
			var mine, theirs time.Duration
			for b.Loop() {
				at := time.Now()
				ours()
				mid := time.Now()
				limit()
				mine, theirs = mine+mid.Sub(at), theirs+time.Since(mid)
			}
			b.ReportMetric(float64(mine.Microseconds())/float64(b.N), "µs")
			b.ReportMetric(float64(theirs.Microseconds())/float64(b.N), "raw-µs")
			b.ReportMetric(theirs.Seconds()/mine.Seconds(), "ratio")
		})
	}
	id := fmt.Sprintf("%012d", rows/2)
	beside("get", func() {
		_, err := get(b.Context(), db, id)
		must(err)
	}, func() {
		_, err := raw.FindOne(b.Context(), bson.D{{Key: "_id", Value: "Patient/" + id}}).Raw()
		must(err)
	})
	beside("create", func() { commit(next()) }, func() { insert(next()) })
	beside("search of 20", func() {
		n := 0
		must(db.Read(b.Context(), func(s store.Snapshot) error {
			for _, err := range s.Scan(b.Context(), store.Query{Type: "Patient", Where: store.Eq{Key: "mine3"}}) {
				if err != nil {
					return err
				}
				n++
			}
			return nil
		}))
		if n != 20 {
			b.Fatalf("got %d rows, want 20", n)
		}
	}, func() {
		cursor, err := raw.Find(b.Context(), bson.D{{Key: "f", Value: "mine3"}}, options.Find().SetLimit(20))
		must(err)
		var docs []bson.Raw
		must(cursor.All(b.Context(), &docs))
	})
}
