package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Include is _include or _revinclude.
type Include struct {
	Source  string // the type whose parameter it is; * for every type
	Param   string // * for every reference parameter
	Target  string // the only type that counts at the other end; may be empty
	Reverse bool   // what points to a row, rather than what a row points to
	Iterate bool   // from what is included too
}

// version is a resource version on a page; 0 is the current one.
type version struct {
	ref store.Ref
	n   uint64
}

// includer gathers what belongs to the matches of a page.
type includer struct {
	plan     *Plan
	view     *consent.View
	lim      Limits
	on       map[version]bool // what is on the page
	included []store.Doc
	warned   map[string]bool // types that the token does not include
}

var errFull = errors.New("search: the page is full")

// include adds what the matches of the page point to, and what points to them:
// each once, never what is a match, nothing of a type for which the token has no
// letter (SMART-281, 282). Where that is more than a page holds, the page has
// fewer matches; where one match alone has more, the rest is cut and a warning
// says so (SRCH-178).
func (p *Plan) include(ctx context.Context, v *consent.View, page *Page, lim Limits) error {
	if len(p.Includes) == 0 {
		return nil
	}
	for {
		in := &includer{plan: p, view: v.With("rs"), lim: lim, on: map[version]bool{}, warned: map[string]bool{}}
		for _, d := range page.Matches {
			in.on[version{ref: d.Ref}] = true
		}
		whole, err := in.gather(ctx, page.Matches)
		if err != nil {
			return err
		}
		if whole == len(page.Matches) || whole == 0 {
			page.Included = in.included
			for _, typ := range slices.Sorted(maps.Keys(in.warned)) {
				page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "suppressed",
					Text: fmt.Sprintf("%s is not included: the token has no scope for it.", typ)})
			}
			if whole < len(page.Matches) {
				page.shorten(1)
				page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
					Text: fmt.Sprintf("The page includes its first %d resources only.", lim.IncludesPerPage)})
			}
			return nil
		}
		page.shorten(whole)
	}
}

// gather adds what belongs to each match, one after the other, and returns for
// how many of them all was added.
func (in *includer) gather(ctx context.Context, matches []store.Doc) (int, error) {
	for i, d := range matches {
		err := in.from(ctx, d)
		if errors.Is(err, errFull) {
			return i, nil
		}
		if err != nil {
			return i, err
		}
	}
	return len(matches), nil
}

// from adds what belongs to one match, and by :iterate to what is added, as far
// as include depth.
func (in *includer) from(ctx context.Context, match store.Doc) error {
	at := []store.Doc{match}
	for depth := 0; len(at) > 0 && depth < max(1, in.lim.IncludeDepth); depth++ {
		was := len(in.included)
		for _, d := range at {
			for _, inc := range in.plan.Includes {
				if depth > 0 && !inc.Iterate {
					continue
				}
				if err := in.follow(ctx, inc, d); err != nil {
					return err
				}
			}
		}
		at = in.included[was:]
	}
	return nil
}

// follow adds what one row points to, or what points to it.
func (in *includer) follow(ctx context.Context, inc Include, d store.Doc) error {
	if inc.Reverse {
		return in.pointing(ctx, inc, d.Ref)
	}
	if inc.Source != "*" && inc.Source != d.Ref.Type {
		return nil
	}
	for name := range in.params(d.Ref.Type, inc.Param) {
		refs, err := in.view.Index().References(d.Ref.Type, name, d.Body)
		if err != nil {
			return fmt.Errorf("follow %s: %w", name, err)
		}
		for _, ref := range refs {
			if inc.Target != "" && ref.Type != inc.Target {
				continue
			}
			if err := in.target(ctx, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// params yields the parameter, or all reference parameters of a type.
func (in *includer) params(typ, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if name != "*" {
			yield(name)
			return
		}
		for _, p := range in.view.Index().Params(typ) {
			if p.Kind == index.Reference && !yield(p.Code) {
				return
			}
		}
	}
}

// target adds what a reference names, if it can be found (SRCH-173): the
// version that it names, if it names one (SRCH-177).
func (in *includer) target(ctx context.Context, ref fhir.Ref) error {
	to := version{ref: store.Ref{Type: ref.Type, ID: ref.ID}}
	if in.on[to] {
		return nil
	}
	if !in.view.Grant().Principal().May(ref.Type, "rs") {
		in.warned[ref.Type] = true
		return nil
	}
	var d store.Doc
	var err error
	if ref.Version == "" {
		d, err = in.view.Get(ctx, to.ref)
	} else {
		if to.n, err = strconv.ParseUint(ref.Version, 10, 64); err != nil {
			return nil // no version of ours
		}
		d, err = in.view.Version(ctx, to.ref, to.n)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Dead() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("include: %w", err)
	}
	return in.add(to, d)
}

// pointing adds what points to a row (SRCH-170).
func (in *includer) pointing(ctx context.Context, inc Include, to store.Ref) error {
	if inc.Target != "" && inc.Target != to.Type {
		return nil
	}
	if !in.view.Grant().Principal().May(inc.Source, "s") {
		in.warned[inc.Source] = true
		return nil
	}
	var any store.Or
	for name := range in.params(inc.Source, inc.Param) {
		pred, err := in.view.Index().Predicate(index.Query{Type: inc.Source, Name: name, Values: []string{to.String()}})
		if err != nil {
			return fmt.Errorf("look what points by %s: %w", name, err)
		}
		any = append(any, pred)
	}
	for d, err := range in.view.With("s").Scan(ctx, store.Query{Type: inc.Source, Where: any}) {
		if err != nil {
			return fmt.Errorf("include what points to a row: %w", err)
		}
		if on := (version{ref: d.Ref}); !in.on[on] {
			if err := in.add(on, d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in *includer) add(key version, d store.Doc) error {
	if in.on[key] {
		return nil
	}
	if len(in.included) == in.lim.IncludesPerPage {
		return errFull
	}
	in.on[key] = true
	in.included = append(in.included, d)
	return nil
}

// shorten keeps the first n matches; the next page begins behind them.
func (page *Page) shorten(n int) {
	if n >= len(page.Matches) {
		return
	}
	page.Matches = page.Matches[:n]
	page.Next = &page.cursors[n-1]
}
