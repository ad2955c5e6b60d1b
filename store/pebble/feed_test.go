package pebble

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/conformance/wait"
	"carerecord/store"
)

// changes reads the whole feed.
func changes(t *testing.T, db *DB) (all []store.Change) {
	t.Helper()
	var at store.Position
	for {
		page, err := db.Changes(t.Context(), at, 100)
		if err != nil {
			t.Fatalf("changes after %v: %v", at, err)
		}
		if len(page) == 0 {
			return all
		}
		all, at = append(all, page...), page[len(page)-1].At
	}
}

// door blocks syncs of the journal while it is shut.
type door struct {
	mu   sync.Mutex
	shut chan struct{} // closed when it opens; nil while it is open
}

func (d *door) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = make(chan struct{})
}

func (d *door) letThrough() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut != nil {
		close(d.shut)
		d.shut = nil
	}
}

// MaybeError implements errorfs.Injector.
func (d *door) MaybeError(op errorfs.Op) error {
	d.mu.Lock()
	shut := d.shut
	d.mu.Unlock()
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		if shut != nil && strings.HasSuffix(op.Path, ".log") {
			<-shut
		}
	default:
	}
	return nil
}

// String implements errorfs.Injector.
func (d *door) String() string { return "door" }

// A commit that is applied and not yet durable can be read, and is not in the feed: a crash may
// undo it.
func TestFeedShowsOnlyWhatIsDurable(t *testing.T) {
	disk := new(door)
	db, err := Open(Config{Dir: t.TempDir(), FS: errorfs.Wrap(vfs.Default, disk)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Commit(t.Context(), batchOf(benchDoc(1))); err != nil {
		t.Fatal(err)
	}
	end, err := db.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	disk.hold()
	committed := make(chan error, 1)
	go func() { // ends when the disk answers
		_, err := db.Commit(t.Context(), batchOf(benchDoc(2)))
		committed <- err
	}()
	waits := make(chan error, 1)
	go func() { waits <- db.Await(t.Context(), end) }() // ends with the commit
	defer disk.letThrough()
	wait.Until(func() bool { return db.applied.Load() != end.Seq })
	err = db.Read(t.Context(), func(s store.Snapshot) error { _, err := s.Get(t.Context(), benchDoc(2).Ref); return err })
	if err != nil {
		t.Errorf("the commit that waits for the disk cannot be read: %v", err)
	}
	page, err := db.Changes(t.Context(), end, 1)
	if now, endErr := db.End(t.Context()); err != nil || endErr != nil || len(page) > 0 || now != end {
		t.Errorf("the feed shows %v and ends at %v (%v, %v) while the disk has not answered", page, now, err, endErr)
	}
	if len(waits) > 0 {
		t.Error("await returned while the disk has not answered")
	}
	disk.letThrough()
	if err := errors.Join(<-committed, <-waits); err != nil {
		t.Error(err)
	}
	if page, err := db.Changes(t.Context(), end, 1); err != nil || len(page) != 1 || page[0].Versions[0].Ref != benchDoc(2).Ref {
		t.Errorf("after the disk has answered the feed shows %v, %v", page, err)
	}
}

// A call that waits for a commit returns when the engine fails.
func TestAwaitEndsWithTheEngine(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	waits := make(chan error, 1)
	go func() { waits <- db.Await(t.Context(), store.Position{}) }() // ends with the engine
	for waiting := false; !waiting; {
		db.feedEnd.mu.Lock()
		waiting = db.feedEnd.waiters != nil
		db.feedEnd.mu.Unlock()
	}
	db.fail(errors.New("the disk is gone"))
	if err := <-waits; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("await: got %v, want ErrUnavailable", err)
	}
}

// makeFormatOne changes a folder to one of a program of the first format.
func makeFormatOne(t *testing.T, db *DB) {
	t.Helper()
	old := db.rows.NewBatch()
	if err := old.DeleteRange([]byte{rowChange}, []byte{rowChange + 1}, nil); err != nil {
		t.Fatal(err)
	}
	del(old, nameRow(rowMeta, metaFeed))
	set(old, nameRow(rowMeta, metaFormat), []byte(formatOne))
	if err := db.rows.Apply(old, pebble.Sync); err != nil {
		t.Fatal(err)
	}
}

// A folder of the first format had no rows of the feed. It gets them when it is opened, and
// programs of that format then reject it.
func TestUpgradeMakesTheFeed(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, nil)
	sample(t, db)
	for n := range 30 {
		if _, err := db.Commit(t.Context(), batchOf(benchDoc(2*n), benchDoc(2*n+1))); err != nil {
			t.Fatal(err)
		}
	}
	want := changes(t, db)
	makeFormatOne(t, db)
	if err := db.Verify(t.Context()); err == nil {
		t.Error("verify finds nothing in a store without rows of the feed")
	}
	if err := errors.Join(db.upgrade(1), db.Verify(t.Context())); err != nil {
		t.Errorf("upgrade in small pieces: %v", err)
	}
	makeFormatOne(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, nil)
	if err := db.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	end, err := db.End(t.Context())
	if err != nil || end.FeedID == "" || end.FeedID == want[0].At.FeedID {
		t.Errorf("the feed that was made is %q, %v, want one of its own", end.FeedID, err)
	}
	for i := range want {
		want[i].At.FeedID = end.FeedID
	}
	if d := cmp.Diff(changes(t, db), want); d != "" {
		t.Errorf("feed of the upgraded folder (-got +want):\n%s", d)
	}
	format, err := get(db.rows, nameRow(rowMeta, metaFormat))
	if err != nil || string(format) != formatValue || formatValue == formatOne {
		t.Errorf("format after the upgrade: got %q, %v", format, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, nil)
	if again, err := db.End(t.Context()); err != nil || again != end {
		t.Errorf("opened again the feed ends at %v, %v, want %v", again, err, end)
	}
}

// followed is the part of a feed that a consumer has read.
type followed struct {
	mu     sync.Mutex
	seen   []store.Change
	passes atomic.Int64 // how often the feed was read
}

// follow follows the feed until all writers have ended.
func (f *followed) follow(t *testing.T, db *DB, done <-chan struct{}) {
	var at store.Position
	for {
		page, err := db.Changes(t.Context(), at, 7)
		if err != nil {
			t.Errorf("changes: %v", err)
			return
		}
		f.passes.Add(1)
		if len(page) == 0 {
			select {
			case <-done:
				return
			default:
				continue
			}
		}
		at = page[len(page)-1].At
		f.mu.Lock()
		f.seen = append(f.seen, page...)
		f.mu.Unlock()
	}
}

func (f *followed) now() []store.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// stillShows fails the test unless the feed begins with the part that was read, and lists the
// acknowledged versions and no missing ones.
func stillShows(t *testing.T, db *DB, seen []store.Change, acknowledged map[store.Ref]uint64) {
	t.Helper()
	all := changes(t, db)
	if d := cmp.Diff(all[:min(len(all), len(seen))], seen, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("after a crash the feed shows other commits than before (-got +want):\n%.3000s", d)
	}
	newest := map[store.Ref]uint64{}
	err := db.Read(t.Context(), func(s store.Snapshot) error {
		for _, c := range all {
			for _, v := range c.Versions {
				if d, err := s.Version(t.Context(), v.Ref, v.Version); err != nil || d.Seq != c.At.Seq {
					return fmt.Errorf("commit %d of the feed names version %d of %s, of commit %d: %w", c.At.Seq, v.Version, v.Ref, d.Seq, err)
				}
				newest[v.Ref] = v.Version
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("after a crash: %v", err)
	}
	for ref, v := range acknowledged {
		if newest[ref] < v {
			t.Errorf("after a crash the feed shows %s up to version %d; version %d was acknowledged", ref, newest[ref], v)
		}
	}
}
