package pebble

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// stream is row IDs in ascending order.
type stream interface {
	// seek moves to the first row ID that is not before the target, and does not move back.
	// False: there is none, or the stream failed.
	seek(target rowID) (rowID, bool)
	err() error
	close()
}

// errTooMany: a plan would collect too many row IDs.
var errTooMany = errors.New("too many candidates to collect")

// open opens the streams of a plan for row IDs from a target on.
func (s *snap) open(ctx context.Context, p plan, code typeCode, from rowID) (stream, error) {
	switch p := p.(type) {
	case verified:
		return s.open(ctx, p.plan, code, from)
	case allOfType:
		return s.rowStream(ctx, appendCode(nil, rowAll, code))
	case posting:
		return s.rowStream(ctx, postingPrefix(nil, code, p.key))
	case intersection:
		streams, err := s.openAll(ctx, p, code, from)
		return intersectionStream(streams), err
	case union:
		streams, err := s.openAll(ctx, p, code, from)
		return &unionStream{streams: streams, heads: make([]streamHead, len(streams))}, err
	case collected:
		return s.collect(ctx, p, code, from)
	case cheapestOf:
		p2, err := s.cheapest(ctx, p, code)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, p2, code, from)
	}
	panic("pebble: no stream for plan " + p.String())
}

func (s *snap) openAll(ctx context.Context, plans []plan, code typeCode, from rowID) ([]stream, error) {
	var streams []stream
	for _, p := range plans {
		st, err := s.open(ctx, p, code, from)
		if err != nil {
			closeAll(streams)
			return nil, err
		}
		streams = append(streams, st)
	}
	return streams, nil
}

func closeAll(streams []stream) {
	for _, st := range streams {
		st.close()
	}
}

func firstErr(streams []stream) error {
	for _, st := range streams {
		if err := st.err(); err != nil {
			return err
		}
	}
	return nil
}

// rowStream is the row IDs after one prefix of rows.
type rowStream struct {
	it     *pebble.Iterator
	row    []byte // the prefix, and space for a row ID
	prefix int
	at     rowID
	state  streamState
	seeks  int
	check  func() error // called at times, because the streams of an intersection may seek long before they agree
	failed error
}

type streamState byte

const (
	unpositioned streamState = iota
	positioned
	atEnd
)

func (s *snap) rowStream(ctx context.Context, prefix []byte) (stream, error) {
	it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return nil, err
	}
	return &rowStream{
		it:     it,
		row:    append(slices.Clone(prefix), make([]byte, rowIDSize)...),
		prefix: len(prefix),
		check:  func() error { return s.check(ctx) },
	}, nil
}

// stepsBeforeSeek is how often a stream tries the next row before it seeks: in a dense list the
// next row is often the target, and a step costs a tenth of a seek.
const stepsBeforeSeek = 2

func (r *rowStream) seek(target rowID) (rowID, bool) {
	if r.state == positioned {
		for range stepsBeforeSeek {
			if !r.at.before(target) {
				return r.at, true
			}
			if !r.set(r.it.Next()) {
				return rowID{}, false
			}
		}
		if !r.at.before(target) {
			return r.at, true
		}
	}
	if r.seeks++; r.seeks%64 == 0 && r.failed == nil {
		r.failed = r.check()
	}
	if r.state == atEnd || r.failed != nil {
		return rowID{}, false
	}
	copy(r.row[r.prefix:], target[:])
	return r.at, r.set(r.it.SeekPrefixGE(r.row))
}

// set reads the row ID at the position of the iterator.
func (r *rowStream) set(valid bool) bool {
	if !valid || len(r.it.Key()) != len(r.row) {
		r.state = atEnd
		return false
	}
	r.state = positioned
	copy(r.at[:], r.it.Key()[r.prefix:])
	return true
}

func (r *rowStream) err() error { return cmp.Or(r.failed, r.it.Error()) }

// close ignores the error of the iterator, which err returns.
func (r *rowStream) close() { _ = r.it.Close() }

// intersectionStream is the row IDs that all of its streams have: each seeks to the position of
// the others until all agree.
type intersectionStream []stream

func (m intersectionStream) seek(target rowID) (rowID, bool) {
	for agreed := 0; agreed < len(m); {
		for _, st := range m {
			d, ok := st.seek(target)
			if !ok {
				return rowID{}, false
			}
			if d != target {
				target, agreed = d, 0
			}
			if agreed++; agreed == len(m) {
				break
			}
		}
	}
	return target, true
}

func (m intersectionStream) err() error { return firstErr(m) }
func (m intersectionStream) close()     { closeAll(m) }

// unionStream is the row IDs that any of its streams has.
type unionStream struct {
	streams []stream
	heads   []streamHead
}

// streamHead is the position of a member of a union.
type streamHead struct {
	at    rowID
	state streamState
}

func (j *unionStream) seek(target rowID) (rowID, bool) {
	var least rowID
	found := false
	for i := range j.heads {
		h := &j.heads[i]
		if h.state == unpositioned || h.state == positioned && h.at.before(target) {
			at, ok := j.streams[i].seek(target)
			*h = streamHead{at, positioned}
			if !ok {
				if j.streams[i].err() != nil {
					return rowID{}, false
				}
				h.state = atEnd
			}
		}
		if h.state == positioned && (!found || h.at.before(least)) {
			least, found = h.at, true
		}
	}
	return least, found
}

func (j *unionStream) err() error { return firstErr(j.streams) }
func (j *unionStream) close()     { closeAll(j.streams) }

// listStream is row IDs in memory.
type listStream []rowID

func (l *listStream) seek(target rowID) (rowID, bool) {
	if len(*l) > 0 && (*l)[0].before(target) {
		i, _ := slices.BinarySearchFunc(*l, target, func(a, b rowID) int { return bytes.Compare(a[:], b[:]) })
		*l = (*l)[i:]
	}
	if len(*l) == 0 {
		return rowID{}, false
	}
	return (*l)[0], true
}

func (*listStream) err() error { return nil }
func (*listStream) close()     {}

// collect reads the postings of ranges of keys, which are in key order, and sorts their row IDs
// from a target on.
func (s *snap) collect(ctx context.Context, c collected, code typeCode, from rowID) (_ stream, err error) {
	it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowPosting}, UpperBound: []byte{rowPosting + 1}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	var found listStream
	seen := 0
	for _, r := range c.ranges {
		low, high := collectBounds(r, code, from)
		if bytes.Compare(low, high) >= 0 {
			continue
		}
		it.SetBounds(low, high)
		for ok := it.First(); ok; ok = it.Next() {
			if seen++; seen%1024 == 0 {
				if err := s.check(ctx); err != nil {
					return nil, err
				}
			}
			d, _ := lastRowID(it.Key())
			if d.before(from) {
				continue
			}
			if found = append(found, d); len(found) > s.limit {
				if found = sortUnique(found); len(found) > s.limit/2 {
					return nil, errTooMany
				}
			}
		}
	}
	found = sortUnique(found)
	return &found, it.Error()
}

// collectBounds returns the bounds of the postings of a range of keys; for a single key from a
// row ID on.
func collectBounds(r store.Range, code typeCode, from rowID) (low, high []byte) {
	high = appendKey(appendCode(nil, rowPosting, code), r.High)
	if r == singleKeyRange(r.Low) {
		return postingRow(nil, code, r.Low, from), high
	}
	return appendKey(appendCode(nil, rowPosting, code), r.Low), high
}

func sortUnique(ids []rowID) []rowID {
	slices.SortFunc(ids, func(a, b rowID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}
