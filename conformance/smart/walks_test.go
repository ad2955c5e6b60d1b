package smart

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

// TestWalk: random walks of people, clients, operators and attackers. No token is active without a grant, and there is no grant
// without the act of its person in that browser for that client (SMART-050, 065, 090 to 094, 113, 114, 121 to 125, 144, 145, 160 to
// 164, 212, 213, 236, 340 to 348, 391 to 394, 400 to 405, 411). The clock of the store stands still, so nothing depends on the
// expiry of the store (SMART-492).
func TestWalk(t *testing.T) {
	walks{engine: "reference", n: 1000, whole: 2000, first: 1, perWorld: 500, steps: 40, walkers: 1, open: func(_ *testing.T, clock func() time.Time) engine {
		return withoutExpiry(clock)
	}}.run(t)
}

// TestWalksAtOnce: two walks at once, each on a server of its own over one store (SMART-491, 498). What must not happen does not.
func TestWalksAtOnce(t *testing.T) {
	walks{engine: "reference", n: 50, whole: 500, first: 100_001, perWorld: 500, steps: 40, walkers: 2, open: func(_ *testing.T, clock func() time.Time) engine {
		return storetest.NewReference(clock)
	}}.run(t)
}

// TestWalkOnPebble and TestWalkOnMongoDB: the same on the engines (SMART-500).
func TestWalkOnPebble(t *testing.T) {
	walks{engine: "Pebble", n: 50, whole: 100, first: 200_001, perWorld: 200, steps: 40, walkers: 1, open: func(t *testing.T, clock func() time.Time) engine {
		return openPebble(t, clock)
	}}.run(t)
}

// openPebble opens an empty embedded engine in memory.
func openPebble(t *testing.T, clock func() time.Time) engine {
	t.Helper()
	p, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 8 << 20, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// openMongoDB opens an empty database of a server.
func openMongoDB(t *testing.T, server *mongotest.Server, clock func() time.Time) engine {
	t.Helper()
	uri, name := server.Database(t)
	s, err := mongo.Open(t.Context(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestWalkOnMongoDB(t *testing.T) {
	server := mongotest.Start(t)
	walks{engine: "MongoDB", n: 20, whole: 200, first: 300_001, perWorld: 200, steps: 40, walkers: 1, open: func(t *testing.T, clock func() time.Time) engine {
		return openMongoDB(t, server, clock)
	}}.run(t)
}
