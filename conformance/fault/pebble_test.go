package fault

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carerecord/store/pebble"
)

// disk is a disk that can be full, fail reads, or stop in writes and syncs.
type disk struct {
	full    atomic.Bool
	failing atomic.Bool                   // every read of a file fails
	stopped atomic.Pointer[chan struct{}] // if it is not nil, writes and syncs wait until it is closed
}

// stop makes writes and syncs wait until the returned function is called.
func (d *disk) stop() (resume func()) {
	c := make(chan struct{})
	d.stopped.Store(&c)
	return sync.OnceFunc(func() {
		d.stopped.Store(nil)
		close(c)
	})
}

// String and MaybeError implement errorfs.Injector.
func (d *disk) String() string { return "disk" }

func (d *disk) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		if d.failing.Load() && (op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt) {
			return syscall.EIO
		}
		return nil
	}
	if c := d.stopped.Load(); c != nil {
		<-*c
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		if d.full.Load() {
			return syscall.ENOSPC
		}
	}
	return nil
}

// onDisk opens a store on a disk of faults; reopen opens the same files on the real disk.
func onDisk(t *testing.T) (d *disk, db *pebble.DB, reopen func() *pebble.DB) {
	t.Helper()
	d = &disk{}
	dir := t.TempDir()
	open := func(fs vfs.FS) *pebble.DB {
		db, err := pebble.Open(pebble.Config{Dir: dir, FS: fs, Cache: 1 << 10})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() }) // that of a broken disk fails
		return db
	}
	return d, open(errorfs.Wrap(vfs.Default, d)), func() *pebble.DB {
		db.Close()
		return open(vfs.Default)
	}
}

func TestDiskFull(t *testing.T) {
	d, db, reopen := onDisk(t)
	s := serve(t, db, deadline)
	stop := s.work()
	s.await(writes, 10, 200, 201)
	d.full.Store(true)
	s.forget()
	s.await(writes, 10, 503)
	stop()
	s.checkAll(false)
	db2 := reopen()
	after := s.over(db2)
	after.checkAll(true)
	after.checkCreated()
	if err := db2.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDiskThatReadsNothing(t *testing.T) {
	d, db, reopen := onDisk(t)
	s := serve(t, db, deadline)
	for n := range 200 {
		s.put(fmt.Sprint("g.", n), n)
	}
	if err := db.Compact(t.Context()); err != nil { // out of the memory of the journal
		t.Fatal(err)
	}
	s.checkAll(true)
	d.failing.Store(true)
	s.forget()
	s.checkAll(false)
	if refused, all := s.counted("GET", 503); refused == 0 {
		t.Errorf("a disk that reads nothing refused none of %d requests", all)
	}
	d.failing.Store(false)
	s.checkAll(true)
	s.over(reopen()).checkAll(true)
}

// TestDiskStops: writes that the disk does not end are refused after the deadline, and go on later.
func TestDiskStops(t *testing.T) {
	d, db, reopen := onDisk(t)
	s := serve(t, db, deadline)
	stop := s.work()
	s.await(writes, 10, 200, 201)
	resume := d.stop()
	defer resume()
	s.forget()
	s.await(writes, 2, 503)
	resume()
	s.forget()
	s.await(writes, 10, 200, 201) // the writes that waited have ended
	stop()
	s.checkAll(true)
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	after := s.over(reopen())
	after.checkAll(true)
	after.checkCreated()
}
