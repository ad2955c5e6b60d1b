package pebble

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Read implements store.Store.
func (db *DB) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.outOfService(); err != nil {
		return err
	}
	l := db.snapshots.acquire(db.rows, db.applied.Load())
	s := db.snap(l.Snapshot)
	s.docCache, s.at = db.docCache, l.at
	defer func() {
		s.ended = true
		db.snapshots.release(l)
	}()
	return f(s)
}

// snap implements store.Snapshot on a Pebble snapshot. Under the mutex it also reads the current
// rows.
type snap struct {
	db    *DB
	rows  pebble.Reader
	types *types
	limit int // of row IDs to
	ended bool

	docCache *docCache // nil for the current rows
	at       uint64    // the snapshot has at least the commits up to this one
}

// maxCollected is how many row IDs a plan may collect, 19 bytes each. A query with more reads
// the documents of the type.
const maxCollected = 1_000_000

func (db *DB) snap(rows pebble.Reader) *snap {
	return &snap{db: db, rows: rows, types: &db.types, limit: db.limit}
}

var errEnded = errors.New("the snapshot has ended")

func (s *snap) check(ctx context.Context) error {
	if s.ended {
		return unavailable("read", errEnded)
	}
	return ctx.Err()
}

// Tracker implements store.Snapshot: a snapshot of this engine needs no confirmation.
func (s *snap) Tracker() *store.CommitTracker { return nil }

// Get implements store.Snapshot.
func (s *snap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	return s.getVersion(ctx, ref, 0)
}

// All implements store.Snapshot.
func (s *snap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return store.GetEach(ctx, refs, s.Get)
}

// Version implements store.Snapshot.
func (s *snap) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if version == 0 {
		return store.Doc{}, fmt.Errorf("version 0 of %s: %w", ref, store.ErrNotFound)
	}
	return s.getVersion(ctx, ref, version)
}

// getVersion returns a version of a document; 0 means the newest.
func (s *snap) getVersion(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	if err := s.check(ctx); err != nil {
		return store.Doc{}, err
	}
	current := version == 0 && s.docCache != nil
	if current {
		if d, ok := s.docCache.get(ref, s.at); ok {
			return d, nil
		}
	}
	code, found := s.types.code(ref.Type)
	if !found {
		return store.Doc{}, fmt.Errorf("%s: %w", ref, store.ErrNotFound)
	}
	now, err := s.newest(code, ref.ID)
	if err != nil {
		return store.Doc{}, unavailable("read "+ref.String(), err)
	}
	if version == 0 {
		version = now.version
	}
	if version == 0 || version > now.version {
		return store.Doc{}, fmt.Errorf("version %d of %s: %w", version, ref, store.ErrNotFound)
	}
	v, err := s.version(code, ref.ID, version, now)
	if err == nil {
		var d store.Doc
		if d, err = s.document(ref.Type, v); err == nil {
			if current && !d.Deleted() {
				s.docCache.put(d, s.at)
			}
			return d, nil
		}
	}
	return store.Doc{}, unavailable("read "+ref.String(), err)
}

// newest returns the i row of a document; version 0 if there is none.
func (s *snap) newest(code typeCode, id string) (newestEntry, error) {
	var room [64]byte
	value, closer, err := s.rows.Get(newestRow(room[:0], code, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return newestEntry{}, nil
	}
	if err != nil {
		return newestEntry{}, err
	}
	defer closer.Close()
	return parseNewest(value)
}

// stored is a stored version without its body.
type stored struct {
	record
	id   rowID
	body []byte // the row of the body, nil if there is none
}

var (
	errNoVersion = errors.New("a version is missing")
	errNoBody    = errors.New("a body is missing")
	errNoDoc     = errors.New("a document is missing")
)

// version reads a version that exists. now is the newest one.
func (s *snap) version(code typeCode, id string, version uint64, now newestEntry) (stored, error) {
	if now.live && version == now.version {
		return s.live(now.id)
	}
	b, err := get(s.rows, versionRow(rowVersion, code, id, version))
	if err != nil {
		return stored{}, err
	}
	if b == nil {
		return stored{}, errNoVersion
	}
	return parseVersion(code, id, b)
}

// live reads the live document with a row ID.
func (s *snap) live(id rowID) (stored, error) {
	b, err := get(s.rows, docRow(rowDoc, id))
	if err != nil {
		return stored{}, err
	}
	if b == nil {
		return stored{}, errNoDoc
	}
	rec, err := parseRecord(b)
	return stored{record: rec, id: id, body: docRow(rowBody, id)}, err
}

// parseVersion decodes the value of a v row.
func parseVersion(code typeCode, id string, b []byte) (stored, error) {
	if len(b) < rowIDSize {
		return stored{}, errDamaged
	}
	rec, err := parseRecord(b[rowIDSize:])
	if err != nil {
		return stored{}, err
	}
	v := stored{record: rec, id: rowID(b[:rowIDSize])}
	if rec.origin != store.Deleted {
		v.body = versionRow(rowOldBody, code, id, rec.version)
	}
	return v, nil
}

// document decodes the keys and reads the body.
func (s *snap) document(typ string, v stored) (store.Doc, error) {
	keys, err := decodeKeys(v.keys, nil)
	if err != nil {
		return store.Doc{}, err
	}
	return s.withBody(typ, v, keys)
}

func (s *snap) withBody(typ string, v stored, keys []store.Key) (store.Doc, error) {
	d := v.doc(typ, v.id.decode(), keys)
	if v.body == nil {
		return d, nil
	}
	body, err := get(s.rows, v.body)
	if err == nil && body == nil {
		err = errNoBody
	}
	d.Body = body
	return d, err
}
