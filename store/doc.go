// Package store is the contract between the record and its engines.
//
// A store holds documents. A document is an opaque body with an address
// (type and id), a version, and a sorted list of index keys; every question
// that can be asked of a store is a predicate over those keys. The store knows
// nothing of FHIR: fhir/index builds the keys, consent adds the server's own
// facts as keys, and Match is the one meaning of a predicate. An index inside
// an engine only proposes candidates; Match decides.
//
// Rows come in one order on every engine: by place, then by order (Partition and
// SortKey of the document). Nothing in that order depends on arrival, so a row
// that a caller may not see moves no other row.
//
// Beside documents a store has three ports: State (values with an expiry), Log
// (append only, gapless, hash chained) and ChangeFeed (what changed, in order).
//
// Two engines implement the contract, store/pebble and store/mongo, and
// storetest holds both against a small reference store.
package store

import (
	"errors"
	"fmt"
	"time"
)

// Errors that engines return, to be compared with errors.Is. Anything else
// that an engine returns is a fault of the engine, and callers treat it like
// ErrUnavailable.
var (
	// ErrNotFound says that no document, version or value stands there.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict says that a precondition of a commit or a swap did not hold.
	// Nothing was written.
	ErrConflict = errors.New("store: conflict")
	// ErrExists says that an insert found a live value.
	ErrExists = errors.New("store: exists")
	// ErrTooLarge says that a document is too large for the engine. Nothing
	// was written.
	ErrTooLarge = errors.New("store: too large")
	// ErrNeedsCrossTypeKey says that a query without a type asks no common key: a fault of the
	// caller.
	ErrNeedsCrossTypeKey = errors.New("store: a query of every type without a common key")
	// ErrUnavailable says that the engine cannot answer now. Nothing that was
	// asked may be taken as absent because of it. PrefixEnd a Commit, State or Log
	// write it also says that nothing was written, unless ErrUnknown is joined.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrPosition says that a position is none of a feed: it is of another store,
	// of this one before it was filled from a copy, from the future, or from before
	// what is kept. Whoever follows the feed begins anew, at the zero Position or
	// at the End after reading everything.
	ErrPosition = errors.New("store: no position of this feed")
	// ErrUnknown says that the outcome of a write could not be learned: it may be
	// stored, or may be yet. It is joined to ErrUnavailable or to the context's error,
	// never to ErrConflict, and not to an error after which surely nothing was stored.
	ErrUnknown = errors.New("store: outcome unknown")
)

// Ref is the address of a document: a resource type and a logical id.
type Ref struct{ Type, ID string }

// String returns Type/ID.
func (r Ref) String() string { return r.Type + "/" + r.ID }

// Partition groups the documents of one home patient: 48 bits, the rest zero. It
// never says who owns a document.
type Partition uint64

// SortKeySize is the length of an SortKey in bytes.
const SortKeySize = 13

// SortKey places a document within its Partition: five bytes of clinical date
// inverted (newest first, missing last), then eight bytes of a hash of the
// document's address.
type SortKey [SortKeySize]byte

// RowID is where a document stands in the order of the store. Two live
// documents never share one: a commit that would make them is ErrConflict.
type RowID struct {
	// The names in JSON are those under which marks of interrupted walks are stored.
	Partition Partition `json:"Place"`
	SortKey   SortKey   `json:"Order"`
}

// Compare orders ids as the store does: by place, then by order.
func (a RowID) Compare(b RowID) int {
	if a.Partition != b.Partition {
		if a.Partition < b.Partition {
			return -1
		}
		return 1
	}
	for i := range a.SortKey {
		if a.SortKey[i] != b.SortKey[i] {
			return int(a.SortKey[i]) - int(b.SortKey[i])
		}
	}
	return 0
}

// Origin says how a version came to be. It is what history shows.
type Origin byte

// The origins of a version. The zero Origin is never stored.
const (
	Created  Origin = 1 + iota // POST, the id made by the server
	Upserted                   // PUT to an id without a current version
	Updated                    // PUT or PATCH of a current version
	Deleted                    // DELETE: a tombstone, without a body
)

// String returns a word for logs and test failures.
func (o Origin) String() string {
	switch o {
	case Created:
		return "created"
	case Upserted:
		return "upserted"
	case Updated:
		return "updated"
	case Deleted:
		return "deleted"
	}
	return fmt.Sprintf("origin(%d)", byte(o))
}

// Doc is one version of a document with the server's own facts about it.
// Keys and Body belong to the store once committed, and to the caller who read
// them never: neither side may change them.
type Doc struct {
	Ref     Ref
	Version uint64    // 1, 2, 3 …, tombstones included
	Updated time.Time // UTC, whole milliseconds
	Seq     uint64    // number of the commit that wrote it; set by the engine, grows
	RowID   RowID     // where it stands in the order of the store
	Source  string    // source organisation (ODS code), empty if none
	Origin  Origin
	// KeyRevision counts how often a Rekey replaced the keys of this version; set by the
	// engine. A new version has 0, and one that is superseded keeps what it had.
	KeyRevision uint64
	Keys        []Key  // sorted and distinct; a tombstone keeps those of the version before
	Body        []byte // nil for a tombstone, and where a query asked for keys only
}

// Deleted reports whether the version is a tombstone.
func (d *Doc) Deleted() bool { return d.Origin == Deleted }
