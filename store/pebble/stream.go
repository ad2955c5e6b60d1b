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

// stream is docids in ascending order.
type stream interface {
	// seek moves to the first docid that is not before the target, and does not
	// move back. False: there is none, or the stream failed.
	seek(target docID) (docID, bool)
	err() error
	close()
}

// errTooMany says that a plan would collect too many docids.
var errTooMany = errors.New("too many candidates to collect")

// open opens the streams of a plan for docids from a target on.
func (s *snap) open(ctx context.Context, p plan, code typeCode, from docID) (stream, error) {
	switch p := p.(type) {
	case verified:
		return s.open(ctx, p.plan, code, from)
	case everything:
		return s.rowStream(ctx, appendCode(nil, rowAll, code))
	case posting:
		return s.rowStream(ctx, postingPrefix(nil, code, p.key))
	case meet:
		streams, err := s.openAll(ctx, p, code, from)
		return meetStream(streams), err
	case join:
		streams, err := s.openAll(ctx, p, code, from)
		return &joinStream{streams: streams, heads: make([]head, len(streams))}, err
	case collected:
		return s.collect(ctx, p, code, from)
	case least:
		p2, err := s.smallest(ctx, p, code)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, p2, code, from)
	}
	panic("pebble: no stream for plan " + p.String())
}

func (s *snap) openAll(ctx context.Context, plans []plan, code typeCode, from docID) ([]stream, error) {
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

// rowStream is the docids behind one prefix of rows.
type rowStream struct {
	it     *pebble.Iterator
	row    []byte // the prefix, and room for a docid
	prefix int
	at     docID
	state  streamState
	seeks  int
	alive  func() error // asked now and then, for streams may seek long before they meet
	failed error
}

type streamState byte

const (
	unset streamState = iota
	standsAt
	atEnd
)

func (s *snap) rowStream(ctx context.Context, prefix []byte) (stream, error) {
	it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: behind(prefix)})
	if err != nil {
		return nil, err
	}
	return &rowStream{
		it:     it,
		row:    append(slices.Clone(prefix), make([]byte, docIDSize)...),
		prefix: len(prefix),
		alive:  func() error { return s.check(ctx) },
	}, nil
}

// steps is how often a stream tries the next row before it seeks: in a dense
// list the next row is often the one that is wanted, and a step costs a tenth
// of a seek.
const steps = 2

func (r *rowStream) seek(target docID) (docID, bool) {
	if r.state == standsAt {
		for range steps {
			if !r.at.less(target) {
				return r.at, true
			}
			if !r.set(r.it.Next()) {
				return docID{}, false
			}
		}
		if !r.at.less(target) {
			return r.at, true
		}
	}
	if r.seeks++; r.seeks%64 == 0 && r.failed == nil {
		r.failed = r.alive()
	}
	if r.state == atEnd || r.failed != nil {
		return docID{}, false
	}
	copy(r.row[r.prefix:], target[:])
	return r.at, r.set(r.it.SeekPrefixGE(r.row))
}

// set takes the docid of the row that the iterator stands on.
func (r *rowStream) set(valid bool) bool {
	if !valid || len(r.it.Key()) != len(r.row) {
		r.state = atEnd
		return false
	}
	r.state = standsAt
	copy(r.at[:], r.it.Key()[r.prefix:])
	return true
}

func (r *rowStream) err() error { return cmp.Or(r.failed, r.it.Error()) }

// close drops the error of the iterator, which err has told.
func (r *rowStream) close() { _ = r.it.Close() }

// meetStream is what all of its streams have: each seeks to where the others
// stand until all stand at one docid.
type meetStream []stream

func (m meetStream) seek(target docID) (docID, bool) {
	for agreed := 0; agreed < len(m); {
		for _, st := range m {
			d, ok := st.seek(target)
			if !ok {
				return docID{}, false
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

func (m meetStream) err() error { return firstErr(m) }
func (m meetStream) close()     { closeAll(m) }

// joinStream is what one of its streams has.
type joinStream struct {
	streams []stream
	heads   []head
}

// head is where a member of a join stands.
type head struct {
	at    docID
	state streamState
}

func (j *joinStream) seek(target docID) (docID, bool) {
	var least docID
	found := false
	for i := range j.heads {
		h := &j.heads[i]
		if h.state == unset || h.state == standsAt && h.at.less(target) {
			at, ok := j.streams[i].seek(target)
			*h = head{at, standsAt}
			if !ok {
				if j.streams[i].err() != nil {
					return docID{}, false
				}
				h.state = atEnd
			}
		}
		if h.state == standsAt && (!found || h.at.less(least)) {
			least, found = h.at, true
		}
	}
	return least, found
}

func (j *joinStream) err() error { return firstErr(j.streams) }
func (j *joinStream) close()     { closeAll(j.streams) }

// listStream is docids in memory.
type listStream []docID

func (l *listStream) seek(target docID) (docID, bool) {
	if len(*l) > 0 && (*l)[0].less(target) {
		i, _ := slices.BinarySearchFunc(*l, target, func(a, b docID) int { return bytes.Compare(a[:], b[:]) })
		*l = (*l)[i:]
	}
	if len(*l) == 0 {
		return docID{}, false
	}
	return (*l)[0], true
}

func (*listStream) err() error { return nil }
func (*listStream) close()     {}

// collect reads the postings of ranges of keys, which come by key, and sorts
// their docids from a target on.
func (s *snap) collect(ctx context.Context, c collected, code typeCode, from docID) (_ stream, err error) {
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
			d, _ := lastDocID(it.Key())
			if d.less(from) {
				continue
			}
			if found = append(found, d); len(found) > s.limit {
				if found = compact(found); len(found) > s.limit/2 {
					return nil, errTooMany
				}
			}
		}
	}
	found = compact(found)
	return &found, it.Error()
}

// collectBounds is where the postings of a range of keys stand; of a single key
// those from a docid on.
func collectBounds(r store.Range, code typeCode, from docID) (low, high []byte) {
	high = appendKey(appendCode(nil, rowPosting, code), r.High)
	if r == only(r.Low) {
		return postingRow(nil, code, r.Low, from), high
	}
	return appendKey(appendCode(nil, rowPosting, code), r.Low), high
}

func compact(ids []docID) []docID {
	slices.SortFunc(ids, func(a, b docID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}
