package pebble

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// smallest is the plan with the fewest postings, or the first where each has more
// than can be collected. All are counted up to a few, then up to more: so it costs
// some times what the smallest has, however many the others have.
func (s *snap) smallest(ctx context.Context, plans least, code typeCode) (plan, error) {
	for most := 64; most <= s.limit; most *= 8 {
		for _, p := range plans {
			n, err := s.postings(ctx, p, code, most)
			if err != nil {
				return nil, err
			}
			if n < most {
				return p, nil
			}
		}
	}
	return plans[0], nil
}

// postings counts what a plan that is not cheap would read, up to most.
func (s *snap) postings(ctx context.Context, p plan, code typeCode, most int) (n int, err error) {
	switch p := p.(type) {
	case verified:
		return s.postings(ctx, p.plan, code, most)
	case join:
		return s.postingsOfAll(ctx, p, code, most)
	case least:
		return s.postingsOfAll(ctx, p, code, most)
	case collected:
		it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowPosting}, UpperBound: []byte{rowPosting + 1}})
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for _, r := range p.ranges {
			low, high := collectBounds(r, code, docID{})
			if bytes.Compare(low, high) >= 0 {
				continue
			}
			it.SetBounds(low, high)
			for ok := it.First(); ok && n < most; ok = it.Next() {
				n++
			}
		}
		return n, errors.Join(it.Error(), s.check(ctx))
	}
	return most, nil // a posting, or what meets: nobody knows
}

func (s *snap) postingsOfAll(ctx context.Context, plans []plan, code typeCode, most int) (n int, err error) {
	for _, p := range plans {
		more, err := s.postings(ctx, p, code, most-n)
		if n += more; err != nil || n >= most {
			return n, err
		}
	}
	return n, nil
}
