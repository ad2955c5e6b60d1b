// Package facts makes the keys of documents.
//
// Besides the keys that fhir/index finds in a body, a document has keys of the server: its owners (the
// persons whom it is about, by person key), the names of persons whom it names in another way, mentions, its
// source, and named facts. They can depend on other documents, which a Reader returns: the owners of a List
// follow from its entries, the person of an Observation from its Patient. A document has a DependsOnKey for
// each document from which it inherits, and a PatientKey for each Patient through whom it is about a person.
//
// The person key of a Patient is its national number, if that counts, else its own id (person.go).
//
// The package makes no decision: package consent turns keys into predicates.
package facts

import (
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Version is the version of the keys that a Keyer adds to those of a body. A change that gives
// a document other keys increments it.
const Version = 11

// Keyer makes the keys of documents. It is safe for concurrent use.
type Keyer struct {
	Index    *index.Indexer
	FHIRBase string // public FHIR base, without a slash at the end
	// Identity says which Patients are one person; nil joins nobody.
	Identity *policy.Identity
}

// Has reports whether sorted keys have a named fact (index.FactKey).
func Has(keys []store.Key, fact string) bool {
	return store.Match(store.Eq{Key: index.FactKey(fact)}, keys)
}
