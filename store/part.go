package store

import (
	"context"
	"iter"
)

// Part is one thing of which a copy of a store is made: a version of a document
// or a record of the log. One of the two is set.
type Part struct {
	Doc    *Doc
	Record *Record
}

// Copier is an engine that can be copied into another. State is no part of a
// copy: tokens end with the store that they were given for.
type Copier interface {
	// Export yields first every version of every document, those of one address
	// together and newest first, then the log. Together they are one consistent
	// state: every commit that was acknowledged before Export was called, and of
	// any other the whole or nothing; the log may go on further. The keys of a
	// newest version may be those of a later Rekey, so whoever imports keys
	// documents anew. Writers go on meanwhile. An error ends the sequence.
	Export(ctx context.Context) iter.Seq2[Part, error]
	// Import fills an empty store with what Export yielded, by this engine or
	// another: versions, instants, Seq, positions and links stay as they were.
	// ErrExists: a document or a record is there already. PrefixEnd any other error
	// the store holds a part, and nothing but deleting it is of use. Keying is not
	// copied, every version begins at 0: it tells readings of one store apart, and
	// there is none yet of the store that is filled. Nobody else
	// may use the store meanwhile. The store has another ChangeFeed afterwards: with the
	// same commits, of which some may be missing at its end, so no position of the
	// feed before is one of it.
	Import(ctx context.Context, parts iter.Seq2[Part, error]) error
	// RenewFeed gives the store another ChangeFeed, with the same commits. It is for a store
	// that was filled from a copy by other means than Import: a position that was
	// given out behind the copy would name other commits than those it was behind.
	RenewFeed(ctx context.Context) error
}
