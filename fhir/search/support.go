package search

import (
	"context"
	"crypto/sha256"
	"fmt"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/store"
)

// seenSize is how many bytes a page token keeps of a resource that was sent
// along: enough that no two are taken for one.
const seenSize = 8

func mark(ref store.Ref) [seenSize]byte {
	sum := sha256.Sum256([]byte(ref.String()))
	return [seenSize]byte(sum[:seenSize])
}

// supporter gathers what the rows of a page of $everything refer to.
type supporter struct {
	*walk
	met  map[store.Ref]bool // on this page, or of no use
	sent map[[seenSize]byte]bool
	most int

	named [][]store.Ref // by the rows whose references were looked up together
	found map[store.Ref]store.Doc
}

// rowsAtOnce is for how many rows what they refer to is one question.
const rowsAtOnce = 64

// support adds what the rows of a page refer to, outside of the compartment: by
// a Reference, or by the address of a Binary. What was sent with an earlier page
// is not sent again. It returns of how many rows all was added.
func (w *walk) support(ctx context.Context, page *Page, most int) (int, error) {
	s := &supporter{walk: w, met: map[store.Ref]bool{w.Owner: true}, sent: map[[seenSize]byte]bool{}, most: most}
	for at := 0; at+seenSize <= len(page.seen); at += seenSize {
		s.sent[[seenSize]byte(page.seen[at:])] = true
	}
	seen := page.seen[:len(page.seen):len(page.seen)]
	for i := range page.Matches {
		before, marked := len(page.Included), len(seen)
		if i%rowsAtOnce == 0 {
			if err := s.ahead(ctx, page.Matches[i:min(i+rowsAtOnce, len(page.Matches))]); err != nil {
				return i, err
			}
		}
		for _, ref := range s.named[i%rowsAtOnce] {
			target, err := s.target(ref)
			if err != nil {
				return i, err
			}
			if target == nil {
				continue
			}
			if len(page.Included) == most {
				if i > 0 { // this row is the first of the next page
					page.Included, page.seen = page.Included[:before], seen[:marked]
				} else {
					page.seen = seen
				}
				return i, nil
			}
			m := mark(target.Ref)
			seen, s.sent[m] = append(seen, m[:]...), true
			page.Included = append(page.Included, *target)
		}
	}
	page.seen = seen
	return len(page.Matches), nil
}

// ahead looks up what some rows refer to.
func (s *supporter) ahead(ctx context.Context, rows []store.Doc) error {
	s.named, s.found = s.named[:0], map[store.Ref]store.Doc{}
	var wanted []store.Ref
	for _, d := range rows {
		refs := s.refers(d)
		s.named = append(s.named, refs)
		for _, ref := range refs {
			if s.takes(s.view, ref.Type) && !s.sent[mark(ref)] {
				wanted = append(wanted, ref)
			}
		}
	}
	//law:everything-references
	for d, err := range s.view.All(ctx, wanted) {
		if err != nil {
			return fmt.Errorf("follow references: %w", err)
		}
		s.found[d.Ref] = d
	}
	return nil
}

// refers lists what a row refers to and what was not met before.
func (s *supporter) refers(d store.Doc) []store.Ref {
	var out []store.Ref
	base := s.view.Index().Base()
	edit.Links(d.Body, func(link edit.Link) string {
		ref, ok := fhir.ParseRef(base, link.Value)
		to := store.Ref{Type: ref.Type, ID: ref.ID}
		if ok && (link.Reference || ref.Type == "Binary") && !s.met[to] {
			s.met[to] = true
			out = append(out, to)
		}
		return link.Value
	})
	return out
}

// target is the resource that a reference names, if it is to be sent along: nil
// for what cannot be found, is a row itself, or was sent before.
func (s *supporter) target(ref store.Ref) (*store.Doc, error) {
	d, found := s.found[ref]
	if !found {
		return nil, nil
	}
	since, err := s.recorded(s.view.Index(), ref.Type)
	if err != nil || !store.Match(since, d.Keys) {
		return nil, err
	}
	for _, sec := range s.sections {
		if sec.typ == ref.Type && s.within(&sec, d) {
			return nil, nil
		}
	}
	return &d, nil
}

// within reports whether a document belongs to the compartment, be it on a page
// or left out by a date.
func (w *walk) within(sec *section, d store.Doc) bool {
	return store.Match(sec.member, d.Keys) || sec.loose && tied(w.view.Index().Base(), d.Body, w.Owner)
}
