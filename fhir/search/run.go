package search

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// Cursor is the place behind which a page begins. The zero Cursor is the start.
type Cursor struct {
	After *store.DocID
	// Value and Has are the sort value of the last row, where the plan sorts.
	Value string
	Has   bool
}

// Page is one page of a search.
type Page struct {
	Matches  []store.Doc
	Included []store.Doc
	Warnings []fhir.Issue // of this page: types that the token does not include
	Total    *int
	Next     *Cursor // nil when nothing more can follow
}

// Run makes the page behind a cursor. It returns *fhir.Error of status 400 for a
// search that is too costly, and the store's errors.
func (p *Plan) Run(ctx context.Context, v *consent.View, at Cursor, lim Limits) (*Page, error) {
	page := &Page{}
	if err := p.total(ctx, v, at, page, lim); err != nil {
		return nil, err
	}
	if p.OnlyHow {
		return page, nil
	}
	rows := p.inOrder
	if p.Sort != nil {
		rows = p.sorted
	}
	if err := rows(ctx, v, at, page, lim); err != nil {
		return nil, err
	}
	return page, p.include(ctx, v, page, lim)
}

// total counts where a total is asked for, or where it is cheap (SRCH-211).
func (p *Plan) total(ctx context.Context, v *consent.View, at Cursor, page *Page, lim Limits) error {
	max := 0
	switch {
	case p.OnlyHow || p.Total == TotalAccurate:
	case p.Total == TotalNone || at.After != nil:
		return nil
	case !p.Named.None():
	case p.simple:
		max = lim.CountBudget + 1
	default:
		return nil
	}
	n, err := v.Count(ctx, store.Query{Type: p.Type, Where: p.Where, KeysOnly: true}, max)
	if err != nil {
		return fmt.Errorf("count %s: %w", p.Type, err)
	}
	if max == 0 || n < max {
		page.Total = &n
	}
	return nil
}

// inOrder takes a page in the order of the store.
func (p *Plan) inOrder(ctx context.Context, v *consent.View, at Cursor, page *Page, _ Limits) error {
	for d, err := range v.Scan(ctx, store.Query{Type: p.Type, Where: p.Where, After: at.After}) {
		if err != nil {
			return fmt.Errorf("search %s: %w", p.Type, err)
		}
		if len(page.Matches) == p.Count {
			last := page.Matches[p.Count-1].ID
			page.Next = &Cursor{After: &last}
			return nil
		}
		page.Matches = append(page.Matches, d)
	}
	return nil
}

// row is a match without its body, with its sort value.
type row struct {
	ref   store.Ref
	id    store.DocID
	value string
	has   bool
}

// sorted collects all visible matches, orders them by the sort key and behind
// it by the order of the store, missing values last, and takes a page.
func (p *Plan) sorted(ctx context.Context, v *consent.View, at Cursor, page *Page, lim Limits) error {
	var rows []row
	for d, err := range v.Scan(ctx, store.Query{Type: p.Type, Where: p.Where, KeysOnly: true}) {
		if err != nil {
			return fmt.Errorf("search %s: %w", p.Type, err)
		}
		if len(rows) == lim.SortMaximum {
			return fhir.Fault(400, "too-costly", "More than %d resources would have to be sorted: narrow the search.", lim.SortMaximum)
		}
		r := row{ref: d.Ref, id: d.ID}
		r.value, r.has = v.Index().SortValue(p.Type, p.Sort.Name, d.Keys, p.Sort.Descending)
		rows = append(rows, r)
	}
	slices.SortFunc(rows, p.compare)
	from := 0
	if at.After != nil {
		mark := row{id: *at.After, value: at.Value, has: at.Has}
		from = sort.Search(len(rows), func(i int) bool { return p.compare(rows[i], mark) > 0 })
	}
	to := min(from+p.Count, len(rows))
	for _, r := range rows[from:to] {
		d, err := v.Get(ctx, r.ref)
		if err != nil {
			return fmt.Errorf("fetch a sorted row: %w", err)
		}
		page.Matches = append(page.Matches, d)
	}
	if to < len(rows) && to > from {
		last := rows[to-1]
		page.Next = &Cursor{After: &last.id, Value: last.value, Has: last.has}
	}
	return nil
}

func (p *Plan) compare(a, b row) int {
	switch {
	case a.has != b.has: // SRCH-192
		if a.has {
			return -1
		}
		return 1
	case a.value != b.value:
		if (a.value < b.value) != p.Sort.Descending {
			return -1
		}
		return 1
	}
	return a.id.Compare(b.id)
}

// include adds what the matches of the page point to: each once, never what is
// a match, nothing of a type for which the token has no letter (SMART-281).
func (p *Plan) include(ctx context.Context, v *consent.View, page *Page, lim Limits) error {
	on := map[store.Ref]bool{}
	for _, d := range page.Matches {
		on[d.Ref] = true
	}
	warned := map[string]bool{}
	for _, inc := range p.Includes {
		if inc.Source != p.Type {
			continue
		}
		for _, d := range page.Matches {
			refs, err := v.Index().References(inc.Source, inc.Param, d.Body)
			if err != nil {
				return fmt.Errorf("follow %s: %w", inc.Param, err)
			}
			for _, ref := range refs {
				if inc.Target != "" && ref.Type != inc.Target {
					continue
				}
				target := store.Ref{Type: ref.Type, ID: ref.ID}
				if on[target] {
					continue
				}
				if !v.Grant().May(ref.Type, "rs") {
					page.warn(warned, ref.Type)
					continue
				}
				found, err := v.Get(ctx, target)
				if errors.Is(err, store.ErrNotFound) || err == nil && found.Dead() {
					continue // SRCH-173
				}
				if err != nil {
					return fmt.Errorf("include: %w", err)
				}
				if len(page.Included) == lim.IncludesPerPage {
					page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
						Text: fmt.Sprintf("The page includes its first %d resources only: ask for smaller pages.", lim.IncludesPerPage)})
					return nil
				}
				on[target] = true
				page.Included = append(page.Included, found)
			}
		}
	}
	return nil
}

func (page *Page) warn(warned map[string]bool, typ string) {
	if warned[typ] {
		return
	}
	warned[typ] = true
	page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "suppressed",
		Text: fmt.Sprintf("%s is not included: the token has no scope for it.", typ)})
}
