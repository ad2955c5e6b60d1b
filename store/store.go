package store

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"time"
)

// Store holds documents. It is safe for concurrent use.
//
// Every method returns ErrUnavailable, or the context's error, if the engine cannot answer in
// time. Neither means that something is absent.
type Store interface {
	// Read calls f with one consistent snapshot. The snapshot has every commit that was
	// acknowledged before Read was called, and any other whole or not at all; it may or may
	// not have a commit that is made while f runs. The snapshot, and the sequences made
	// from it, must not be used after f returns. Read returns the error of f, or the reason
	// why there was no snapshot.
	//
	// f is called at most once, also if it fails: it may commit, and a repeated commit
	// would write twice. After a transient fault an engine may repeat a query of the
	// snapshot as long as nothing else was read from it.
	//
	// An engine may have to confirm its snapshot after f returned nil. If it cannot, Read
	// returns ErrUnavailable, and the caller must discard everything that f read. A
	// snapshot within which a commit was stored, or may have been (Batch.Tracker), needs no
	// confirmation, because the preconditions of the commit decided: Read returns the
	// result of f. A commit that ended with ErrConflict does not count: its snapshot is
	// confirmed.
	Read(ctx context.Context, f func(Snapshot) error) error

	// Commit applies the batch as one atomic step and returns its sequence number. It is
	// durable when Commit returns. ErrConflict: a precondition failed and nothing was
	// written; read again and decide again. ErrUnknown is joined to every error after which
	// the batch may be stored, now or later, and to no other.
	Commit(ctx context.Context, b Batch) (seq uint64, err error)

	// Close releases the engine. No other call may be running.
	Close() error
}

// Snapshot is a consistent snapshot of the store. It is for one goroutine.
type Snapshot interface {
	// Tracker returns the Batch.Tracker for commits that are decided on this snapshot.
	Tracker() *CommitTracker

	// Get returns the newest version of a document, which may be a tombstone, or
	// ErrNotFound if there never was one.
	Get(ctx context.Context, ref Ref) (Doc, error)
	// All yields the result of Get for each of some documents, in no particular order.
	// Documents that never existed are omitted. It is one query where queries are
	// expensive.
	All(ctx context.Context, refs []Ref) iter.Seq2[Doc, error]

	// Version returns one version, which may be a tombstone, or ErrNotFound.
	Version(ctx context.Context, ref Ref, version uint64) (Doc, error)

	// Scan yields the rows that match, in the order of the store. An error ends the
	// sequence.
	Scan(ctx context.Context, q Query) iter.Seq2[Doc, error]

	// Count returns the number of rows that Scan would yield. If max > 0 it stops counting
	// at max.
	Count(ctx context.Context, q Query, max int) (int, error)

	// History yields versions, newest first: by Updated descending, then by Seq descending,
	// then by address, then by version descending. An error ends the sequence.
	History(ctx context.Context, q HistoryQuery) iter.Seq2[Doc, error]
}

// Query selects rows of one type, or rows of every type that have a cross-type key.
type Query struct {
	Type       string      // empty: every type; then Where requires a CrossTypeKey, else ErrNeedsCrossTypeKey
	Where      Pred        // required; And{} for all
	After      *RowID      // only rows after this one; nil: from the first
	Partitions []Partition // only rows in these, sorted and distinct; nil: all
	KeysOnly   bool        // leave Body nil
	// TimingSafe: the time of an answer without a row does not reveal whether there was a
	// candidate that did not match. It changes nothing else. An engine on another machine
	// may ignore it.
	TimingSafe bool
}

// HistoryQuery selects versions of one type, or of one document.
type HistoryQuery struct {
	Type   string       // required
	ID     string       // empty: the whole type
	Since  time.Time    // versions at or after it; zero: all
	Before *HistoryMark // only versions after this one in the history; nil: from the newest
	// Where is matched against the keys of each version; nil: all.
	Where Pred
}

// HistoryMark is the position of a version in a history.
type HistoryMark struct {
	Updated time.Time
	Seq     uint64
	Ref     Ref
	Version uint64
}

// HistoryMark returns the position of a version in a history.
func (d *Doc) HistoryMark() HistoryMark {
	return HistoryMark{Updated: d.Updated, Seq: d.Seq, Ref: d.Ref, Version: d.Version}
}

// CompareMarks orders versions as a history does, newest first.
func CompareMarks(a, b HistoryMark) int {
	return cmp.Or(
		b.Updated.Compare(a.Updated),
		cmp.Compare(b.Seq, a.Seq),
		strings.Compare(a.Ref.Type, b.Ref.Type),
		strings.Compare(a.Ref.ID, b.Ref.ID),
		cmp.Compare(b.Version, a.Version),
	)
}

// Batch is one atomic step: if all preconditions hold, all writes are applied; else nothing
// is.
type Batch struct {
	Writes []Write  // at most one for each address
	Checks []Check  // documents that must be as they were read
	Absent []Absent // queries that must have no row
	// Log is appended to the store's Log in this order, with the writes or durably before
	// them. An engine without common transactions may have appended it although the commit
	// failed.
	Log [][]byte
	// State is written in the same step, for marks of a resumable load.
	State []StateWrite
	// Tracker is that of the snapshot that the batch was decided on, for a commit inside
	// the function of a Read; nil for any other. See Store.Read.
	Tracker *CommitTracker
}

// Write makes Doc the newest version of its address. Doc.Version must be Expect+1, or Expect
// with Rekey.
type Write struct {
	Doc    Doc    // Seq and KeyRevision are ignored
	Expect uint64 // the newest version that must exist, 0 if there must never have been one
	// KeyRevision must be that of the expected version; 0 with Expect 0. Keys of the new
	// version may be derived from those of the version before, so a rekey in between is a
	// conflict like a new version.
	KeyRevision uint64
	// Rekey replaces RowID, Keys and Source of the newest version in place and adds one to
	// its KeyRevision. Updated, Seq, Origin and Body stay as stored; those of Doc are
	// ignored. A tombstone can be rekeyed. If the keys are derived from other documents,
	// list these in Checks with the KeyRevision that was read.
	Rekey bool
}

// Check requires that a version is the newest one of its document and was not rekeyed since
// it was read; Version 0 requires that the document never existed. With Where it requires
// instead that the document is not deleted and that its keys match, in any version.
type Check struct {
	Ref         Ref
	Version     uint64
	KeyRevision uint64
	Where       Pred // nil for the version; otherwise Version and KeyRevision are ignored
}

// Absent requires that no row matches. Claims are driving keys that every matching document
// has (the equalities of the criteria), at least one. Of two concurrent commits that share a
// claim, and of which each would break the condition of the other, one fails with
// ErrConflict.
type Absent struct {
	Type   string // empty: every type, as in a Query
	Where  Pred
	Claims []Key
}

// GetEach implements Snapshot.All by one call of get for each document, for engines in which a
// batch of them is not cheaper.
func GetEach(ctx context.Context, refs []Ref, get func(context.Context, Ref) (Doc, error)) iter.Seq2[Doc, error] {
	return func(yield func(Doc, error) bool) {
		for _, ref := range Distinct(refs) {
			d, err := get(ctx, ref)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}
