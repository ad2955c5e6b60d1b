package pebble

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Scan implements store.Snapshot.
func (s *snap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		p, err := planOf(q)
		if err != nil {
			yield(store.Doc{}, err)
			return
		}
		c := execution{snap: s, q: q}
		err = c.each(ctx, p, false, func(rec record, id rowID, keys []store.Key) (bool, error) {
			d := rec.doc(cmp.Or(q.Type, s.types.name(rec.code)), id.decode(), slices.Clone(keys))
			if !q.KeysOnly {
				var err error
				if d.Body, err = c.body(id); err != nil {
					return false, err
				}
			}
			return yield(d, nil), nil
		})
		if err != nil {
			yield(store.Doc{}, err)
		}
	}
}

// Count implements store.Snapshot. An exact plan is counted without reading documents, and a
// plan of a single key by its stored count.
func (s *snap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	p, err := planOf(q)
	if err != nil {
		return 0, err
	}
	if key, ok := singleKey(p); ok && q.After == nil && q.Partitions == nil {
		return s.countType(ctx, q.Type, key, max)
	}
	c := execution{snap: s, q: q}
	n := 0
	err = c.each(ctx, p, true, func(record, rowID, []store.Key) (bool, error) {
		n++
		return n != max, nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// singleKey returns the key of a plan of one posting; empty for all documents of the type.
func singleKey(p plan) (store.Key, bool) {
	switch p := p.(type) {
	case allOfType:
		return "", true
	case posting:
		return p.key, true
	case intersection, union, cheapestOf, collected, verified:
	}
	return "", false
}

// countType is Count for a single key.
func (s *snap) countType(ctx context.Context, typ string, key store.Key, max int) (int, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	code, found := s.types.code(typ)
	if !found {
		return 0, nil
	}
	count := s.countKey
	if code == crossType {
		count = s.walkPostings // cross-type keys have no stored counts
	}
	n, err := count(code, key, max, func() error { return s.check(ctx) })
	if err != nil && ctx.Err() == nil {
		err = unavailable("count "+typ, err)
	}
	return n, err
}

// execution is one run of a Query.
type execution struct {
	*snap
	q      store.Query
	docs   rowReader // d rows
	bodies rowReader // b rows
}

// rowReader reads rows of one kind in ascending order.
type rowReader struct {
	gets int              // point gets so far
	it   *pebble.Iterator // for further rows; opened when needed
}

// maxGets is how many rows are read by point gets. Opening an iterator costs as much as that;
// most queries have fewer candidates.
const maxGets = 4

// each calls f with each match until f returns false or fails. With idsOnly, f ignores the
// record, and candidates of an exact plan are not read. The keys are valid until f returns.
func (c *execution) each(ctx context.Context, p plan, idsOnly bool, f func(record, rowID, []store.Key) (bool, error)) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	code, found := c.types.code(c.q.Type)
	var from rowID
	if c.q.After != nil {
		after, ok := toRowID(*c.q.After)
		if !ok {
			return nil
		}
		if from, ok = after.next(); !ok {
			return nil
		}
	}
	if !found {
		return nil
	}
	err := c.run(ctx, p, code, from, idsOnly, f)
	if errors.Is(err, errTooMany) {
		err = c.run(ctx, verified{allOfType{}}, code, from, idsOnly, f)
	}
	if err != nil && ctx.Err() == nil {
		err = unavailable("scan "+c.q.Type, err)
	}
	return err
}

func (c *execution) run(ctx context.Context, p plan, code typeCode, from rowID, idsOnly bool, f func(record, rowID, []store.Key) (bool, error)) error {
	p = restrictPlan(c.q.Partitions, p)
	st, err := c.open(ctx, p, code, from)
	if err != nil {
		return err
	}
	defer st.close()
	if c.q.Partitions != nil {
		st = &partitionStream{st, c.q.Partitions}
	}
	defer c.closeIterators()
	var keys []store.Key
	exact := idsOnly && p.exact()
	for n := 0; ; n++ {
		if n%32 == 0 || c.ended {
			if err := c.check(ctx); err != nil {
				return err
			}
		}
		id, ok := st.seek(from)
		if !ok {
			if n == 0 && !exact && c.q.TimingSafe {
				c.readDecoy()
			}
			return st.err()
		}
		var rec record
		matches := exact
		if !exact {
			if rec, err = c.record(id); err != nil {
				return err
			}
			if keys, err = decodeKeys(rec.keys, keys); err != nil {
				return err
			}
			matches = store.Match(c.q.Where, keys)
		}
		if matches {
			if more, err := f(rec, id, keys); err != nil || !more {
				return err
			}
		}
		if from, ok = id.next(); !ok {
			return nil
		}
	}
}

// record returns the d row of a candidate, valid until the next call.
func (c *execution) record(id rowID) (record, error) {
	value, err := c.read(&c.docs, rowDoc, id)
	if err != nil {
		return record{}, err
	}
	if value == nil {
		return record{}, errNoDoc
	}
	if c.docs.gets == 1 && c.q.TimingSafe {
		c.db.decoy.Store(&id)
	}
	return parseRecord(value)
}

// readDecoy spends the time of deciding one candidate, on a row that an earlier TimingSafe query
// read. So the time of a query does not show that it had no candidate.
func (c *execution) readDecoy() {
	id := c.db.decoy.Load()
	if id == nil {
		return
	}
	rec, err := c.record(*id)
	if err != nil { // the row was deleted
		return
	}
	if keys, err := decodeKeys(rec.keys, nil); err == nil {
		store.Match(c.q.Where, keys)
	}
}

// body returns a copy of the body of a candidate.
func (c *execution) body(id rowID) ([]byte, error) {
	value, err := c.read(&c.bodies, rowBody, id)
	if err != nil {
		return nil, err
	}
	if value == nil {
		return nil, errNoBody
	}
	return append(make([]byte, 0, len(value)), value...), nil
}

// read returns the value of a row of a row ID, which must be after those of earlier calls; nil
// if there is none. It is valid until the next call.
func (c *execution) read(r *rowReader, kind byte, id rowID) (_ []byte, err error) {
	row := docRow(kind, id)
	if r.gets < maxGets {
		r.gets++
		return get(c.rows, row)
	}
	if r.it == nil {
		if r.it, err = c.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}}); err != nil {
			return nil, err
		}
	}
	if !r.it.SeekGE(row) {
		return nil, r.it.Error()
	}
	if string(r.it.Key()) != string(row) {
		return nil, nil
	}
	value, err := r.it.ValueAndErr()
	if value == nil && err == nil {
		value = []byte{}
	}
	return value, err
}

func (c *execution) closeIterators() {
	for _, it := range []*pebble.Iterator{c.docs.it, c.bodies.it} {
		if it != nil {
			_ = it.Close() // read has returned its errors
		}
	}
}
