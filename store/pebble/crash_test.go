package pebble

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carerecord/conformance/wait"
	"carerecord/store"
)

// TestCrashLosesNothingAcknowledged writes from several sides on a disk in
// memory that remembers what was synced, and opens the files that a crash during a sync
// leaves: documents and records of the log (AUD-401).
func TestCrashLosesNothingAcknowledged(t *testing.T) {
	disk := vfs.NewCrashableMem()
	// A sync waits if the test wants to crash in it: between visible and durable.
	syncs := make(chan chan struct{})
	held := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync {
			release := make(chan struct{})
			select {
			case syncs <- release:
				<-release
			default:
			}
		}
		return nil
	})
	db, err := Open(Config{Dir: "db", FS: errorfs.Wrap(disk, held)})
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex
		acked   = map[store.Ref]uint64{} // versions that were acknowledged
		logged  uint64                   // and the last log position
		writers sync.WaitGroup
	)
	const perWriter = 200
	for w := range 4 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 2))
			versions := map[string]uint64{}
			for range perWriter {
				id := fmt.Sprintf("w%d-%d", w, rng.IntN(20))
				v := versions[id]
				d := store.Doc{Ref: store.Ref{Type: "T", ID: id}, Version: v + 1, Origin: store.Upserted, Body: []byte(id), RowID: testID(uint64(rng.IntN(3)), id),
					Keys: store.Sorted([]store.Key{"k", store.Key(fmt.Sprint("v", rng.IntN(10)))})}
				if v%4 == 3 {
					d.Origin, d.Body = store.Deleted, nil
				}
				if _, err := db.Commit(t.Context(), store.Batch{Writes: []store.Write{{Doc: d, Expect: v}}, Log: [][]byte{[]byte(id)}}); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				versions[id] = v + 1
				pos, err := db.Append(t.Context(), []byte(id))
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				mu.Lock()
				acked[d.Ref] = v + 1
				logged = max(logged, pos)
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	var feed followed
	reader := make(chan struct{})
	go func() { feed.follow(t, db, done); close(reader) }()
	for crash := 0; ; crash++ {
		release := make(chan struct{})
		select {
		case release = <-syncs:
			from := feed.passes.Load()
			wait.Until(func() bool { return feed.passes.Load() >= from+2 || t.Failed() })
		case <-done:
		}
		mu.Lock()
		want, pos := make(map[store.Ref]uint64, len(acked)), logged
		for ref, v := range acked {
			want[ref] = v
		}
		mu.Unlock()
		seen := feed.now()
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (crash % 2), RNG: rand.New(rand.NewPCG(uint64(crash), 3))})
		close(release)
		survives(t, left, want, pos, seen)
		select {
		case <-done:
			<-reader
			stillShows(t, db, feed.now(), acked)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// survives opens the folder after a crash and checks the acknowledged commits and those that the
// feed had.
func survives(t *testing.T, disk vfs.FS, want map[store.Ref]uint64, pos uint64, seen []store.Change) {
	t.Helper()
	db, err := Open(Config{Dir: "db", FS: disk})
	if err != nil {
		t.Fatalf("open after a crash: %v", err)
	}
	defer db.Close()
	if err := db.Verify(t.Context()); err != nil {
		t.Errorf("after a crash: %v", err)
	}
	if head, err := db.Head(t.Context()); err != nil || head.Pos < pos {
		t.Errorf("after a crash the log ends at %d, %v; %d was acknowledged", head.Pos, err, pos)
	}
	stillShows(t, db, seen, want)
	err = db.Read(t.Context(), func(s store.Snapshot) error {
		for ref, v := range want {
			if d, err := s.Get(t.Context(), ref); err != nil || d.Version < v {
				t.Errorf("after a crash %s is at version %d, %v; version %d was acknowledged", ref, d.Version, err, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
