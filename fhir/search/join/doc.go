// Package join evaluates the filters of a search that need other documents: chains, _has,
// value sets and Lists.
//
// A filter is a tree of Nodes. The planner of package search builds it from the query string;
// it reads nothing. At run time there are two ways to evaluate it on a consent.View:
//
//   - Resolve replaces each node by a predicate over the keys of the type that is searched. A
//     hop is evaluated from its far end: first the targets, then the documents that refer to
//     them. Where the other filters leave at most maxCandidates rows, it is evaluated from those
//     rows instead.
//   - A Stream yields the matching rows in the order of the store, from any position on, without
//     knowing all targets. It is used for pages, so that the cost of a page does not grow
//     with the record.
//
// Every read goes through the View, so a hidden document satisfies no hop (VIS-003).
package join
