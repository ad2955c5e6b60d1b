package pebble

import (
	"testing"
	"time"

	"carerecord/store/storetest"
)

func open(t testing.TB, dir string, clock func() time.Time) *DB {
	t.Helper()
	db, err := Open(Config{Dir: dir, Clock: clock, Cache: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// subject is the engine on a disk, verified whenever it is closed for reopening.
func subject() storetest.Subject {
	dirs := map[storetest.Engine]string{}
	return storetest.Subject{
		Open: func(t testing.TB, clock func() time.Time) storetest.Engine {
			dir := t.TempDir()
			db := open(t, dir, clock)
			dirs[db] = dir
			return db
		},
		Reopen: func(t testing.TB, e storetest.Engine, clock func() time.Time) storetest.Engine {
			if err := e.(*DB).Verify(t.Context()); err != nil {
				t.Fatalf("verify: %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			db := open(t, dirs[e], clock)
			dirs[db] = dirs[e]
			return db
		},
	}
}

func TestContract(t *testing.T) { storetest.Run(t, subject()) }

func TestRandom(t *testing.T) {
	for seed := range uint64(5) {
		storetest.Random(t, seed, 400, subject())
	}
}
