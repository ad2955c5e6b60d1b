package search

import (
	"context"
	"errors"
	"fmt"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// includer adds to a page what its matches point to.
type includer struct {
	view   *consent.View
	page   *Page
	on     map[store.Ref]bool // what is on the page
	warned map[string]bool    // types that the token does not include
	most   int
}

var errFull = errors.New("search: the page is full")

// include adds what the matches of the page point to: each once, never what is
// a match, nothing of a type for which the token has no letter (SMART-281).
func (p *Plan) include(ctx context.Context, v *consent.View, page *Page, lim Limits) error {
	in := &includer{view: v, page: page, on: map[store.Ref]bool{}, warned: map[string]bool{}, most: lim.IncludesPerPage}
	for _, d := range page.Matches {
		in.on[d.Ref] = true
	}
	for _, inc := range p.Includes {
		for _, d := range page.Matches {
			if d.Ref.Type != inc.Source {
				continue
			}
			err := in.follow(ctx, inc, d)
			if errors.Is(err, errFull) {
				page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
					Text: fmt.Sprintf("The page includes its first %d resources only: ask for smaller pages.", in.most)})
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// follow adds what one match points to.
func (in *includer) follow(ctx context.Context, inc Include, from store.Doc) error {
	refs, err := in.view.Index().References(inc.Source, inc.Param, from.Body)
	if err != nil {
		return fmt.Errorf("follow %s: %w", inc.Param, err)
	}
	for _, ref := range refs {
		if inc.Target != "" && ref.Type != inc.Target {
			continue
		}
		if err := in.add(ctx, store.Ref{Type: ref.Type, ID: ref.ID}); err != nil {
			return err
		}
	}
	return nil
}

// add adds one target, if it can be found (SRCH-173).
func (in *includer) add(ctx context.Context, target store.Ref) error {
	if in.on[target] {
		return nil
	}
	if !in.view.Grant().May(target.Type, "rs") {
		in.warn(target.Type)
		return nil
	}
	found, err := in.view.Get(ctx, target)
	if errors.Is(err, store.ErrNotFound) || err == nil && found.Dead() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("include: %w", err)
	}
	if len(in.page.Included) == in.most {
		return errFull
	}
	in.on[target] = true
	in.page.Included = append(in.page.Included, found)
	return nil
}

func (in *includer) warn(typ string) {
	if in.warned[typ] {
		return
	}
	in.warned[typ] = true
	in.page.Warnings = append(in.page.Warnings, fhir.Issue{Severity: "warning", Code: "suppressed",
		Text: fmt.Sprintf("%s is not included: the token has no scope for it.", typ)})
}
