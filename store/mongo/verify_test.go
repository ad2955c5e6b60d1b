package mongo

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// verified is a record with documents of every kind: of one version and of three, rekeyed,
// deleted, and a log.
func verified(t *testing.T) *DB {
	t.Helper()
	c := freshConfig(t, nil)
	c.NoticeStandIn = true // which limits before it sorts by an index that is named
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.limits.fetch = 2 // several chunks
	deleted := document("2", 2)
	deleted.Origin, deleted.Body = store.Deleted, nil
	again := document("4", 1)
	again.Keys = []store.Key{"b"}
	for _, b := range []store.Batch{
		write(document("1", 1), document("2", 1), document("3", 1), document("4", 1), document("5", 1)),
		write(document("1", 2), deleted), write(document("1", 3)),
		{Writes: []store.Write{{Doc: again, Expect: 1, Rekey: true}}, Log: [][]byte{[]byte("x"), []byte("y"), []byte("z")}},
	} {
		if _, err := db.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Verify(t.Context()); err != nil {
		t.Fatalf("a sound record: %v", err)
	}
	return db
}

// Verify reports every change of a collection.
func TestVerifyNamesFaults(t *testing.T) {
	set := func(field string, value any) bson.D {
		return bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}
	}
	unset := func(field string) bson.D { return bson.D{{Key: "$unset", Value: bson.D{{Key: field, Value: ""}}}} }
	for _, c := range []struct {
		name   string
		of     func(*DB) *mongo.Collection
		id     any
		update bson.D // nil: the document is deleted
		want   string
	}{
		{"a key without a posting", res, "Patient/3", set("k", bson.A{"Patient/", "Patient/a"}), `"Patient/3": field k does not agree`},
		{"a posting without a key", res, "Patient/3", set("k", bson.A{"Patient/", "Patient/a", "Patient/id3", "Patient/z"}), `"Patient/3": field k does not agree`},
		{"no postings", res, "Patient/3", unset("k"), `"Patient/3" is neither`},
		{"postings of a tombstone", res, "Patient/2", set("k", bson.A{"Patient/"}), `"Patient/2" is neither`},
		{"no body", res, "Patient/3", unset("b"), `"Patient/3" has the origin`},
		{"a commit that never was", res, "Patient/3", set("q", int64(1_000_000)), `"Patient/3" is version 1 of commit 1000000`},
		{"a deleted document", res, "Patient/1", nil, "Patient/1/00000000000000000001 is stored as superseded, and the newest version is 0"},
		{"a deleted superseded version", old, "Patient/1/00000000000000000002", nil, "2 superseded versions, expected 3"},
		{"a superseded version of another number", old, "Patient/1/00000000000000000002", set("v", int64(7)), "Patient/1/00000000000000000002 is stored"},
		{"a log record changed", log, int64(2), set("b", []byte("q")), "log record 2 does not follow"},
		{"a deleted log record", log, int64(2), nil, "log record 3 does not follow record 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := verified(t)
			change := mongo.WriteModel(mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: c.id}}).SetUpdate(c.update).SetHint(byID))
			if c.update == nil {
				change = mongo.NewDeleteOneModel().SetFilter(bson.D{{Key: "_id", Value: c.id}}).SetHint(byID)
			}
			r, err := c.of(db).BulkWrite(t.Context(), []mongo.WriteModel{change})
			if err != nil || r.ModifiedCount+r.DeletedCount != 1 {
				t.Fatalf("change the record: got %v, %v", r, err)
			}
			if err := db.Verify(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func res(db *DB) *mongo.Collection { return db.res }
func old(db *DB) *mongo.Collection { return db.old }
func log(db *DB) *mongo.Collection { return db.log }
