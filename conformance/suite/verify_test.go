package suite

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// collection opens a collection of the MongoDB database of a server.
func (s *server) collection(name string) *mongo.Collection {
	s.t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(s.store))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { client.Disconnect(s.t.Context()) })
	path, _, _ := strings.Cut(s.store, "?")
	return client.Database(path[strings.LastIndexByte(path, '/')+1:]).Collection(name)
}

// TestVerify: the command verify checks a store without a server, and refuses a served one. It reports a document
// whose keys are consistent with each other but not with the body.
func TestVerify(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		s.start("--demo")
		if out, err := s.run("verify"); err == nil || !strings.Contains(out, "stop it first") {
			t.Errorf("verify while a server runs: got %v %s, want a refusal", err, out)
		}
		s.stop()
		if out, err := s.run("verify"); err != nil || !strings.Contains(out, "the store is sound") {
			t.Errorf("verify at rest: %v\n%s", err, out)
		}
		if strings.HasPrefix(s.store, "pebble:") {
			return // the tests of the engine damage its rows
		}
		r, err := s.collection("res").UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "Patient/xpi01.r0"}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "k", Value: bson.A{"Patient/"}}, {Key: "f", Value: bson.A{}}}}})
		if err != nil || r.ModifiedCount != 1 {
			t.Fatal(r, err)
		}
		if out, err := s.run("verify"); err == nil || !strings.Contains(out, "Patient/xpi01.r0") || !strings.Contains(out, "of a rebuild is not stored") {
			t.Errorf("verify of a document without keys: got %v\n%s", err, out)
		}
	})
}
