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

// A c row says how many live documents of a type have a key: what counting the
// postings of the key would give. The empty key, which no document has, stands
// for all documents of the type. There is a row for the few keys that were
// counted lately and have many postings; each commit writes it anew, in its own
// batch. So a snapshot that has the row has the count that belongs to it.
//
// metaCounted is the number of the last commit that kept the counts. A folder in
// which it is not the last commit of all was written by a program that knows no
// c rows, and those that it holds are deleted when it is opened.

const (
	// minStoredCount is how many postings a key has at least when its count is kept:
	// fewer are walked over in half a millisecond.
	minStoredCount = 8192
	// maxStoredCounts is how many counts are kept.
	maxStoredCounts = 256
	// forgetAfter: a count goes that was written anew so often, without having
	// been asked for, as it counts rows by this number. Writing one costs about as
	// much (2 µs) as walking over so many postings (0.06 µs each), so that no count
	// costs more than the walk that it saves.
	forgetAfter = 32
)

// storedCount is a count that is kept.
type storedCount struct {
	row    []byte
	stored bool  // the row stands; if not, n is what has changed since counting began
	n      int64 // this and the two above are under DB.mu
	delta  int64 // what the commit under way changes

	writesSinceUse atomic.Int64  // how often the row was written since it was last asked for
	lastUsed       atomic.Uint64 // the commits that were applied when it was last asked for
}

type countsByKey map[typeCode]map[store.Key]*storedCount

func (m countsByKey) find(code typeCode, key store.Key) *storedCount { return m[code][key] }

// counts is the kept counts of an engine.
type counts struct {
	keys        atomic.Pointer[countsByKey] // replaced under DB.mu, read without
	touched     []*storedCount              // room for a commit, under DB.mu
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

// load finds the counts that stand, or deletes them if they were not kept.
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
		return fmt.Errorf("read the kept counts: %w", err)
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

// set replaces the map by one in which a key has another count, or none. DB.mu
// must be held, or nobody else know the engine yet.
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

// update puts into out what a commit changes of the kept counts. It is the last
// that a step does, for it cannot be undone. DB.mu must be held.
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

// countDoc notes that a document with such keys comes or goes.
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
		c.touched = append(c.touched, k) // twice, if it was 0 again; the second is found done
	}
	k.delta += by
}

// leastRecentlyUsed is the count that was not asked for longest, of those that stand.
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

// drop lets a count go. DB.mu must be held.
func (c *counts) drop(k *storedCount, out *pebble.Batch) {
	code, key, _ := parseCountRow(k.row)
	if k.stored {
		del(out, k.row)
	}
	c.set(code, key, nil)
}
