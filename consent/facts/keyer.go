// Package facts makes the keys of documents.
//
// Besides the keys that fhir/index finds in a body, a document has keys of the server: its owners (the
// patients whom it is about), the names of persons whom it is about otherwise, mentions, its source, and
// named facts. They can depend on other documents, which a Reader returns: the owners of a List follow
// from its entries, those of a row by NHS number from the Patient with that number. A document has a
// DependsOnKey for each name that would change its keys.
//
// The package makes no decision: package consent turns keys into predicates.
package facts

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// Version is the version of the keys that a Keyer adds to those of a body. A change that gives
// a document other keys increments it.
const Version = 9

// Keyer makes the keys of documents. It is safe for concurrent use.
type Keyer struct {
	Index    *index.Indexer
	FHIRBase string // public FHIR base, without a slash at the end
}

// Has reports whether sorted keys have a named fact (index.FactKey).
func Has(keys []store.Key, fact string) bool {
	return store.Match(store.Eq{Key: index.FactKey(fact)}, keys)
}
