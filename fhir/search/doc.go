// Package search turns a query string into a Query and executes it on a consent.View.
// It has no access to a store: a document that the View does not show exists for no part of a
// search.
//
// A Query has a predicate for each type that is searched, and nodes for the filters that need
// other documents: chains, _has, value sets, Lists (package join). An execution evaluates the
// nodes on the View first, or streams the rows (join.Stream); the engine chooses the cheapest
// driving key of the predicate and verifies the rest.
//
// Features of the standard that this package does not implement are refused, under lenient
// handling too, because ignoring it would widen an answer. Only parameter names that the standard
// does not define are ignored.
package search
