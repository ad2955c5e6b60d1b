package fault

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"carerecord/store/pebble"
)

// disk is a disk that can be full, or slow.
type disk struct {
	full    atomic.Bool
	failing atomic.Bool  // it reads nothing
	slow    atomic.Int64 // nanoseconds that each write or sync takes
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
	time.Sleep(time.Duration(d.slow.Load()))
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		if d.full.Load() {
			return syscall.ENOSPC
		}
	}
	return nil
}

// onDisk opens a record on a disk of faults; reopen opens what lies on it.
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
	s.look(false)
	db2 := reopen()
	after := s.over(db2)
	after.look(true)
	after.count()
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
	s.look(true)
	d.failing.Store(true)
	s.forget()
	s.look(false)
	if refused, all := s.counted("GET", 503); refused == 0 {
		t.Errorf("a disk that reads nothing refused none of %d requests", all)
	}
	d.failing.Store(false)
	s.look(true)
	s.over(reopen()).look(true)
}

func TestDiskSlow(t *testing.T) {
	d, db, reopen := onDisk(t)
	s := serve(t, db, deadline)
	stop := s.work()
	s.await(writes, 10, 200, 201)
	d.slow.Store(int64(2 * deadline))
	s.forget()
	s.await(writes, 2, 503)
	d.slow.Store(0)
	s.forget()
	s.await(writes, 10, 200, 201) // what hung has ended
	stop()
	s.look(true)
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	after := s.over(reopen())
	after.look(true)
	after.count()
}
