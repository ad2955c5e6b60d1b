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
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// Include is _include or _revinclude.
type Include struct {
	Source  string // the type whose parameter it is; * for every type
	Param   string // * for every reference parameter
	Target  string // the only type at the other end of the reference; empty for all
	Reverse bool   // the resources that refer to a row, not those to which the row refers
	Iterate bool   // also for included resources
}

// version is a resource version on a page; n is 0 for the current one.
type version struct {
	ref store.Ref
	n   uint64
}

// includer collects the included resources of a page.
type includer struct {
	query    *Query
	view     *consent.View
	lim      Limits
	onPage   map[version]bool // the resources on the page
	included []store.Doc
	noScope  map[string]bool // types that the token does not include

	// Read ahead, for many rows in one query.
	refs      map[sourceRow][]fhir.Ref  // the references of rows by an include
	named     map[store.Ref]*store.Doc  // the resources to which they refer; nil for one that does not exist
	referrers map[targetRow][]store.Doc // the resources that refer to rows
}

// sourceRow is a version of a row whose references an include follows.
type sourceRow struct {
	by   Include
	from version
}

// targetRow is a row whose referrers an include adds.
type targetRow struct {
	by Include
	to store.Ref
}

var errPageFull = errors.New("search: the page is full")

// include adds the resources that matches refer to, and those that refer to matches: each once, none
// that is a match, none of a type that the requester's scopes do not permit (SMART-281, 282). If they are
// more than fit on a page, the page has fewer matches. If one match alone has more, the rest is cut
// and the page has a warning (SRCH-178).
func (x *execution) include(ctx context.Context, page *Page) error {
	if len(x.Includes) == 0 {
		return nil
	}
	for { // each turn returns, or has fewer matches than the turn before
		if err := ctx.Err(); err != nil {
			return err
		}
		in := &includer{query: x.Query, view: x.view.WithPermission("rs"), lim: x.lim, onPage: map[version]bool{}, noScope: map[string]bool{}}
		//law:includer
		for _, d := range page.Matches {
			in.onPage[version{ref: d.Ref}] = true
		}
		whole, err := in.gather(ctx, page.Matches)
		if err != nil {
			return err
		}
		if whole == len(page.Matches) || whole == 0 {
			page.Included = in.included
			for _, typ := range slices.Sorted(maps.Keys(in.noScope)) {
				page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "suppressed",
					Text: fmt.Sprintf("%s is not included. The token has no scope for it.", typ)})
			}
			if whole < len(page.Matches) {
				page.Shorten(1)
				page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "too-costly",
					Text: fmt.Sprintf("The page includes only its first %d resources.", x.lim.IncludesPerPage)})
			}
			return nil
		}
		page.Shorten(whole)
	}
}

// gather adds the included resources of each match, in order. It returns for how many matches all were
// added.
func (in *includer) gather(ctx context.Context, matches []store.Doc) (int, error) {
	for i, d := range matches {
		if i%join.ReferrerChunk == 0 {
			if err := in.readAhead(ctx, matches[i:min(i+join.ReferrerChunk, len(matches))], 0); err != nil {
				return i, err
			}
		}
		err := in.from(ctx, d)
		if errors.Is(err, errPageFull) {
			return i, nil
		}
		if err != nil {
			return i, err
		}
	}
	return len(matches), nil
}

