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
