package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
)

// Log is an append-only log. Positions start at 1 and have no gaps, also across restarts. It
// is safe for concurrent use.
type Log interface {
	// Append adds records in their order and returns the position of the first. They are
	// durable when it returns. Concurrent calls share one durable write. After an error
	// none of the records is in the log, unless ErrUnknown is joined.
	Append(ctx context.Context, payloads ...[]byte) (first uint64, err error)
	// Records yields the stored records from a position on. It does not verify the chain:
	// the reader does. An error ends the sequence.
	Records(ctx context.Context, from uint64) iter.Seq2[Record, error]
	// Head returns the last record without its payload, or the zero Record for an empty
	// log.
	Head(ctx context.Context) (Record, error)
}

// Hash is a hash of a log's chain.
type Hash [sha256.Size]byte

// Record is one entry of a Log.
type Record struct {
	Pos     uint64
	Hash    Hash // ChainHash of this record and the hash of the record before
	Payload []byte
}

// ChainHash computes the hash of a record from that of the record before it (zero for the
// first): SHA-256(previous ‖ position, 8 bytes big endian ‖ SHA-256(payload)), see AUD-501.
func ChainHash(previous Hash, pos uint64, payload []byte) Hash {
	inner := sha256.Sum256(payload)
	b := make([]byte, 0, 2*sha256.Size+8)
	b = append(b, previous[:]...)
	b = binary.BigEndian.AppendUint64(b, pos)
	b = append(b, inner[:]...)
	return sha256.Sum256(b)
}
