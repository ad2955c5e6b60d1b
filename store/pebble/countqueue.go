package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// A query that walked many postings requests that their count be stored. One worker counts them
// again, once for all requests. It begins under the mutex, with a snapshot and a record of the
// changes by commits from then on; at the end the sum of both is the current count. If nothing
// was committed since the query, its own result is used and nothing is walked again.

// countRequest is a request to store a count.
type countRequest struct {
	code typeCode
	key  store.Key
	n    int    // the result of the query
	asOf uint64 // the last commit in its snapshot; 0 if it did not count all
}

// countQueue is the worker's queue. It is safe for concurrent use.
type countQueue struct {
	mu      sync.Mutex
	queue   []countRequest
	working bool
	closed  bool
	worker  sync.WaitGroup
}

// maxQueue is how many requests may wait. Extra requests are dropped; a later query repeats
// them.
const maxQueue = 64

// request adds a request, and starts work unless it runs.
func (k *countQueue) request(w countRequest, work func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.queue) == maxQueue {
		return
	}
	for _, other := range k.queue {
		if other.code == w.code && other.key == w.key {
			return
		}
	}
	if k.queue = append(k.queue, w); !k.working {
		k.working = true
		k.worker.Go(work) // ends when the queue is empty or closed
	}
}

// next removes the first request. After false the worker has ended.
func (k *countQueue) next() (w countRequest, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) == 0 {
		k.working = false
		return w, false
	}
	w, k.queue = k.queue[0], k.queue[1:]
	return w, true
}

// close empties the queue and waits for the worker.
func (k *countQueue) close() {
	k.mu.Lock()
	k.closed, k.queue = true, nil
	k.mu.Unlock()
	k.worker.Wait()
}

// storeRequestedCounts stores counts until the queue is empty. A count that fails because the
// disk fails is dropped: reads and writes report the cause.
func (db *DB) storeRequestedCounts() {
	for w, ok := db.countQueue.next(); ok; w, ok = db.countQueue.next() {
		if err := db.storeCount(w); err != nil {
			db.mu.Lock()
			db.counts.set(w.code, w.key, nil)
			db.mu.Unlock()
		}
	}
}

// storeCount counts the postings of a key and writes the row of the count. Commits update it
// from then on.
func (db *DB) storeCount(w countRequest) error {
	k, rows, err := db.beginCount(w)
	if k == nil || err != nil {
		return err
	}
	n := w.n
	if rows != nil {
		n, err = db.snap(rows).walkPostings(w.code, w.key, 0, db.outOfService)
		if err = errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	return db.finishCount(k, n)
}

// finishCount writes the row of a count; n is the number of postings in the snapshot of
// beginCount.
func (db *DB) finishCount(k *storedCount, n int) error {
	err := db.write(context.Background(), 0, func(out *pebble.Batch) error {
		if db.counts.size() > db.counts.capacity {
			db.counts.drop(db.counts.leastRecentlyUsed(), out)
		}
		k.n, k.stored = k.n+int64(n), true
		set(out, k.row, binary.AppendUvarint(nil, uint64(k.n)))
		set(out, nameRow(rowMeta, metaCounted), commitNumber(db.seq))
		return nil
	})
	db.snapshots.drop() // without a commit reads would keep the old snapshot
	return err
}

// Recount drops all stored counts. Later queries count again.
func (db *DB) Recount(ctx context.Context) error {
	if err := db.outOfService(); err != nil {
		return err
	}
	err := db.write(ctx, 0, func(out *pebble.Batch) error {
		for _, of := range *db.counts.keys.Load() {
			for _, k := range of {
				if k.stored {
					db.counts.drop(k, out)
				}
			}
		}
		return nil
	})
	db.snapshots.drop()
	return err
}

// beginCount records from now on the changes of a count by commits. The snapshot is of this
// moment; it is nil if the query saw the last commit and counted all. Without a count it is
// stored already.
func (db *DB) beginCount(w countRequest) (*storedCount, *pebble.Snapshot, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.outOfService(); err != nil {
		return nil, nil, err
	}
	if db.counts.keys.Load().find(w.code, w.key) != nil {
		return nil, nil, nil
	}
	k := &storedCount{row: countRow(w.code, w.key)}
	k.lastUsed.Store(db.seq)
	db.counts.set(w.code, w.key, k)
	if w.asOf != 0 && w.asOf == db.seq {
		return k, nil, nil
	}
	return k, db.rows.NewSnapshot(), nil
}

// countKey counts the live documents of a type that have a key, at most max of them if max > 0.
// The empty key means all.
func (s *snap) countKey(code typeCode, key store.Key, max int, checkContext func() error) (int, error) {
	if k := s.db.counts.keys.Load().find(code, key); k != nil {
		value, err := get(s.rows, k.row)
		if err != nil {
			return 0, err
		}
		if value != nil { // else the snapshot is older than the row
			k.writesSinceUse.Store(0)
			k.lastUsed.Store(s.db.applied.Load())
			n, err := parseCount(value)
			if max > 0 {
				n = min(n, max)
			}
			return n, err
		}
	}
	n, err := s.walkPostings(code, key, max, checkContext)
	if err != nil || n < s.db.counts.minPostings {
		return n, err
	}
	w := countRequest{code: code, key: key, n: n}
	if n != max {
		if w.asOf, err = s.seq(); err != nil {
			return 0, err
		}
	}
	s.db.countQueue.request(w, s.db.storeRequestedCounts)
	return n, nil
}

// seq is the last commit that the snapshot has; 0 for none.
func (s *snap) seq() (uint64, error) {
	value, err := get(s.rows, nameRow(rowMeta, metaSeq))
	if err != nil || len(value) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

// walkPostings is countKey without stored counts.
func (s *snap) walkPostings(code typeCode, key store.Key, max int, checkContext func() error) (int, error) {
	prefix := postingPrefix(nil, code, key)
	if key == "" {
		prefix = appendCode(nil, rowAll, code)
	}
	it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return 0, err
	}
	n := 0
	// The prefix is before all rows that have a rowid after it.
	for ok := it.SeekPrefixGE(prefix); ok && (max <= 0 || n < max); ok = it.Next() {
		if n++; n%1024 == 0 {
			if err := checkContext(); err != nil {
				return 0, errors.Join(err, it.Close())
			}
		}
	}
	return n, it.Close()
}
