// Package store is the contract between the record and its engines.
//
// A store holds documents. A document has an address (type and id), an opaque body,
// versions, and a sorted list of index keys. Every query is a predicate over those keys.
// The store knows nothing of FHIR: fhir/index builds the keys of search parameters, and
// consent adds the facts by which it decides. Match alone defines what a predicate means: an
// index of an engine only proposes candidates, and Match decides.
//
// Vocabulary:
//
//   - A driving key has an index entry (a posting) under the type of its document, so that a
//     query can find candidates by it. A verifying key is stored with the document and read
//     by Match only. A cross-type key is indexed for all types together: a query without a
//     type needs one.
//   - A version is one state of a document; a deletion makes a tombstone, a version without
//     a body. A rekey replaces the keys of the newest version in place and counts up its key
//     revision.
//   - A row is the newest version of a document that is not deleted. Every engine returns
//     rows in the order of their RowID: by Partition (the documents of one patient), then by
//     SortKey. The order does not depend on the time of arrival, so a row that a requester may not see does
//     not move others.
//
// A store also has three ports: State (values with an expiry), Log (append only, without
// gaps, hash chained) and ChangeFeed (the commits in order).
//
// store/pebble and store/mongo implement the contract. Package storetest compares each with
// a small reference store.
package store

import "errors"

// Errors that engines return, to be compared with errors.Is. Any other error is a fault of
// the engine, and callers treat it like ErrUnavailable.
var (
	// ErrNotFound: the document, version or value does not exist.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict: a precondition of a commit or a swap did not hold. Nothing was written.
	ErrConflict = errors.New("store: conflict")
	// ErrExists: an insert found a live value.
	ErrExists = errors.New("store: exists")
	// ErrTooLarge: the document is too large for the engine. Nothing was written.
	ErrTooLarge = errors.New("store: too large")
	// ErrNeedsCrossTypeKey: a query without a type requires no cross-type key. This is a
	// fault of the caller.
	ErrNeedsCrossTypeKey = errors.New("store: a query of every type without a cross-type key")
	// ErrUnavailable: the engine cannot answer now. The caller must not conclude that
	// anything is absent. After a Commit or a write to State or Log it also means that
	// nothing was written, unless ErrUnknown is joined.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrUnknownPosition: the feed does not have the position. It is from another store,
	// from this store before it was filled from a copy, from the future, or older than the
	// feed. The consumer must resync: from the zero Position, or from End after it read
	// everything.
	ErrUnknownPosition = errors.New("store: the change feed does not have this position")
	// ErrUnknown: the outcome of a write is unknown. The write may be stored, or may be
	// stored later. It is joined to ErrUnavailable or to the context's error, never to
	// ErrConflict, and to no error after which nothing was stored for certain.
	ErrUnknown = errors.New("store: outcome unknown")
)
