package store

import (
	"bytes"
	"cmp"
	"fmt"
	"time"
)

// Ref is the address of a document: a resource type and a logical id.
type Ref struct{ Type, ID string }

// String returns Type/ID.
func (r Ref) String() string { return r.Type + "/" + r.ID }

// Distinct returns references in their order, each once.
func Distinct(refs []Ref) []Ref {
	if len(refs) < 2 {
		return refs
	}
	seen := make(map[Ref]bool, len(refs))
	out := make([]Ref, 0, len(refs))
	for _, ref := range refs {
		if !seen[ref] {
			seen[ref] = true
			out = append(out, ref)
		}
	}
	return out
}

// Partition groups the documents of one home patient. It uses 48 bits; the others are zero.
// It does not determine the owners of a document.
type Partition uint64

// SortKeySize is the length of a SortKey in bytes.
const SortKeySize = 13

// SortKey orders the documents of a Partition: five bytes of the inverted clinical date
// (newest first, missing last), then eight bytes of a hash of the document's address.
type SortKey [SortKeySize]byte

// RowID is the position of a document in the order of the store. No two live documents have
// the same: a commit that would give one to both is ErrConflict.
type RowID struct {
	// The JSON names are those of stored marks of interrupted walks.
	Partition Partition `json:"Place"`
	SortKey   SortKey   `json:"Order"`
}

// Compare orders ids by partition, then by sort key.
func (a RowID) Compare(b RowID) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), bytes.Compare(a.SortKey[:], b.SortKey[:]))
}

// Origin is the interaction that made a version. History shows it.
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

// Doc is one version of a document. Keys and Body must not be changed once the document was
// committed or read.
type Doc struct {
	Ref     Ref
	Version uint64    // 1, 2, 3 …, tombstones included
	Updated time.Time // UTC, whole milliseconds
	Seq     uint64    // ascending number of the commit that wrote it; set by the engine
	RowID   RowID
	Source  string // source organisation (ODS code), empty if none
	Origin  Origin
	// KeyRevision counts how often a rekey replaced the keys of this version; set by the
	// engine. A new version has 0, and a superseded one keeps its value.
	KeyRevision uint64
	Keys        []Key  // sorted and distinct; a tombstone has those of the version before
	Body        []byte // nil for a tombstone, and where a query asked for keys only
}

// Deleted reports whether the version is a tombstone.
func (d *Doc) Deleted() bool { return d.Origin == Deleted }
