package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
	"carerecord/store/wire"
)

// A c row is the number of live documents of a type that have a key, equal to the number of
// postings of the key. The empty key, which no document has, means all documents of the type.
// Only a few keys have a row: those that were counted lately and have many postings. Each commit
// rewrites it in its own batch, so a snapshot that contains the row has the count that belongs
// to it.
//
// metaCounted is the number of the last commit that updated the counts. If it is not the last
// commit of the folder, a program without c rows wrote to the folder, and Open deletes the c
// rows.

const (
	// minStoredCount is the least number of postings of a key whose count is stored: walking
	// fewer takes half a millisecond.
	minStoredCount = 8192
	// maxStoredCounts is how many counts are stored.
	maxStoredCounts = 256
	// forgetAfter: a count is dropped after n/forgetAfter writes without a use, for n postings.
	// Writing one costs about as much (2 µs) as walking 32 postings (0.06 µs each), so that no
	// count costs more than the walk that it saves.
	forgetAfter = 32
)

// storedCount is a count that has, or will have, a c row.
type storedCount struct {
	row    []byte
	stored bool  // the row exists; if not, n is the change since counting began
	n      int64 // this and the two above: under DB.mu
	delta  int64 // the change by the current commit

	writesSinceUse atomic.Int64  // writes of the row since it was last used
	lastUsed       atomic.Uint64 // the last commit when it was last used
}

type countsByKey map[typeCode]map[store.Key]*storedCount

func (m countsByKey) find(code typeCode, key store.Key) *storedCount { return m[code][key] }

// counts is the stored counts of an engine.
type counts struct {
	keys        atomic.Pointer[countsByKey] // replaced under DB.mu, read without it
	touched     []*storedCount              // buffer of update, under DB.mu
	minPostings int                         // minStoredCount,
	capacity    int                         // maxStoredCounts and
	minWrites   int64                       // minStoredCount / forgetAfter; tests have others
}

func countRow(code typeCode, key store.Key) []byte {
	return append(appendKey(appendCode(make([]byte, 0, 8+len(key)), rowCount, code), key), terminator...)
}

func parseCount(value []byte) (int, error) {
	r := wire.NewReader(value)
	n := r.Uvarint()
	if r.Failed() || r.Len() > 0 || n > math.MaxInt {
		return 0, errDamaged
	}
	return int(n), nil
}

// load reads the stored counts, or deletes them if the last commit did not update them.
func (c *counts) load(rows *pebble.DB, seq uint64) error {
	c.minPostings, c.capacity, c.minWrites = minStoredCount, maxStoredCounts, minStoredCount/forgetAfter
	c.keys.Store(&countsByKey{})
	counted, err := get(rows, nameRow(rowMeta, metaCounted))
	if err != nil {
		return err
	}
	if string(counted) != string(commitNumber(seq)) {
		return c.deleteRows(rows)
	}
	it, err := rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowCount}, UpperBound: []byte{rowCount + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var n int
		code, key, ok := parseCountRow(it.Key())
		if n, err = parseCount(it.Value()); err == nil && ok {
			c.set(code, key, &storedCount{row: countRow(code, key), stored: true, n: int64(n)})
		} else if err == nil {
			err = errDamaged
		}
	}
	if err = errors.Join(err, it.Close()); err != nil {
		return fmt.Errorf("read the stored counts: %w", err)
	}
	return nil
}

func parseCountRow(row []byte) (typeCode, store.Key, bool) {
	if len(row) < 3 {
		return 0, "", false
	}
	key, rest, ok := cutKey(row[3:])
	return typeCode(binary.BigEndian.Uint16(row[1:])), store.Key(key), ok && len(rest) == 0
}

func (c *counts) deleteRows(rows *pebble.DB) error {
	it, err := rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowCount}, UpperBound: []byte{rowCount + 1}})
	if err != nil {
		return err
	}
	some := it.First()
	if err := it.Close(); err != nil || !some {
		return err
	}
	return rows.DeleteRange([]byte{rowCount}, []byte{rowCount + 1}, pebble.Sync)
}

// set replaces the map by one in which a key has another count, or none for nil. DB.mu must be
// held unless the engine is still being opened.
func (c *counts) set(code typeCode, key store.Key, k *storedCount) {
	keys := maps.Clone(*c.keys.Load())
	of := maps.Clone(keys[code])
	if of == nil {
		of = map[store.Key]*storedCount{}
	}
	if keys[code] = of; k == nil {
		delete(of, key)
	} else {
		of[key] = k
	}
	if len(of) == 0 {
		delete(keys, code)
	}
	c.keys.Store(&keys)
}

// update adds to out the changes of the stored counts by a commit. It runs last in a commit,
// because it cannot be undone. DB.mu must be held.
func (c *counts) update(out *pebble.Batch, changes []change, seq uint64) {
	keys := *c.keys.Load()
	if len(keys) == 0 {
		return
	}
	for i := range changes {
		ch := &changes[i]
		if of := keys[ch.code]; of != nil {
			if ch.before.live {
				c.countDoc(of, ch.oldKeys, -1)
			}
			if ch.liveAfter() {
				c.countDoc(of, ch.write.Doc.Keys, 1)
			}
		}
	}
	for _, k := range c.touched {
		if k.delta == 0 {
			continue
		}
		k.n, k.delta = k.n+k.delta, 0
		if idle := k.writesSinceUse.Add(1); k.stored && idle > max(k.n/forgetAfter, c.minWrites) {
			c.drop(k, out)
		} else if k.stored {
			set(out, k.row, binary.AppendUvarint(nil, uint64(k.n)))
		}
	}
	c.touched = c.touched[:0]
	set(out, nameRow(rowMeta, metaCounted), commitNumber(seq))
}

// countDoc adds a change for each stored count of a document with such keys.
func (c *counts) countDoc(of map[store.Key]*storedCount, keys []store.Key, by int64) {
	c.addDelta(of[""], by)
	for _, key := range keys {
		if key.Driving() {
			c.addDelta(of[key], by)
		}
	}
}

func (c *counts) addDelta(k *storedCount, by int64) {
	if k == nil {
		return
	}
	if k.delta == 0 {
		c.touched = append(c.touched, k) // appended twice if delta was 0 again; the second entry does nothing
	}
	k.delta += by
}

// leastRecentlyUsed returns the stored count whose last use is the oldest.
func (c *counts) leastRecentlyUsed() (found *storedCount) {
	for _, of := range *c.keys.Load() {
		for _, k := range of {
			if k.stored && (found == nil || k.lastUsed.Load() < found.lastUsed.Load()) {
				found = k
			}
		}
	}
	return found
}

func (c *counts) size() (n int) {
	for _, of := range *c.keys.Load() {
		n += len(of)
	}
	return n
}

// drop removes a count and its row. DB.mu must be held.
func (c *counts) drop(k *storedCount, out *pebble.Batch) {
	code, key, _ := parseCountRow(k.row)
	if k.stored {
		del(out, k.row)
	}
	c.set(code, key, nil)
}
