// Package pebble is the embedded engine: documents, state and log in one Pebble
// tree, in one folder, with no other process.
//
// # Rows
//
// Everything is a row of one ordered map. A row's first byte says what it is.
// A type stands as its code, two bytes that the dictionary (t) gave it; a docid
// is a store.RowID in 19 bytes, place (6) and order (13), so that rows order as
// the store does; "key·" is an index key escaped and ended (see appendKey), so
// that postings order by (key, docid) exactly, whatever bytes keys are made of.
//
//	t type                       → code            the dictionary of types
//	i code id                    → version, docid, keying   the newest version of an address
//	d docid                      → facts, keys     a live document
//	b docid                      → body            and its body
//	a code docid                 →                 live documents of a type
//	p code key· docid            →                 live documents with a driving key; with a
//	                                               common key, under code 0
//	c code key·                  → count           how many those are, of a few keys (counts.go)
//	v code id· version           → docid, facts, keys   a superseded version or a tombstone
//	w code id· version           → body            and its body, if it has one
//	h code ^updated ^seq id      → version         every version, newest first
//	f seq code id                → version         every version by its commit: the feed
//	s name                       → expiry, value   state
//	l position                   → hash, payload   the log
//	m name                       → …               format, last seq, last seq that kept the counts, which feed
//
// A document that is alive stands under d, b, a and p, and i points to it. A
// create writes these, one h and one f, no v. What supersedes it copies d and b to v
// and w. A tombstone goes to v at once, and i alone leads to it: that is why
// Get finds it and Scan cannot.
//
// How often the newest version was rekeyed (store.Doc.KeyRevision) stands twice: in i,
// where a commit tests it together with the version, and among the facts of d or v,
// where every reader finds it. It is left out while it is 0, as in all rows that were
// written before there was one.
//
// The type is part of a posting, so an intersection of postings is already of
// one type: candidates of other types are never met, and a conjunction of
// driving equalities is counted from postings alone. That keeps a (2 + 19 bytes,
// mostly shared with the row before) apart from d, which orders all types of a
// patient together: a type is found in order by a without reading d, and two
// live documents at one docid are found by one point get of d.
//
// # Reading
//
// Read takes a Pebble snapshot, one for all reads between two commits
// (snapshotcache.go). A query becomes a plan (plan.go), a plan opens
// streams of docids in order (stream.go), and what the streams propose is read
// from d and decided by store.Match (scan.go). Bodies are read last. A count of
// one key, or of a type, walks over postings alone, or looks up what is kept.
//
// # Writing
//
// One mutex covers testing the preconditions, numbering, linking the log and
// applying the batch; waiting for the disk happens outside of it, so that
// concurrent writers share one sync. A commit is visible from when it is
// applied and acknowledged when it is durable; all rows go through one journal
// in one order, so whatever is made durable later, a log record for instance,
// makes durable everything that was visible before it. The log itself shows
// only what is durable, and so does the feed.
//
// # Memory
//
// What is kept in memory beside the rows is a function of the rows that are applied,
// changed by nobody but whoever applies rows, in their order, under the mutex.
// CheckMemory compares each with its rebuild; the contract's tests call it at their end.
//
//	last commit     m seq: read when a folder is opened, counted up by each commit
//	types           t: read when a folder is opened; a new code is durable before it is
//	                used, under a mutex of its own
//	end of the log  the last l: read when a folder is opened, moved on by each record;
//	                how much is durable by each sync
//	feed            m feed and m seq: as the end of the log; another name by Renew
//	kept counts     c and m counted: read when a folder is opened, deleted where the
//	                last commit did not keep them (counts.go); changed by each commit with
//	                its rows; begun by one worker, under the mutex (countqueue.go)
//	recent          documents as d and b have them: empty when a folder is opened; a
//	                commit takes out what it writes before its rows are applied, a read
//	                puts in what it has read unless a commit has written since (doccache.go)
//	shared snapshot a snapshot of a commit: made by the first read after a commit or
//	                after a count was put, never changed (snapshotcache.go)
//
// None of it decides alone: what is kept of a count has its row in the same batch, and a
// snapshot reads the row. Three things decide nothing: the counts that wait to be kept
// (keeper), where the search for expired values goes on (sweep), and the row that a
// steady question looks at (glimpse). How few postings a plan has (cheapest.go) is counted
// anew for each question.
//
// After a failed sync nothing is known about what the disk holds, and the
// engine answers ErrUnavailable until it is opened again.
package pebble
