// Package mongo is the engine of the record on MongoDB.
//
// # What it needs
//
// A replica set (a standalone server is refused by Open), majority write
// concern, reads from the primary. One process at a time writes to a database:
// positions of the log and the numbers of commits are kept in its memory.
// AcquireLease is how a process makes sure.
//
// # Collections
//
//	res      the newest version of every document, tombstones too
//	old      the versions that were superseded, _id "Type/id/00000000000000000003"
//	claims   a counter for each claim of a commit's Absent
//	state    the values of store.State: v the value, x its expiry, n the call that wrote it
//	log      the records of store.Log, _id the position
//	marks    marks of commits that leave no other trace, for an hour
//	counters the number of the last commit, in blocks, and whether the process
//	         that took them has closed; the format; which feed
//
// A document of res:
//
//	_id  "Type/id"            v   version          t  type
//	lu   updated              p   place, a number  o  order, 13 bytes
//	s    source               q   seq              g  origin
//	k    posts: what drives   f   all keys, bytes  b  body
//	r    how often this version was rekeyed; left out for 0
//	d    only in tombstones: its own _id, so that D does not bind it
//	c    counter of the checks that locked this version
//
// # Posts
//
// Keys are any bytes, and an index must order them as bytes. MongoDB compares
// binary values by length first, so k holds strings (see encode), each behind
// the type of its document: "Observation/" and the key. That makes a post tight
// for a type, and the post of the empty key, which every live document has, is
// the type's own key: it drives where nothing else can. A common key stands behind no
// type, so that one post finds documents of every type. A tombstone has no k.
// f is only ever asked for equality and stays binary.
//
// # Indexes
//
//	K  {k, p, o, s}         on res: one post in the order of the store
//	P  {p, t, _id}          on res and old: the documents of a place
//	L  {t, lu:-1, q:-1, _id} on res and old: history
//	D  {p, o, d} unique     on res: no two live documents share a DocID
//	X  {x}                  on state: expiry
//	Q  {q}                  on res and old: versions by their commits, the feed
//
// L holds the seq before the address because a history is ordered so. Every
// command names its index by a hint. The program
// opens a record with Config.NoticeStandIn: on the stand-in of the tests, which
// walks the whole of an index that is hinted, it sends no hint of K or of _id.
//
// # How a query is driven
//
// Exactly one leaf names k, since two conditions on one multikey path make the
// planner race plans and a hint fixes the index, not the leaf. Other equalities
// go to f as $all; everything is decided by store.Match in Go. An Or of
// equalities is a merge of ordered streams here. A range cannot give rows in
// the order of the store: up to limits.collect candidates are collected and sorted
// here, and where there may be more the next best equality, or the type's own
// key, is walked in order instead: with that many candidates a match is never
// far. Which equality is the rarest is found by counting in the index, bounded
// and remembered for a while; a wrong guess costs time only. Keyset paging
// (After) is two finds, the rest of the place and then the places behind, each
// one tight range.
//
// # Transactions
//
// Read is one transaction with read concern snapshot. It is committed with
// majority, not aborted: that is what proves that the snapshot was of majority
// committed data and that the primary still was one. It must end within the
// server's transactionLifetimeLimitSeconds (60). Commit is one transaction;
// claims, then preconditions, then writes. Its parts that touch the same
// documents or claims queue in this process (gate), so that racers do not wear
// each other out on the server; the server's conflicts decide between
// processes. A commit whose outcome is unknown is settled by a transaction that
// either finds its trace or locks its place.
//
// # Memory
//
// What a process keeps in memory beside the database is right while it alone writes.
// CheckMemory compares each with its rebuild; the contract's tests call it at their end.
//
//	end of the log  the last record of log: read before the first record is added and
//	                again after any fault; moved on by the one writer of the log
//	numbers         the rest of the block that was taken last, counters seq: a new block
//	                is taken where there is none; which commits are under way, by
//	                themselves (sequence.go)
//	feed            its name, counters feed: read when it is asked for, again after Renew
//
// Guesses of how many documents a post has decide what drives a query, never its
// answer, and are believed for five minutes. The turns of the gate and the snapshots
// that have asked nothing are those of callers under way. When expired values are
// removed next decides nothing, since they are not there. A Lease is its holder's: that
// of the database decides.
//
// # Feed
//
// The feed ends before the lowest number under way, see sequence and
// docs/decisions/018.
package mongo
