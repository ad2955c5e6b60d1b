package mongo

import (
	"context"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
)

// Only the stand-in gets no hints: the builds of MongoDB and of its cloud services lack its
// mark.
func TestWalksHints(t *testing.T) {
	for name, c := range map[string]struct {
		build bson.D
		want  bool
	}{
		"MongoDB":      {bson.D{{Key: "version", Value: "8.0.4"}, {Key: "modules", Value: bson.A{"enterprise"}}}, false},
		"the stand-in": {bson.D{{Key: "version", Value: "7.0.0"}, {Key: "secantusVersion", Value: "0.6.0"}}, true},
		"nothing":      {bson.D{}, false},
	} {
		raw, err := bson.Marshal(c.build)
		if err != nil {
			t.Fatal(err)
		}
		if got := isStandIn(raw); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// As the program opens a record, MongoDB gets a hint with every search, and the stand-in none.
func TestNoticeStandIn(t *testing.T) {
	var mu sync.Mutex
	hinted, bare := 0, 0
	c := freshConfig(t, nil)
	c.NoticeStandIn = true
	c.Monitor = &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if name, _ := e.Command.Lookup(e.CommandName).StringValueOK(); name != "res" || e.CommandName != "find" && e.CommandName != "aggregate" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if hint, _ := e.Command.Lookup("hint").StringValueOK(); hint == byPosting {
			hinted++
		} else {
			bare++
		}
	}}
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	q := store.Query{Type: "Patient", Where: store.Eq{Key: "a"}}
	err = db.Read(t.Context(), func(s store.Snapshot) error {
		for _, err := range s.Scan(t.Context(), q) {
			return err
		}
		_, err := s.Count(t.Context(), q, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if real := mongotest.Start(t).Real(); hinted+bare < 2 || real != (hinted > 0) || real != (bare == 0) {
		t.Errorf("MongoDB itself: %v: got %d searches with a hint and %d without", real, hinted, bare)
	}
}
