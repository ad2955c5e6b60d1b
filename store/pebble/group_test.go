package pebble

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestWaitingWritesShareASync: records that wait while the journal is synced share the next
// sync, and a single one waits for one sync only (AUD-402).
func TestWaitingWritesShareASync(t *testing.T) {
	var syncs atomic.Int32
	var gate atomic.Pointer[chan struct{}] // syncs of the journal wait until it is closed
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncTo) {
			syncs.Add(1)
			if wait := gate.Load(); wait != nil {
				<-*wait
			}
		}
		return nil
	}))
	db, err := Open(Config{Dir: "db", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	syncs.Store(0)
	if _, err := db.Append(t.Context(), []byte("alone")); err != nil || syncs.Load() != 1 {
		t.Errorf("AUD-402: a record alone: %v, %d syncs, want 1", err, syncs.Load())
	}
	const waiting = 64
	closed := make(chan struct{})
	gate.Store(&closed)
	syncs.Store(0)
	var group sync.WaitGroup
	add := func() {
		if _, err := db.Append(t.Context(), []byte("x")); err != nil {
			t.Error(err)
		}
	}
	until := func(reached func() bool) {
		for !reached() {
			runtime.Gosched()
		}
	}
	group.Go(add)
	until(func() bool { return syncs.Load() == 1 }) // one is being synced while the others arrive
	for range waiting {
		group.Go(add)
	}
	until(func() bool {
		db.mu.Lock()
		defer db.mu.Unlock()
		return db.head.Pos == 2+waiting
	})
	gate.Store(nil)
	close(closed)
	group.Wait()
	if n := syncs.Load(); n > 2 {
		t.Errorf("AUD-402: %d records waited for one and took %d syncs with it, want at most 2", waiting, n)
	}
}
