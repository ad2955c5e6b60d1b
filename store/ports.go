package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"strings"
	"time"
)

// State keeps small values with an expiry: tokens, leases, marks. It is safe
// for concurrent use; an expired value is not there. Writes are durable when
// they return.
type State interface {
	// Insert keeps a value under a key that has none, else ErrExists. A zero
	// expiry is never.
	Insert(ctx context.Context, key string, value []byte, expires time.Time) error
	// Lookup returns a value, or ErrNotFound.
	Lookup(ctx context.Context, key string) ([]byte, error)
	// Swap replaces old by value, else ErrConflict (also where there is none).
	Swap(ctx context.Context, key string, old, value []byte, expires time.Time) error
	// Take removes a value and returns it, or ErrNotFound: of any number of
	// simultaneous takers one gets it.
	Take(ctx context.Context, key string) ([]byte, error)
	// Values yields the values whose keys begin with a prefix, each once, in no order that
	// would say anything. One that comes or goes meanwhile may be among them or not. An
	// error ends the sequence.
	Values(ctx context.Context, prefix string) iter.Seq2[StateValue, error]
}

// StateValue is a value of a State with its key.
type StateValue struct {
	Key   string
	Value []byte
}

// Log is append only. Positions start at 1 and have no gaps, also across
// restarts. It is safe for concurrent use.
type Log interface {
	// Append adds records in their order, durable when it returns, and returns
	// the position of the first. Waiting calls share one durable write. Where
	// it fails, none of them is in the log, or ErrUnknown is joined.
	Append(ctx context.Context, payloads ...[]byte) (first uint64, err error)
	// Records yields what stands from a position on, in the order kept by the
	// engine, as it is kept: verifying is the reader's work. An error ends the
	// sequence.
	Records(ctx context.Context, from uint64) iter.Seq2[Record, error]
	// Head returns the last record, its payload left out; the zero Record for
	// an empty log.
	Head(ctx context.Context) (Record, error)
}

// ChangeFeed says what changed: the commits that made versions, in the order of their
// numbers, each whole and once, also across restarts. A commit that made none is
// not in it: values, records of the log, Rekeys. It is safe for concurrent use,
// in the process that writes.
//
// A commit is shown when it is durable and no commit of a lower number can come
// any more, so that nothing is ever filled in before what was shown. What is
// shown can be read. Versions are kept for ever, and so is the feed.
//
// Every method that takes a Position returns ErrPosition for one that is none of
// this feed.
type ChangeFeed interface {
	// Changes returns the first commits behind a position, at most max of them
	// (max > 0), and none only where there is none.
	Changes(ctx context.Context, after Position, max int) ([]Change, error)
	// End returns the position behind all that is shown.
	End(ctx context.Context) (Position, error)
	// Await returns nil as soon as there is a commit behind a position, and the
	// context's error when it ends before.
	Await(ctx context.Context, after Position) error
}

// Position is a place in a ChangeFeed: behind the commit with a number, or behind
// where it would stand. The zero Position is before the first commit of every
// feed.
type Position struct {
	// ChangeFeed says of which feed. A store has another after Copier.Import and
	// Copier.Renew.
	Feed string
	Seq  uint64
}

// Change is a commit in a ChangeFeed.
type Change struct {
	At       Position    // behind this commit
	Versions []VersionID // that it made, tombstones among them, by address
}

// VersionID names a version of a document.
type VersionID struct {
	Ref     Ref
	Version uint64
}

// CompareVersions orders versions by address, then by number.
func CompareVersions(a, b VersionID) int {
	return cmp.Or(strings.Compare(a.Ref.Type, b.Ref.Type), strings.Compare(a.Ref.ID, b.Ref.ID), cmp.Compare(a.Version, b.Version))
}

// Hash is a link of a log's chain.
type Hash [sha256.Size]byte

// Record is one entry of a Log.
type Record struct {
	Pos     uint64
	Hash    Hash // ChainHash of the record before and this one
	Payload []byte
}

// ChainHash computes the hash of a record from that of the record before it (zero
// for the first): SHA-256(previous ‖ position, 8 bytes big endian ‖
// SHA-256(payload)), as AUD-501 says.
func ChainHash(previous Hash, pos uint64, payload []byte) Hash {
	inner := sha256.Sum256(payload)
	b := make([]byte, 0, 2*sha256.Size+8)
	b = append(b, previous[:]...)
	b = binary.BigEndian.AppendUint64(b, pos)
	b = append(b, inner[:]...)
	return sha256.Sum256(b)
}
