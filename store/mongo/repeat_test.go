package mongo

import (
	"errors"
	"testing"
	"time"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/storetest"
)

// oneFault makes one command of an engine fail.
type oneFault struct {
	db      *DB
	proxy   *proxy
	refused bool
}

func (f *oneFault) Arm(n int, carriedOut bool) {
	f.db.seq.reset() // every commit takes numbers from the server
	f.proxy.arm(step{n: n, carriedOut: carriedOut, refused: f.refused})
}

func (f *oneFault) Disarm() bool {
	f.db.logWriter.wait()
	f.db.aborts.Wait()
	return f.proxy.disarm()
}

// Each command of each operation fails once, before and after the server has executed it: the
// connection breaks, or the server steps down.
func TestEachCommandFailsOnce(t *testing.T) {
	for name, refused := range map[string]bool{"the connection breaks": false, "the server steps down": true} {
		t.Run(name, func(t *testing.T) {
			storetest.Faults(t, storetest.Faulty{Open: func(t testing.TB, clock func() time.Time) (storetest.Engine, storetest.FaultInjector) {
				uri, name := mongotest.Start(t).Database(t)
				proxy, through := newProxy(t, uri)
				db := openWatched(t, Config{URI: through + "&serverMonitoringMode=poll&heartbeatFrequencyMS=500", Database: name, Clock: clock, Timeout: 5 * time.Second})
				db.seq.unknownFor = time.Nanosecond // do not wait for commits of unknown outcome
				return db, &oneFault{db, proxy, refused}
			}})
		})
	}
}

// A read whose first command fails continues with another snapshot, unnoticed; it fails if a
// later command does, since two snapshots may not agree.
func TestFirstCommandOfAReadIsRepeated(t *testing.T) {
	uri, name := mongotest.Start(t).Database(t)
	proxy, through := newProxy(t, uri)
	db := openWatched(t, Config{URI: through + "&serverMonitoringMode=poll&heartbeatFrequencyMS=500", Database: name, Timeout: 5 * time.Second})
	if _, err := db.Commit(t.Context(), write(document("1", 1))); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]error{1: nil, 2: store.ErrUnavailable} {
		for _, s := range []step{{n: n}, {n: n, carriedOut: true}, {n: n, refused: true}, {n: n, carriedOut: true, refused: true}} {
			waitFor(t, "the server", func() error { _, err := get(t.Context(), db, "1"); return err })
			proxy.arm(s)
			calls := 0
			err := db.Read(t.Context(), func(s store.Snapshot) error {
				calls++
				for range 2 {
					if _, err := s.Get(t.Context(), document("1", 1).Ref); err != nil {
						return err
					}
				}
				return nil
			})
			if failed := proxy.disarm(); !failed || calls != 1 || !errors.Is(err, want) {
				t.Errorf("command %d failed %v, %+v: got %d calls and %v, want one and %v", n, failed, s, calls, err, want)
			}
		}
	}
}
