// Package pebble is the embedded engine: documents, state and log in one Pebble
// tree, in one folder, without another process.
//
// # Rows
//
// The store is one ordered map of rows. The first byte of a row is its kind. A type is
// written as its code, two bytes that the dictionary (t) assigns. A rowid is a
// store.RowID in 19 bytes, partition (6) and sort key (13), so that rows are in the
// order of the store. "key·" is an index key, escaped and terminated (see appendKey), so
// that postings are ordered by (key, rowid) exactly, for all bytes of keys.
//
//	t type                       → code            the dictionary of types
//	i code id                    → version, rowid, key revision   the newest version of a document
//	d rowid                      → facts, keys     a live document
//	b rowid                      → body            and its body
//	a code rowid                 →                 live documents of a type
//	p code key· rowid            →                 postings: live documents with a driving key; with
//	                                               a cross-type key, under code 0
//	c code key·                  → count           the number of postings of a few keys (counts.go)
//	v code id· version           → rowid, facts, keys   a superseded version or a tombstone
//	w code id· version           → body            and its body, if it has one
//	h code ^updated ^seq id      → version         every version, newest first
//	f seq code id                → version         every version by its commit: the change feed
//	s name                       → expiry, value   state
//	l position                   → hash, payload   the log
//	m name                       → …               format, last seq, last seq that updated the counts, feed ID
//
// A live document has rows of the kinds d, b, a and p, and its i row has its rowid. A
// create writes these, one h and one f, and no v. A write that supersedes it copies d and
// b to v and w. A tombstone is written to v at once, and only i refers to it: so Get finds
// it and Scan does not.
//
// The number of times that the newest version was rekeyed (store.Doc.KeyRevision) is
// stored in two rows: in i, where a commit tests it together with the version, and in d or
// v, where every reader finds it. It is left out while it is 0, as in all rows written
// before it existed.
//
// The type is part of a posting, so an intersection of postings is of one type, and a
// conjunction of driving equalities is counted from postings alone. The kind a (2 + 19
// bytes, mostly shared with the row before) exists because d orders all types of a patient
// together: a scans one type in order without reading d. One lookup in d decides whether
// another live document has the rowid.
//
// # Reading
//
// Read takes a Pebble snapshot, one for all reads between two commits
// (snapshotcache.go). A query becomes a plan (plan.go), a plan opens
// streams of rowids in order (stream.go), and each proposed rowid is read
// from d and decided by store.Match (scan.go). Bodies are read last. A count of
// one key, or of a type, reads postings alone, or a stored count.
//
// # Writing
//
// One mutex covers testing the preconditions, numbering, chaining the log and
// applying the batch. Waiting for the disk happens outside of it, so that
// concurrent writers share one sync. A commit is visible when it is
// applied and acknowledged when it is durable. All rows go through one journal
// in one order, so a sync of any row, a log record for instance, makes durable all
// that was visible before it. The log and the change feed return only durable entries.
//
// # Memory
//
// All that is kept in memory besides the rows is a function of the applied rows. Only the
// code that applies rows changes it, in their order, under the mutex.
// CheckMemory compares each entry with its rebuild; the contract's tests call it at their end.
//
//	last commit     m seq: read when a folder is opened, incremented by each commit
//	types           t: read when a folder is opened; a new code is durable before it is
//	                used, under a mutex of its own
//	end of the log  the last l: read when a folder is opened, advanced by each record;
//	                its durable part by each sync
//	feed            m feed and m seq: as the end of the log; RenewFeed changes the ID
//	stored counts   c and m counted: read when a folder is opened, deleted where the
//	                last commit did not update them (counts.go); changed by each commit with
//	                its rows; added by one worker, under the mutex (countqueue.go)
//	document cache  documents as d and b have them: empty when a folder is opened; a
//	                commit removes the documents that it writes before its rows are applied,
//	                a read adds those it has read unless a commit has written since (doccache.go)
//	shared snapshot a snapshot of a commit: made by the first read after a commit or
//	                after a count was stored, never changed (snapshotcache.go)
//
// No answer rests on memory alone: a stored count has its row in the same batch, and a
// snapshot reads the row. Three things decide nothing: the requested counts
// (countQueue), where the search for expired values continues (sweepFrom), and the row that
// a TimingSafe query without candidates reads (decoy). The number of postings of a plan
// (cheapest.go) is counted again for each query.
//
// After a failed sync the content of the disk is unknown, and the
// engine returns ErrUnavailable until it is opened again.
package pebble
