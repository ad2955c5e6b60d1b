package store

import (
	"context"
	"iter"
)

// CopyItem is one item of a copy of a store: a version of a document, or a record of the
// log. Exactly one field is set.
type CopyItem struct {
	Doc    *Doc
	Record *Record
}

// Copier is an engine that can be copied into another. A copy has no State: tokens are valid
// only in the store that issued them.
type Copier interface {
	// Export yields every version of every document, those of one address together and
	// newest first, then the log. The items are one consistent state: every commit that was
	// acknowledged before Export was called, and any other whole or not at all. The log may
	// be longer than that. The keys of a newest version may be those of a later rekey, so
	// the importer must derive the keys again. Writers may continue during the export. An
	// error ends the sequence.
	Export(ctx context.Context) iter.Seq2[CopyItem, error]
	// Import fills an empty store with the items of an Export by any engine. Versions,
	// instants, Seq, positions and hashes are kept. Key revisions are not: every version
	// begins at 0. Nobody else may use the store during the import.
	//
	// The error is ErrExists if a document or a record exists already. After any other
	// error the store is incomplete and must be deleted.
	//
	// The store gets another ChangeFeed with the same commits, of which some may be missing
	// at the end. Positions of the former feed are not valid in it.
	Import(ctx context.Context, items iter.Seq2[CopyItem, error]) error
	// RenewFeed gives the store another ChangeFeed with the same commits. It is for a store
	// that was filled from a copy by other means than Import: positions that were issued
	// after the copy was made would refer to other commits in it.
	RenewFeed(ctx context.Context) error
}
