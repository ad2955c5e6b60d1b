package pebble

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store"
)

// Config is the configuration of a DB.
type Config struct {
	Dir   string           // required; created if missing
	Clock func() time.Time // for the expiry of state; nil is time.Now
	Cache int64            // bytes of decompressed blocks in memory; 0 is 256 MB
	// DocCache is about the size in bytes of the cache of recently read documents; 0 is 64 MB, a
	// negative value disables it.
	DocCache int
	Log      *slog.Logger // receives Pebble's errors; nil is slog.Default
	// Batches receives the bytes of every batch before it is applied, under the mutex; they are
	// valid until it returns. It is for measurements, see Raw.
	Batches func([]byte)

	// FS is the file system; nil is the disk. It is for tests of faults.
	FS vfs.FS
}

// DB is the embedded engine. It implements store.Store, store.State, store.Log, store.ChangeFeed
// and store.Copier and is safe for concurrent use. Only one process at a time can open a folder.
type DB struct {
	rows    *pebble.DB
	clock   func() time.Time
	types   types
	limit   int                   // see maxCollected
	batch   func([]byte)          // see Config.Batches; may be nil
	failure atomic.Pointer[error] // why the engine is out of service; nil while it is in service

	mu        sync.Mutex   // see the package documentation
	seq       uint64       // of the last commit applied
	head      store.Record // the last log record applied, without payload
	sweepFrom string       // where the search for expired state continues

	closed     atomic.Bool
	durable    atomic.Uint64 // the last log position on disk
	applied    atomic.Uint64 // seq, for reads without the mutex
	snapshots  snapshotCache
	docCache   *docCache
	counts     counts
	countQueue countQueue
	decoy      atomic.Pointer[rowID] // a row that a TimingSafe query read, see readDecoy
	feedEnd    feedEnd
}

var (
	errClosed = errors.New("the store is closed")
	errFormat = errors.New("the folder has another format")
)

// Open opens a folder, or creates it.
func Open(c Config) (*DB, error) {
	if c.Dir == "" {
		return nil, errors.New("pebble: open: Config.Dir is empty")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	rows, err := pebble.Open(c.Dir, options(c))
	if err != nil {
		return nil, fmt.Errorf("pebble: open %s: %w", c.Dir, err)
	}
	db := &DB{rows: rows, clock: c.Clock, limit: maxCollected, batch: c.Batches}
	db.docCache, err = newDocCache(max(cmp.Or(c.DocCache, defaultDocCache), 0))
	if err == nil {
		err = db.load()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pebble: open %s: %w", c.Dir, err), rows.Close())
	}
	return db, nil
}

func options(c Config) *pebble.Options {
	if c.Cache == 0 {
		c.Cache = 256 << 20
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	o := &pebble.Options{
		FS:                          c.FS,
		Comparer:                    comparer(),
		FormatMajorVersion:          pebble.FormatValueSeparation,
		CacheSize:                   c.Cache,
		MemTableSize:                64 << 20,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               128 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, max(1, min(4, runtime.GOMAXPROCS(0)/2)) },
		Logger:                      logger{c.Log},
	}
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
		o.Levels[i].IndexBlockSize = 256 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionGood })
	return o
}

// load reads the state that is kept in memory, and upgrades the folder.
func (db *DB) load() error {
	format, err := get(db.rows, nameRow(rowMeta, metaFormat))
	switch {
	case err != nil:
		return err
	case format == nil, string(format) == formatOne:
		if err := db.upgrade(upgradeBytes); err != nil {
			return err
		}
	case string(format) == formatTwo:
		// An older program would misread a row with a key revision, and rekey without counting.
		if err := db.rows.Set(nameRow(rowMeta, metaFormat), []byte(formatValue), pebble.Sync); err != nil {
			return err
		}
	case string(format) != formatValue:
		return fmt.Errorf("%w: %q", errFormat, format)
	}
	seq, err := get(db.rows, nameRow(rowMeta, metaSeq))
	if err != nil {
		return err
	}
	if len(seq) == 8 {
		db.seq = binary.BigEndian.Uint64(seq)
		db.applied.Store(db.seq)
	}
	if db.head, err = db.lastRecord(); err != nil {
		return err
	}
	db.durable.Store(db.head.Pos)
	if err := errors.Join(db.counts.load(db.rows, db.seq), db.loadFeed()); err != nil {
		return err
	}
	return db.types.load(db.rows)
}

// Close implements store.Store.
func (db *DB) Close() error {
	db.fail(errClosed) // a DB that has failed before is closed all the same
	if db.closed.Swap(true) {
		return nil
	}
	db.countQueue.close()
	db.snapshots.drop()
	if err := db.rows.Close(); err != nil {
		return fmt.Errorf("pebble: close: %w", err)
	}
	return nil
}

// fail takes the engine out of service; false if it was already.
func (db *DB) fail(why error) bool {
	first := db.failure.CompareAndSwap(nil, &why)
	db.feedEnd.wakeWaiters() // no further commit comes
	return first
}

// outOfService returns the reason why the engine is out of service, or nil.
func (db *DB) outOfService() error {
	if why := db.failure.Load(); why != nil {
		return unavailable("use", *why)
	}
	return nil
}

// unavailable wraps a fault of the disk or of a stored row.
func unavailable(doing string, err error) error {
	return fmt.Errorf("pebble: %s: %w: %w", doing, store.ErrUnavailable, err)
}

// get returns a copy of the value of a row, nil if there is none.
func get(r pebble.Reader, row []byte) ([]byte, error) {
	value, closer, err := r.Get(row)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append(make([]byte, 0, len(value)), value...), nil
}

// logger passes Pebble's messages to slog. Pebble calls Fatalf when it cannot continue
// correctly, and expects it not to return.
type logger struct{ log *slog.Logger }

// Infof drops the message: it is not an error.
func (logger) Infof(string, ...any) {}

// Errorf logs.
func (l logger) Errorf(format string, args ...any) { l.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf logs and ends the process.
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error(fmt.Sprintf(format, args...))
	os.Exit(1)
}
