package search

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// walk is $everything on its way through one View.
type walk struct {
	*EverythingRequest
	view     *consent.View
	owner    store.Doc
	own      bool // the owner itself is a row
	sections []section
	subject  subject // of an Encounter
}

// section is the rows of one type.
type section struct {
	typ   string
	where store.Pred
	// loose rows are candidates: of those outside the compartment only what
	// bears the extension is a row.
	loose  bool
	member store.Pred
}

// prepare decides which types are walked: of those that the store holds, the
// members of the compartment that the request and the token allow.
func (w *walk) prepare(ctx context.Context) error {
	if w.Owner.Type == "Encounter" {
		if err := w.findSubject(ctx); err != nil {
			return err
		}
	}
	x := w.view.Index()
	since, err := w.recorded(x, w.Owner.Type)
	if err != nil {
		return err
	}
	named := w.Types == nil || slices.Contains(w.Types, w.Owner.Type)
	w.own = named && store.Match(since, w.owner.Keys)
	for _, typ := range w.view.StoredTypes() {
		if !w.takes(w.view, typ) {
			continue
		}
		sec, err := w.section(x, typ)
		if err != nil {
			return err
		}
		if sec != nil {
			w.sections = append(w.sections, *sec)
		}
	}
	return nil
}

// section is nil for a type that has no rows.
func (w *walk) section(x *index.Indexer, typ string) (*section, error) {
	params, member := r4.Compartment(w.Owner.Type)[typ]
	sec := &section{typ: typ, member: store.Or{}}
	var err error
	if member {
		if sec.member, err = x.InCompartment(w.Owner.Type, w.Owner.ID, typ, params); err != nil {
			return nil, err
		}
	}
	sec.where = sec.member
	if w.Owner.Type == "Encounter" {
		about, err := w.subject.rows(x, typ)
		if err != nil {
			return nil, err
		}
		//law:everything-section
		sec.where, sec.loose = append(about, sec.member), true
	} else if !member {
		return nil, nil
	}
	since, err := w.recorded(x, typ)
	if err != nil {
		return nil, err
	}
	dated, err := x.ClinicalDate(typ, w.start, w.end)
	if err != nil {
		return nil, err
	}
	sec.where = store.And{sec.where, since, dated}
	if typ == w.Owner.Type { // the owner comes first, and once
		self, err := x.Predicate(index.Query{Type: typ, Name: "_id", Values: []string{w.Owner.ID}})
		if err != nil {
			return nil, err
		}
		sec.where = store.And{sec.where, store.Not{Pred: self}}
	}
	return sec, nil
}

// rows yields the rows behind a cursor.
func (w *walk) rows(ctx context.Context, at Cursor) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if at.After == nil && w.own && !yield(w.owner, nil) {
			return
		}
		for _, sec := range w.sections {
			if sec.typ < at.Type {
				continue
			}
			q := store.Query{Type: sec.typ, Where: sec.where}
			if sec.typ == at.Type {
				q.After = at.After
			}
			//law:everything-scan
			for d, err := range w.view.Scan(ctx, q) {
				if err == nil && !w.holds(&sec, d) {
					continue
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// holds reports whether a document of a section is a row.
func (w *walk) holds(sec *section, d store.Doc) bool {
	return !sec.loose || store.Match(sec.member, d.Keys) || tied(w.view.Index().Base(), d.Body, w.Owner)
}

// usualPage is for how many rows room is made beforehand.
const usualPage = 128

// page fills a page: rows, and with them what they refer to. Where that is more
// than a page holds, the page has fewer rows (SRCH-178).
func (w *walk) page(ctx context.Context, page *Page, includes int) error {
	page.Matches, page.cursors = make([]store.Doc, 0, min(w.count, usualPage)), make([]Cursor, 0, min(w.count, usualPage))
	for d, err := range w.rows(ctx, w.ask.Cursor) {
		if err != nil {
			return err
		}
		if len(page.Matches) == w.count {
			page.Next = &page.cursors[w.count-1]
			break
		}
		page.Matches = append(page.Matches, d)
		id := d.RowID // not the whole document
		at := Cursor{Type: d.Ref.Type, After: &id}
		if d.Ref == w.Owner {
			at.Type = ""
		}
		page.cursors = append(page.cursors, at)
	}
	whole, err := w.support(ctx, page, includes)
	if err != nil {
		return err
	}
	if whole < len(page.Matches) {
		if whole == 0 {
			page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
				Text: fmt.Sprintf("The page includes its first %d resources only.", includes)})
		}
		page.shorten(max(1, whole))
	}
	if page.Next != nil {
		page.Next.Seen = len(page.seen) / seenSize
	}
	return nil
}

// total counts the rows of all pages: those of the first one, and what follows.
func (w *walk) total(ctx context.Context, page *Page) error {
	n, at := len(page.Matches), Cursor{}
	switch {
	case page.Next != nil:
		at = *page.Next
	case !w.only:
		page.Total = &n
		return nil
	case w.own:
		n++
	}
	for _, sec := range w.sections {
		if sec.typ < at.Type {
			continue
		}
		q := store.Query{Type: sec.typ, Where: sec.where, KeysOnly: !sec.loose}
		if sec.typ == at.Type {
			q.After = at.After
		}
		more, err := w.size(ctx, &sec, q)
		if err != nil {
			return err
		}
		n += more
	}
	page.Total = &n
	return nil
}

// size is how many rows a query finds in a section.
func (w *walk) size(ctx context.Context, sec *section, q store.Query) (int, error) {
	if !sec.loose {
		return w.view.Count(ctx, q, 0)
	}
	n := 0
	for d, err := range w.view.Scan(ctx, q) {
		if err != nil {
			return 0, err
		}
		if w.holds(sec, d) {
			n++
		}
	}
	return n, nil
}
