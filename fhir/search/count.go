package search

import (
	"context"
	"fmt"
	"iter"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// total counts where a total is asked for, or where it is cheap (SRCH-211).
func (p *Plan) total(ctx context.Context, v *consent.View, at Cursor, page *Page, lim Limits) error {
	max := 0
	switch {
	case p.CountOnly || p.Total == TotalAccurate:
	case p.Total == TotalNone || at.After != nil:
		return nil
	case !p.Named.None():
	case p.simple:
		max = lim.CountBudget + 1
	default:
		return nil
	}
	total := 0
	for _, part := range p.Types {
		n, err := p.count(ctx, v, part, max, lim)
		if err != nil {
			return fmt.Errorf("count %s: %w", part.Type, err)
		}
		total += n
	}
	if max == 0 || total < max {
		page.Total = &total
	}
	return nil
}

// walks reports whether the plan has to look at every visible document of its
// types: nothing says what must be there, and no patient is named (LIM-004).
func (p *Plan) walks() bool { return p.filters > 0 && !p.positive && p.Named.None() }

// count counts the rows of a part, at most max of them when max > 0.
func (p *Plan) count(ctx context.Context, v *consent.View, part TypeQuery, max int, lim Limits) (int, error) {
	q := store.Query{Type: part.Type, Where: part.Where, KeysOnly: true}
	if !p.walks() {
		return v.Count(ctx, q, max)
	}
	n := 0
	for _, err := range p.walk(ctx, v, q, lim) {
		if err != nil {
			return 0, err
		}
		if n++; n == max {
			break
		}
	}
	return n, nil
}

// walk yields the rows of a query by looking at the visible documents of its
// type, one after the other, and at no more of them than scan maximum: so
// whether it is refused depends on nothing that the caller cannot see.
func (p *Plan) walk(ctx context.Context, v *consent.View, q store.Query, lim Limits) iter.Seq2[store.Doc, error] {
	where := q.Where
	q.Where = store.And{}
	return func(yield func(store.Doc, error) bool) {
		seen := 0
		for d, err := range v.Scan(ctx, q) {
			if seen++; err == nil && seen > lim.ScanMaximum {
				err = fhir.Fault(400, "too-costly", "More than %d resources would have to be looked at: say what must be there, or name a patient.", lim.ScanMaximum)
			}
			if err == nil && !store.Match(where, d.Keys) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// unambiguous refuses an id without a type that fits visible references of
// several types (SRCH-103).
func (p *Plan) unambiguous(ctx context.Context, v *consent.View) error {
	for _, preds := range p.bare {
		fits := 0
		for _, pred := range preds {
			for _, part := range p.Types {
				n, err := v.Count(ctx, store.Query{Type: part.Type, Where: pred, KeysOnly: true}, 1)
				if err != nil {
					return fmt.Errorf("look what an id fits: %w", err)
				}
				fits += n
			}
		}
		if fits > 1 {
			return fhir.Fault(400, "multiple-matches", "An id without a type fits references of several types: write Type/id.")
		}
	}
	return nil
}
