// Package reindex rekeys stored documents: after a change of the key format, for search
// parameters that stored definitions bring, and to verify a store.
//
// A Walk reads all documents of some types, type by type, in the order of the store. Each page
// is one commit together with the position after it, so an interrupted walk resumes. Types are
// walked in the order of facts.KeyOrder: documents that inherit owners come after those that they
// inherit from. A walk over all types repeats the inheriting types until a round changes none
// that others of its type may inherit from, at most maxRounds times.
package reindex
