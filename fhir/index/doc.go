// Package index turns resources into keys and search parameters into
// predicates over those keys. The grammar of the keys and every encoding live
// here and nowhere else.
package index
