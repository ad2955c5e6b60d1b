package compartment

import (
	"context"
	"crypto/sha256"
	"fmt"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/search"
	"carerecord/store"
)

type refHash [search.SentSize]byte

func hashOf(ref store.Ref) refHash {
	sum := sha256.Sum256([]byte(ref.String()))
	return refHash(sum[:search.SentSize])
}

// references collects the resources that the rows of a page refer to.
type references struct {
	*walk
	visited map[store.Ref]bool // resources that are on the page or were looked up for it
	sent    map[refHash]bool   // resources of earlier pages

	refs  [][]store.Ref // of each row of the chunk
	found map[store.Ref]store.Doc
}

// referenceChunk is for how many rows the references are looked up in one query.
const referenceChunk = 64

// addReferenced adds the resources outside the compartment that the rows of a page refer to, by a
// Reference or by the address of a Binary, at most max of them. A resource that an earlier page sent
// is left out. It returns for how many rows all resources were added.
func (w *walk) addReferenced(ctx context.Context, page *search.Page, max int) (int, error) {
	r := &references{walk: w, visited: map[store.Ref]bool{w.Owner: true}, sent: map[refHash]bool{}}
	for at := 0; at+search.SentSize <= len(page.Sent); at += search.SentSize {
		r.sent[refHash(page.Sent[at:at+search.SentSize])] = true
	}
	sent := page.Sent[:len(page.Sent):len(page.Sent)]
	for i := range page.Matches {
		includedBefore, sentBefore := len(page.Included), len(sent)
		if i%referenceChunk == 0 {
			if err := r.lookUp(ctx, page.Matches[i:min(i+referenceChunk, len(page.Matches))]); err != nil {
				return i, err
			}
		}
		for _, ref := range r.refs[i%referenceChunk] {
			target, err := r.target(ref)
			if err != nil {
				return i, err
			}
			if target == nil {
				continue
			}
			if len(page.Included) == max {
				if i > 0 { // the next page begins with this row
					page.Included, page.Sent = page.Included[:includedBefore], sent[:sentBefore]
				} else {
					page.Sent = sent
				}
				return i, nil
			}
			h := hashOf(target.Ref)
			sent, r.sent[h] = append(sent, h[:]...), true
			page.Included = append(page.Included, *target)
		}
	}
	page.Sent = sent
	return len(page.Matches), nil
}

// lookUp reads the resources that some rows refer to.
func (r *references) lookUp(ctx context.Context, rows []store.Doc) error {
	r.refs, r.found = r.refs[:0], map[store.Ref]store.Doc{}
	var refsToRead []store.Ref
	for _, d := range rows {
		refs := r.unvisited(d)
		r.refs = append(r.refs, refs)
		for _, ref := range refs {
			if r.includes(r.view, ref.Type) && !r.sent[hashOf(ref)] {
				refsToRead = append(refsToRead, ref)
			}
		}
	}
	//law:everything-references
	for d, err := range r.view.All(ctx, refsToRead) {
		if err != nil {
			return fmt.Errorf("follow references: %w", err)
		}
		r.found[d.Ref] = d
	}
	return nil
}

// unvisited returns the references of a row that no earlier row has.
func (r *references) unvisited(d store.Doc) []store.Ref {
	var out []store.Ref
	base := r.view.Index().Base()
	edit.Links(d.Body, func(link edit.Link) string {
		ref, ok := fhir.ParseRef(base, link.Value)
		to := store.Ref{Type: ref.Type, ID: ref.ID}
		if ok && (link.Reference || ref.Type == "Binary") && !r.visited[to] {
			r.visited[to] = true
			out = append(out, to)
		}
		return link.Value
	})
	return out
}

// target returns the resource that a reference names, or nil if it was not found, is itself a row, or
// was sent before.
func (r *references) target(ref store.Ref) (*store.Doc, error) {
	d, found := r.found[ref]
	if !found {
		return nil, nil
	}
	since, err := r.updatedSince(r.view.Index(), ref.Type)
	if err != nil || !store.Match(since, d.Keys) {
		return nil, err
	}
	for _, sec := range r.sections {
		if sec.typ == ref.Type && r.inCompartment(&sec, d) {
			return nil, nil
		}
	}
	return &d, nil
}

// inCompartment reports whether a document belongs to the rows of all pages if dates are ignored.
func (w *walk) inCompartment(sec *section, d store.Doc) bool {
	return store.Match(sec.member, d.Keys) || sec.candidates && hasAssociatedEncounter(w.view.Index().Base(), d.Body, w.Owner)
}
