package compartment

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/fhir/search"
	"carerecord/store"
)

// walk evaluates an Everything on one View.
type walk struct {
	*Everything
	view       *consent.View
	owner      store.Doc
	ownerIsRow bool
	sections   []section // by type name
	subject    subject   // of an Encounter
}

// section is the rows of one type.
type section struct {
	typ   string
	where store.Pred
	// candidates is set if where is too wide: a document outside the compartment is only a row if it has
	// the extension.
	candidates bool
	member     store.Pred // members of the compartment
}

// prepare selects the types that the store holds, that can be members of the compartment, and that the
// request and the requester's scopes allow.
func (w *walk) prepare(ctx context.Context) error {
	if w.Owner.Type == "Encounter" {
		if err := w.findSubject(ctx); err != nil {
			return err
		}
	}
	x := w.view.Index()
	since, err := w.updatedSince(x, w.Owner.Type)
	if err != nil {
		return err
	}
	named := w.Types == nil || slices.Contains(w.Types, w.Owner.Type)
	w.ownerIsRow = named && store.Match(since, w.owner.Keys)
	for _, typ := range w.view.StoredTypes() {
		if !w.includes(w.view, typ) {
			continue
		}
		sec, err := w.section(ctx, x, typ)
		if err != nil {
			return err
		}
		if sec != nil {
			w.sections = append(w.sections, *sec)
		}
	}
	return nil
}

// section returns the section of a type, or nil if it has no rows.
func (w *walk) section(ctx context.Context, x *index.Indexer, typ string) (*section, error) {
	params, member := r4.Compartment(w.Owner.Type)[typ]
	sec := &section{typ: typ, member: store.Or{}}
	var err error
	if member {
		if sec.member, err = x.InCompartment(w.Owner.Type, w.Owner.ID, typ, params); err != nil {
			return nil, err
		}
		if sec.member, err = w.ofPerson(ctx, typ, sec.member); err != nil {
			return nil, err
		}
	}
	sec.where = sec.member
	if w.Owner.Type == "Encounter" {
		about, err := w.subject.rows(x, typ)
		if err != nil {
			return nil, err
		}
		if about, err = w.expandAll(ctx, about); err != nil {
			return nil, err
		}
		//law:everything-section
		sec.where, sec.candidates = append(about, sec.member), true
	} else if !member {
		return nil, nil
	}
	since, err := w.updatedSince(x, typ)
	if err != nil {
		return nil, err
	}
	dated, err := x.ClinicalDate(typ, w.start, w.end)
	if err != nil {
		return nil, err
	}
	sec.where = store.And{sec.where, since, dated}
	if typ == w.Owner.Type { // the owner is the first row, and no other
		self, err := x.Predicate(index.Query{Type: typ, Name: "_id", Values: []string{w.Owner.ID}})
		if err != nil {
			return nil, err
		}
		sec.where = store.And{sec.where, store.Not{Pred: self}}
	}
	return sec, nil
}

// ofPerson returns the members of the compartment of the owner's person (IDN-120); the other Patients of the person are
// members too.
func (w *walk) ofPerson(ctx context.Context, typ string, member store.Pred) (store.Pred, error) {
	member, err := w.view.Expand(ctx, member)
	if err != nil || typ != "Patient" || w.Owner.Type != "Patient" || !w.view.Joins() {
		return member, err
	}
	others, err := w.view.OwnedBy(ctx, w.owner)
	return store.Or{member, others}, err
}

func (w *walk) expandAll(ctx context.Context, preds store.Or) (store.Or, error) {
	out := make(store.Or, len(preds))
	for i, pred := range preds {
		var err error
		if out[i], err = w.view.Expand(ctx, pred); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rows yields the rows after a cursor.
func (w *walk) rows(ctx context.Context, at search.Cursor) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		if at.After == nil && w.ownerIsRow && !yield(w.owner, nil) {
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
				if err == nil && !w.isRow(&sec, d) {
					continue
				}
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// isRow reports whether a document that satisfies the predicate of a section is a row.
func (w *walk) isRow(sec *section, d store.Doc) bool {
	return !sec.candidates || store.Match(sec.member, d.Keys) || hasAssociatedEncounter(w.view.Index().Base(), d.Body, w.Owner)
}

// preallocatedRows is for how many rows a page allocates memory in advance.
const preallocatedRows = 128

// fill adds rows to the page, and the resources that they refer to, at most includes of these. A page
// whose rows refer to more has fewer rows (SRCH-178).
func (w *walk) fill(ctx context.Context, page *search.Page, includes int) error {
	page.Matches, page.Cursors = make([]store.Doc, 0, min(w.count, preallocatedRows)), make([]search.Cursor, 0, min(w.count, preallocatedRows))
	for d, err := range w.rows(ctx, w.page.Cursor) {
		if err != nil {
			return err
		}
		if len(page.Matches) == w.count {
			page.Next = &page.Cursors[w.count-1]
			break
		}
		page.Matches = append(page.Matches, d)
		id := d.RowID // not the whole document
		at := search.Cursor{Type: d.Ref.Type, After: &id}
		if d.Ref == w.Owner {
			at.Type = ""
		}
		page.Cursors = append(page.Cursors, at)
	}
	complete, err := w.addReferenced(ctx, page, includes)
	if err != nil {
		return err
	}
	if complete < len(page.Matches) {
		if complete == 0 {
			page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
				Text: fmt.Sprintf("The page includes only its first %d resources.", includes)})
		}
		page.Shorten(max(1, complete))
	}
	if page.Next != nil {
		page.Next.Seen = len(page.Sent) / search.SentSize
	}
	return nil
}

// total sets the number of rows of all pages. It counts those after the first page.
func (w *walk) total(ctx context.Context, page *search.Page) error {
	n, at := len(page.Matches), search.Cursor{}
	switch {
	case page.Next != nil:
		at = *page.Next
	case !w.countOnly:
		page.Total = &n
		return nil
	case w.ownerIsRow:
		n++
	}
	for _, sec := range w.sections {
		if sec.typ < at.Type {
			continue
		}
		q := store.Query{Type: sec.typ, Where: sec.where, KeysOnly: !sec.candidates}
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

// size counts the rows of a section.
func (w *walk) size(ctx context.Context, sec *section, q store.Query) (int, error) {
	if !sec.candidates {
		return w.view.Count(ctx, q, 0)
	}
	n := 0
	for d, err := range w.view.Scan(ctx, q) {
		if err != nil {
			return 0, err
		}
		if w.isRow(sec, d) {
			n++
		}
	}
	return n, nil
}
