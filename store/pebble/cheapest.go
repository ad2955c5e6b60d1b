package pebble

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// cheapest returns the plan with the fewest postings, or the first if each has more than can be
// collected. Each is counted up to a small bound, which grows until one stays below it: so the
// cost depends on the smallest plan only.
func (s *snap) cheapest(ctx context.Context, plans cheapestOf, code typeCode) (plan, error) {
	for most := 64; most <= s.limit; most *= 8 {
		for _, p := range plans {
			n, err := s.countPostings(ctx, p, code, most)
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

// countPostings counts the postings that a plan reads if it is not cheap, up to most.
func (s *snap) countPostings(ctx context.Context, p plan, code typeCode, most int) (n int, err error) {
	switch p := p.(type) {
	case verified:
		return s.countPostings(ctx, p.plan, code, most)
	case union:
		return s.countAllPostings(ctx, p, code, most)
	case cheapestOf:
		return s.countAllPostings(ctx, p, code, most)
	case collected:
		it, err := s.rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowPosting}, UpperBound: []byte{rowPosting + 1}})
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for _, r := range p.ranges {
			low, high := collectBounds(r, code, rowID{})
			if bytes.Compare(low, high) >= 0 {
				continue
			}
			it.SetBounds(low, high)
			for ok := it.First(); ok && n < most; ok = it.Next() {
				n++
			}
		}
		return n, errors.Join(it.Error(), s.check(ctx))
	case allOfType, posting, intersection:
	}
	return most, nil // the size of a cheap plan is unknown without a scan; assume the bound
}

func (s *snap) countAllPostings(ctx context.Context, plans []plan, code typeCode, most int) (n int, err error) {
	for _, p := range plans {
		more, err := s.countPostings(ctx, p, code, most-n)
		if n += more; err != nil || n >= most {
			return n, err
		}
	}
	return n, nil
}
