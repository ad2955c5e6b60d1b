package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"

	"carerecord/fhir"
	"carerecord/store"
)

// row is a match with its sort values, without its body.
type row struct {
	ref    store.Ref
	id     store.RowID
	values []Value
}

// sorted collects all visible matches, orders them by the sort keys, then in the order of the store,
// missing values last, and fills a page.
func (x *execution) sorted(ctx context.Context, at Cursor, page *Page) error {
	rows, err := x.rows(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, x.compare)
	from := 0
	if at.After != nil {
		mark := row{id: *at.After, values: at.Values}
		from = sort.Search(len(rows), func(i int) bool { return x.compare(rows[i], mark) > 0 })
	}
	to := min(from+x.Count, len(rows))
	for _, r := range rows[from:to] {
		d, err := x.view.Get(ctx, r.ref)
		//law:sort-fetched
		if errors.Is(err, store.ErrNotFound) { // a refusal came in between
			continue
		}
		if err != nil {
			return fmt.Errorf("fetch a sorted row: %w", err)
		}
		page.Matches = append(page.Matches, d)
		page.Cursors = append(page.Cursors, Cursor{After: &r.id, Values: r.values})
	}
	if to < len(rows) && to > from {
		last := rows[to-1]
		page.Next = &Cursor{After: &last.id, Values: last.values}
	}
	return nil
}

func (x *execution) rows(ctx context.Context) ([]row, error) {
	//law:sort-scan
	var rows []row
	all := x.scan(ctx, nil, true)
	if x.groupsPersons() {
		all = atPositions(x.persons(ctx, nil))
	}
	for d, err := range all {
		if err != nil {
			return nil, fmt.Errorf("search: %w", err)
		}
		if len(rows) == x.lim.SortMaximum {
			return nil, fhir.Fault(400, "too-costly", "The search would have to sort more than %d resources. Narrow it.", x.lim.SortMaximum)
		}
		//law:sort-row
		r := row{ref: d.Ref, id: d.RowID, values: make([]Value, len(x.Sort))}
		for i, key := range x.Sort {
			r.values[i].Text, r.values[i].Has = x.view.Index().SortValue(d.Ref.Type, key.Name, d.Keys, key.Descending)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// atPositions yields the Patient of each person with the position of the person as its RowID.
func atPositions(persons iter.Seq2[personRow, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for row, err := range persons {
			row.doc.RowID = row.at
			if !yield(row.doc, err) || err != nil {
				return
			}
		}
	}
}

func (x *execution) compare(a, b row) int {
	for i, key := range x.Sort {
		v, w := a.values[i], b.values[i]
		switch {
		case v.Has != w.Has: // SRCH-192
			if v.Has {
				return -1
			}
			return 1
		case v.Text != w.Text:
			if (v.Text < w.Text) != key.Descending {
				return -1
			}
			return 1
		}
	}
	return a.id.Compare(b.id)
}
