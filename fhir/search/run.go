package search

import (
	"context"
	"fmt"
	"iter"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// Cursor is the place behind which a page begins. The zero Cursor is the start.
type Cursor struct {
	After *store.RowID
	// Type is the section of $everything that the last row is of, empty for the
	// owner; Seen how many resources were sent along before the page.
	Type string
	Seen int
	// Values are the sort values of the last row, where the plan sorts.
	Values []Value
}

// Value is the value of one sort key; Has is false for a row without one.
type Value struct {
	Text string
	Has  bool
}

// Page is one page of a search.
type Page struct {
	Matches  []store.Doc
	Included []store.Doc
	Warnings []fhir.Issue // of this page
	Total    *int
	Next     *Cursor // nil when nothing more can follow

	cursors []Cursor // behind each match
	seen    []byte   // marks of what $everything has sent along by the end of the page
}

// Run makes the page behind a cursor. It returns *fhir.Error of status 400 for a
// search that is too costly, and the store's errors.
func (p *Plan) Run(ctx context.Context, v *consent.View, at Cursor, lim Limits) (*Page, error) {
	page := &Page{}
	v = v.WithPermission("s").WithIndexer(p.x)
	if err := p.unambiguous(ctx, v); err != nil {
		return nil, err
	}
	p, err := p.resolve(ctx, v, lim, p.mayStream())
	if err != nil {
		return nil, err
	}
	if p.latest > 0 {
		return page, p.lastOfEach(ctx, v, page, lim)
	}
	if err := p.total(ctx, v, at, page, lim); err != nil {
		return nil, err
	}
	if p.CountOnly {
		return page, nil
	}
	rows := p.inOrder
	if len(p.Sort) > 0 {
		rows = p.sorted
	}
	if err := rows(ctx, v, at, page, lim); err != nil {
		return nil, err
	}
	if err := p.versions(ctx, v, page); err != nil {
		return nil, err
	}
	//law:page-filled
	return page, p.include(ctx, v, page, lim)
}

// scan yields the rows of all parts in the order of the store.
func (p *Plan) scan(ctx context.Context, v *consent.View, after *store.RowID, keysOnly bool, lim Limits) iter.Seq2[store.Doc, error] {
	if p.stream != nil { // asked for a page in the order of the store alone
		return p.stream.j.whole(ctx, p.Type(), p.stream.rows(ctx, after), min(p.Count+1, atOnce))
	}
	query := func(part TypeQuery) iter.Seq2[store.Doc, error] {
		if p.walks() {
			return p.walk(ctx, v, store.Query{Type: part.Type, Where: part.Where, After: after, KeysOnly: keysOnly}, lim)
		}
		return v.Scan(ctx, store.Query{Type: part.Type, Where: part.Where, After: after, KeysOnly: keysOnly})
	}
	if len(p.Types) == 1 {
		return query(p.Types[0])
	}
	streams := make([]iter.Seq2[store.Doc, error], len(p.Types))
	for i, part := range p.Types {
		streams[i] = query(part)
	}
	return MergeStreams(streams, func(a, b store.Doc) int { return a.RowID.Compare(b.RowID) })
}

// MergeStreams yields the documents of streams, each in an order, in that order. The
// first error ends it.
func MergeStreams(streams []iter.Seq2[store.Doc, error], compare func(a, b store.Doc) int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		type head struct {
			doc  store.Doc
			next func() (store.Doc, error, bool)
		}
		var heads []*head
		for _, s := range streams {
			next, stop := iter.Pull2(s)
			defer stop()
			d, err, ok := next()
			if err != nil {
				yield(d, err)
				return
			}
			if ok {
				heads = append(heads, &head{d, next})
			}
		}
		for len(heads) > 0 {
			first := 0
			for i, h := range heads {
				if compare(h.doc, heads[first].doc) < 0 {
					first = i
				}
			}
			h := heads[first]
			if !yield(h.doc, nil) {
				return
			}
			d, err, ok := h.next()
			switch {
			case err != nil:
				yield(d, err)
				return
			case ok:
				h.doc = d
			default:
				heads = append(heads[:first], heads[first+1:]...)
			}
		}
	}
}

// inOrder takes a page in the order of the store.
func (p *Plan) inOrder(ctx context.Context, v *consent.View, at Cursor, page *Page, lim Limits) error {
	for d, err := range p.scan(ctx, v, at.After, false, lim) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if len(page.Matches) == p.Count {
			last := page.Matches[p.Count-1].RowID
			page.Next = &Cursor{After: &last}
			return nil
		}
		page.Matches = append(page.Matches, d)
		id := d.RowID // not the whole document
		page.cursors = append(page.cursors, Cursor{After: &id})
	}
	return nil
}
