package search

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// row is a match without its body, with its sort values.
type row struct {
	ref    store.Ref
	id     store.RowID
	values []Value
}

// sorted collects all visible matches, orders them by the sort keys and behind
// these by the order of the store, missing values last, and takes a page.
func (p *Plan) sorted(ctx context.Context, v *consent.View, at Cursor, page *Page, lim Limits) error {
	rows, err := p.rows(ctx, v, lim)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, p.compare)
	from := 0
	if at.After != nil {
		mark := row{id: *at.After, values: at.Values}
		from = sort.Search(len(rows), func(i int) bool { return p.compare(rows[i], mark) > 0 })
	}
	to := min(from+p.Count, len(rows))
	for _, r := range rows[from:to] {
		d, err := v.Get(ctx, r.ref)
		//law:sort-fetched
		if err != nil {
			return fmt.Errorf("fetch a sorted row: %w", err)
		}
		page.Matches = append(page.Matches, d)
		page.cursors = append(page.cursors, Cursor{After: &r.id, Values: r.values})
	}
	if to < len(rows) && to > from {
		last := rows[to-1]
		page.Next = &Cursor{After: &last.id, Values: last.values}
	}
	return nil
}

func (p *Plan) rows(ctx context.Context, v *consent.View, lim Limits) ([]row, error) {
	//law:sort-scan
	var rows []row
	for d, err := range p.scan(ctx, v, nil, true, lim) {
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		if len(rows) == lim.SortMaximum {
			return nil, fhir.Fault(400, "too-costly", "More than %d resources would have to be sorted: narrow the search.", lim.SortMaximum)
		}
		//law:sort-row
		r := row{ref: d.Ref, id: d.RowID, values: make([]Value, len(p.Sort))}
		for i, key := range p.Sort {
			r.values[i].Text, r.values[i].Has = v.Index().SortValue(d.Ref.Type, key.Name, d.Keys, key.Descending)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (p *Plan) compare(a, b row) int {
	for i, key := range p.Sort {
		x, y := a.values[i], b.values[i]
		switch {
		case x.Has != y.Has: // SRCH-192
			if x.Has {
				return -1
			}
			return 1
		case x.Text != y.Text:
			if (x.Text < y.Text) != key.Descending {
				return -1
			}
			return 1
		}
	}
	return a.id.Compare(b.id)
}
