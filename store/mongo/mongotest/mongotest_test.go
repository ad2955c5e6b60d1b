package mongotest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"carerecord/store/mongo/mongotest"
)

func TestMain(m *testing.M) { os.Exit(mongotest.Run(m)) }

func TestServer(t *testing.T) {
	s := mongotest.Start(t)
	t.Log(s.Describe())
	if mongotest.Start(t) != s {
		t.Error("Start gave a second server in one test binary")
	}
	_, a := s.Database(t)
	_, b := s.Database(t)
	if a == b {
		t.Errorf("two databases are both named %s", a)
	}
}

// What was acknowledged with majority write concern stands after kill -9.
func TestKillAndRestart(t *testing.T) {
	s := mongotest.StartOwn(t)
	uri, name := s.Database(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(ctx)
	c := client.Database(name).Collection("c")
	for i := range 3 {
		if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
		s.Kill(t)
		s.Restart(t)
		if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != int64(i+1) {
			t.Fatalf("after kill %d: %d documents (error %v), want %d", i+1, n, err, i+1)
		}
	}
}