// from adds the included resources of one match, and with :iterate those of included resources, up to
// the include depth.
func (in *includer) from(ctx context.Context, match store.Doc) error {
	at := []store.Doc{match}
	for depth := 0; len(at) > 0 && depth < max(1, in.lim.IncludeDepth); depth++ {
		was := len(in.included)
		if depth > 0 {
			if err := in.readAhead(ctx, at, depth); err != nil {
				return err
			}
		}
		for _, d := range at {
			for _, inc := range in.query.Includes {
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

// follow adds the resources of one include for one row.
func (in *includer) follow(ctx context.Context, inc Include, d store.Doc) error {
	if inc.Reverse {
		return in.addReferrers(ctx, inc, d.Ref)
	}
	if inc.Source != "*" && inc.Source != d.Ref.Type {
		return nil
	}
	refs, err := in.refers(inc, d)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		if err := in.target(ctx, ref, refs[i:]); err != nil {
			return err
		}
	}
	return nil
}

// refers returns the references of a row that an include follows.
func (in *includer) refers(inc Include, d store.Doc) ([]fhir.Ref, error) {
	key := sourceRow{inc, version{d.Ref, d.Version}}
	out, known := in.refs[key]
	if known {
		return out, nil
	}
	for name := range in.params(d.Ref.Type, inc.Param) {
		refs, err := in.view.Index().References(d.Ref.Type, name, d.Body)
		if err != nil {
			return nil, fmt.Errorf("follow %s: %w", name, err)
		}
		for _, ref := range refs {
			if inc.Target == "" || ref.Type == inc.Target {
				out = append(out, ref)
			}
		}
	}
	in.refs[key] = out
	return out, nil
}

// params yields one reference parameter, or for * all of a type.
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

// target adds the resource that a reference names, if it exists (SRCH-173), in the version that it
// names, if any (SRCH-177). It reads those of the following references in the same query, if they have
// not been read.
func (in *includer) target(ctx context.Context, ref fhir.Ref, following []fhir.Ref) error {
	to := version{ref: store.Ref{Type: ref.Type, ID: ref.ID}}
	if in.onPage[to] {
		return nil
	}
	if !in.mayName(ref.Type) {
		in.noScope[ref.Type] = true
		return nil
	}
	var d store.Doc
	if ref.Version == "" {
		if _, known := in.named[to.ref]; !known {
			if err := in.readNamed(ctx, following[:min(join.LookupChunk, len(following))]); err != nil {
				return err
			}
		}
		found := in.named[to.ref]
		if found == nil {
			return nil
		}
		d = *found
	} else {
		var err error
		if to.n, err = strconv.ParseUint(ref.Version, 10, 64); err != nil {
			return nil // not a version of this server
		}
		d, err = in.view.Version(ctx, to.ref, to.n)
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("include: %w", err)
		}
	}
	return in.add(to, d)
}

// mayName reports whether the requester's scopes permit a type of included resources.
func (in *includer) mayName(typ string) bool {
	//law:included-type
	return in.view.Grant().Principal().May(typ, "rs")
}

// addReferrers adds the resources that refer to a row (SRCH-170).
func (in *includer) addReferrers(ctx context.Context, inc Include, to store.Ref) error {
	if !in.mayRefer(inc, to) {
		return nil
	}
	docs, known := in.referrers[targetRow{inc, to}]
	if known {
		for _, d := range docs {
			if err := in.add(version{ref: d.Ref}, d); err != nil {
				return err
			}
		}
		return nil
	}
	any, err := in.referrerPred(ctx, inc, to)
	if err != nil {
		return err
	}
	for d, err := range in.scanReferrers(ctx, inc, any) {
		if err == nil {
			err = in.add(version{ref: d.Ref}, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayRefer reports whether an include adds referrers of a row, and the requester's scopes permit to search for them without naming
// them (SMART-256).
func (in *includer) mayRefer(inc Include, to store.Ref) bool {
	if inc.Target != "" && inc.Target != to.Type {
		return false
	}
	if p := in.view.Grant().Principal(); !p.May(inc.Source, "s") || p.NeedsName(inc.Source) {
		in.noScope[inc.Source] = true
		return false
	}
	return true
}

// referrerPred returns the predicate of the resources that refer to a row by an include, or to the person of a Patient.
func (in *includer) referrerPred(ctx context.Context, inc Include, to store.Ref) (store.Or, error) {
	var any store.Or
	for name := range in.params(inc.Source, inc.Param) {
		pred, err := in.view.Index().Predicate(index.Query{Type: inc.Source, Name: name, Values: []string{to.String()}})
		if err != nil {
			return nil, fmt.Errorf("find referrers by %s: %w", name, err)
		}
		if pred, err = in.view.Expand(ctx, pred); err != nil {
			return nil, err
		}
		any = append(any, pred)
	}
	return any, nil
}

// scanReferrers yields the resources that satisfy one of some predicates of referrers.
func (in *includer) scanReferrers(ctx context.Context, inc Include, any store.Or) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		//law:revinclude-scan
		for d, err := range in.view.WithPermission("s").Scan(ctx, store.Query{Type: inc.Source, Where: any}) {
			if err != nil {
				err = fmt.Errorf("include referrers: %w", err)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

func (in *includer) add(key version, d store.Doc) error {
	if in.onPage[key] {
		return nil
	}
	if len(in.included) == in.lim.IncludesPerPage {
		return errPageFull
	}
	in.onPage[key] = true
	in.included = append(in.included, d)
	return nil
}
