package pebble

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store"
	"carerecord/store/storetest"
)

// brittle is a disk of which one write or sync fails, before it is executed or after.
type brittle struct {
	vfs.FS

	mu         sync.Mutex
	n          int // the one that fails; 0 for none
	carriedOut bool
	seen       int
}

// Arm implements storetest.FaultInjector.
func (b *brittle) Arm(n int, carriedOut bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n, b.carriedOut, b.seen = n, carriedOut, 0
}

// Disarm implements storetest.FaultInjector.
func (b *brittle) Disarm() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := b.n > 0 && b.seen >= b.n
	b.n = 0
	return failed
}

// do executes a step, unless it fails.
func (b *brittle) do(step func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n > 0 {
		if b.seen++; b.seen == b.n {
			if b.carriedOut {
				return errors.Join(syscall.EIO, step())
			}
			return syscall.EIO
		}
	}
	return step()
}

func (b *brittle) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.Create(name, c)
	return &brittleFile{f, b}, err
}

func (b *brittle) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := b.FS.ReuseForWrite(old, name, c)
	return &brittleFile{f, b}, err
}

type brittleFile struct {
	vfs.File
	disk *brittle
}

func (f *brittleFile) Write(p []byte) (n int, err error) {
	err = f.disk.do(func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

func (f *brittleFile) Sync() error { return f.disk.do(f.File.Sync) }

func (f *brittleFile) SyncData() error { return f.disk.do(f.File.SyncData) }

func (f *brittleFile) SyncTo(length int64) (full bool, err error) {
	err = f.disk.do(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Each write and sync of each operation fails once. The engine is then out of service, and its
// content is checked when it is opened again.
func TestEachStepFailsOnce(t *testing.T) {
	var mu sync.Mutex
	dirs := map[storetest.Engine]string{}
	quiet := slog.New(slog.DiscardHandler)
	storetest.Faults(t, storetest.Faulty{
		Open: func(t testing.TB, clock func() time.Time) (storetest.Engine, storetest.FaultInjector) {
			disk, dir := &brittle{FS: vfs.Default}, t.TempDir()
			db, err := Open(Config{Dir: dir, Clock: clock, Cache: 1 << 20, FS: disk, Log: quiet})
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			dirs[db] = dir
			mu.Unlock()
			t.Cleanup(func() { _ = db.Close() }) // it fails on a broken disk
			return db, disk
		},
		Reopen: func(t testing.TB, e storetest.Engine, clock func() time.Time) storetest.Engine {
			mu.Lock()
			dir := dirs[e]
			mu.Unlock()
			_ = e.Close()
			db := open(t, dir, clock)
			if err := db.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			return db
		},
	})
}

// A write whose context has ended is not made if it had not begun, and its outcome is unknown if
// it had.
func TestNobodyWaitsForAWrite(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	hold := true
	db, err := Open(Config{Dir: t.TempDir(), Batches: func([]byte) {
		if hold { // under the mutex
			hold = false
			close(begun)
			<-goOn
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	outcomes := make([]error, 2)
	var both sync.WaitGroup
	both.Go(func() { _, outcomes[0] = db.Commit(ctx, batchOf(benchDoc(0))) })
	<-begun
	waits, leave := context.WithCancel(t.Context())
	both.Go(func() { _, outcomes[1] = db.Commit(waits, batchOf(benchDoc(1))) })
	cancel()
	leave()
	both.Wait()
	close(goOn)
	if !errors.Is(outcomes[0], store.ErrUnknown) || !errors.Is(outcomes[0], store.ErrUnavailable) {
		t.Errorf("a write that had begun: got %v, want ErrUnknown", outcomes[0])
	}
	if outcomes[1] == nil || errors.Is(outcomes[1], store.ErrUnknown) {
		t.Errorf("a write that had not begun: got %v, want an error without ErrUnknown", outcomes[1])
	}
	for n, want := range []error{nil, store.ErrNotFound} {
		err := db.Read(t.Context(), func(s store.Snapshot) error { _, err := s.Get(t.Context(), benchDoc(n).Ref); return err })
		for n == 0 && errors.Is(err, store.ErrNotFound) { // it ends when the disk answers
			err = db.Read(t.Context(), func(s store.Snapshot) error { _, err := s.Get(t.Context(), benchDoc(n).Ref); return err })
		}
		if !errors.Is(err, want) {
			t.Errorf("document %d: got %v, want %v", n, err, want)
		}
	}
}
