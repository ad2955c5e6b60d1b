// Package mongo is the engine on MongoDB.
//
// # Requirements
//
// A replica set (Open rejects a standalone server), majority write
// concern, reads from the primary. One process at a time writes to a database:
// positions of the log and the numbers of commits are kept in its memory.
// AcquireLease ensures that.
//
// # Collections
//
//	res      the newest version of every document, tombstones too
//	old      superseded versions, _id "Type/id/00000000000000000003"
//	claims   a counter for each claim of a commit's Absent
//	state    the values of store.State: v the value, x its expiry, n the call that wrote it
//	log      the records of store.Log, _id the position
//	marks    marks of commits that make no version, for an hour
//	counters the number of the last commit, in blocks, and whether the process
//	         that took them has closed; the format; the feed ID
//
// A document of res:
//
//	_id  "Type/id"            v   version              t  type
//	lu   updated              p   partition, a number  o  sort key, 13 bytes
//	s    source               q   seq                  g  origin
//	k    postings             f   all keys, bytes      b  body
//	r    key revision: how often this version was rekeyed; missing for 0
//	d    only in tombstones: its own _id, so that they are distinct in D
//	c    counter that a check increments to lock this version
//
// # Postings
//
// Keys are any bytes, and an index must order them as bytes. MongoDB compares
// binary values by length first, so k contains strings (see encode), each after
// the type of its document: "Observation/" and the key. So all postings of a type are
// one range, and the posting of the empty key, which every live document has, is
// the type's own key: it drives a query if nothing else can. A cross-type key has no type,
// so that one posting finds documents of every type. A tombstone has no k.
// f is only tested for equality and stays binary.
//
// # Indexes
//
//	K  {k, p, o, s}         on res: the documents of one posting in row order
//	P  {p, t, _id}          on res and old: the documents of a partition
//	L  {t, lu:-1, q:-1, _id} on res and old: history
//	D  {p, o, d} unique     on res: no two live documents share a row ID
//	X  {x}                  on state and marks: expiry
//	Q  {q}                  on res and old: versions by their commits, the change feed
//
// L has the seq before the _id because a history is ordered so. Every
// command names its index by a hint. With Config.NoticeStandIn, Open
// detects the server that stands in for MongoDB in tests, which walks the whole index of a
// hint, and gives it no hint of K or of _id.
//
// # How a query is driven
//
// Exactly one condition names k (drivingCondition): with two conditions on one multikey
// path the planner compares plans, and a hint fixes the index but not the condition. Other
// equalities go to f as $all. store.Match decides every candidate in Go. An Or of
// equalities is a merge of ordered streams here. A range does not return rows in
// row order: up to limits.collect candidates are collected and sorted
// here; if there may be more, the next best equality, or the type's own
// key, is walked in order instead. With that many candidates, a walk in row order
// soon meets a match. The rarest equality is found by counting in the index, bounded
// and cached for a while; a wrong estimate costs time only. Keyset paging
// (After) is two finds, the rest of the partition and then the later partitions, each
// one range of the index.
// A range of one partition is ordered by o alone: if the order names p too, MongoDB 4.4 sorts the whole
// range, because K is multikey.
//
// # Transactions
//
// Read is one transaction with read concern snapshot. It is committed with
// majority, not aborted: only that proves that the snapshot was of majority
// committed data and that the primary still was one. It must end within the
// server's transactionLifetimeLimitSeconds (60). Commit is one transaction:
// claims, then preconditions, then writes. Commits of the same
// documents or claims wait for each other in this process (nameLocks), so that they do not
// repeat conflicts on the server; the server's conflicts decide between
// processes. A commit of unknown outcome is settled by a transaction that
// either finds its trace or locks the document.
//
// # Memory
//
// The memory of a process agrees with the database while it alone writes.
// CheckMemory compares each entry with its rebuild; the contract's tests call it at their end.
//
//	end of the log  the last record of log: read before the first record is added and
//	                again after any fault; advanced by the one writer of the log
//	numbers         the rest of the block that was taken last, counters seq: a new block
//	                is taken when it is empty; the commits in flight (sequence.go)
//	feed            its ID, counters feed: read when it is needed, again after RenewFeed
//
// Estimates of the number of documents of a posting decide the plan of a query, never its
// result, and are used for five minutes. The locks of names and the idle snapshots are
// those of running calls. The time of the next sweep of expired values decides nothing,
// since expired values are ignored. A Lease belongs to its holder: the copy in
// the database decides.
//
// # Change feed
//
// The feed ends before the lowest number in flight, see sequence and
// docs/decisions/018.
package mongo
