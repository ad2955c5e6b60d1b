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
// Every method returns ErrUnavailable, or the context's error, when the engine
// cannot answer in time; neither may be taken for absence.
type Store interface {
	// Read calls f with one consistent snapshot, which holds every commit that
	// was acknowledged before Read was called and no part of any other than
	// whole commits. The snapshot, and the sequences made from it, end with f.
	// Whether it holds a commit made while f runs, by f itself too, is open.
	// Read returns what f returns, or why no snapshot was to be had.
	//
	// f is called at most once, whatever it returns and whatever fails: f may have
	// committed, and a commit that is made again is a second write. What an engine
	// may repeat after a transient fault is a question of the snapshot, as long as
	// nothing else was read from it.
	//
	// An engine may have to confirm its snapshot when f has returned nil. Where
	// that fails Read returns ErrUnavailable, and nothing that f was given counts.
	// A snapshot within which a commit was stored, or may have been (Batch.Tracker),
	// is not confirmed, since the preconditions of the commit decided: Read returns
	// what f returned. One within which a commit was refused (ErrConflict) was only
	// read, and is confirmed.
	Read(ctx context.Context, f func(Snap) error) error

	// Commit applies the batch as one atomic step, durable when it returns, and
	// returns its sequence number. ErrConflict: a precondition failed, nothing
	// was written; read again and decide anew. ErrUnknown is joined to any error
	// after which the batch may be stored, or may be yet, and to no other.
	Commit(ctx context.Context, b Batch) (seq uint64, err error)

	// Close releases the engine. Calls under way must have ended.
	Close() error
}

// Snap is a consistent state of the store. It is for one goroutine.
type Snap interface {
	// CommitTracker is for Batch.Tracker of a commit that is decided on this snapshot.
	Tracker() *CommitTracker

	// Get returns the newest version of a document, a tombstone included, or
	// ErrNotFound if it never was.
	Get(ctx context.Context, ref Ref) (Doc, error)
	// All yields what Get returns of some documents, each once, in no order that
	// would say anything; what never was is left out. It is one question where a
	// question is dear.
	All(ctx context.Context, refs []Ref) iter.Seq2[Doc, error]

	// Version returns one version, a tombstone included, or ErrNotFound.
	Version(ctx context.Context, ref Ref, version uint64) (Doc, error)

	// Scan yields the live documents that match, in the order of the store. An
	// error ends the sequence.
	Scan(ctx context.Context, q Query) iter.Seq2[Doc, error]

	// Count returns how many documents Scan would yield, but at most max of
	// them are counted when max > 0.
	Count(ctx context.Context, q Query, max int) (int, error)

	// History yields versions, newest first: by Updated descending, then by Seq
	// descending, then by address, then by version descending. An error ends
	// the sequence.
	History(ctx context.Context, q HistoryQuery) iter.Seq2[Doc, error]
}

// Query asks for live documents of one type, or of every type that have a common key.
type Query struct {
	Type       string      // empty: of every type, and Where has a CrossTypeKey, else ErrNeedsCrossTypeKey
	Where      Pred        // required; And{} for all
	After      *RowID      // only rows behind this place in the order; nil from the start
	Partitions []Partition // only rows in these, which are sorted and distinct; nil for all
	KeysOnly   bool        // leave Body nil
	// TimingSafe: an answer without a row does not tell by its time whether there was a
	// candidate that did not match. It changes nothing else, and an engine on another
	// machine may leave it out.
	TimingSafe bool
}

// HistoryQuery asks for versions of one type, or of one document of it.
type HistoryQuery struct {
	Type   string       // required
	ID     string       // empty: the whole type
	Since  time.Time    // versions at or after it; zero: all
	Before *HistoryMark // only versions behind this one; nil from the newest
	// Where is matched against the keys of each version itself; nil for all.
	Where Pred
}

// HistoryMark is the place of a version in a history.
type HistoryMark struct {
	Updated time.Time
	Seq     uint64
	Ref     Ref
	Version uint64
}

// HistoryMark returns the place of a version in a history.
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

// Batch is one atomic step: all preconditions are tested and all writes applied
// together, or nothing is.
type Batch struct {
	Writes []Write  // at most one for each address
	Checks []Check  // documents that must still be as they were read
	Absent []Absent // questions that must have no answer
	// Log is appended to the store's Log with the writes or durably before
	// them, in this order. When the commit fails an engine without common
	// transactions may have appended it.
	Log [][]byte
	// State is written in the same step: marks of a resumable load.
	State []StateWrite
	// Tracker is the CommitTracker of the snapshot that the batch was decided on, for a
	// commit that the function of a Read makes; nil for any other. See Store.Read.
	Tracker *CommitTracker
}

// Write makes Doc the newest version of its address. Doc.Version must be
// Expect+1; with Rekey it must be Expect.
type Write struct {
	Doc    Doc    // Seq and Keying are ignored
	Expect uint64 // the newest version that must stand now, 0 for none ever
	// KeyRevision is the Keying that the expected version must have: the keys of the
	// new version may be derived from those of the version before, so a Rekey
	// since the reading is a conflict like a new version. 0 with Expect 0.
	KeyRevision uint64
	// Rekey replaces ID, Keys and Source of the newest version in place: no new
	// version, the same Updated, Seq, Origin and Body as stored (Doc's are
	// ignored), and a Keying that is greater by one. A tombstone can be rekeyed.
	// Whoever derives keys from other documents names those in Checks, with the
	// Keying that was read.
	Rekey bool
}

// Check demands that a version is the newest one of a document and was not
// rekeyed since it was read; Version 0 that the document never was. With Where it
// demands instead that the document is live under keys that match, whatever the version:
// what was read of it is then the facts that Where asks for.
type Check struct {
	Ref         Ref
	Version     uint64
	KeyRevision uint64
	Where       Pred // nil for the version; with it Version and Keying are ignored
}

// Absent demands that no live document matches. Claims are driving keys of
// which every matching document has each (the equalities of the criteria): of
// two simultaneous commits that share a claim and would each break the other's
// demand, one fails with ErrConflict. There is at least one claim.
type Absent struct {
	Type   string // empty: of every type, as in a Query
	Where  Pred
	Claims []Key
}

// StateWrite is a value to be kept, replacing one that stands.
type StateWrite struct {
	Key     string
	Value   []byte
	Expires time.Time // zero: never; an instant of the past removes the value
	// New demands that no live value stands under the key, else the commit is
	// ErrConflict.
	New bool
}

// GetEach is All of an engine that has a document as cheaply as a question.
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

// Distinct returns references in their order, each once.
func Distinct(refs []Ref) []Ref {
	if len(refs) < 2 {
		return refs
	}
	met := make(map[Ref]bool, len(refs))
	out := make([]Ref, 0, len(refs))
	for _, ref := range refs {
		if !met[ref] {
			met[ref] = true
			out = append(out, ref)
		}
	}
	return out
}
