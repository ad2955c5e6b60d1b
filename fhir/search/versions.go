package search

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// versions warns where a chain led from a row of the page over a reference that
// names a version: it tested the current one (SRCH-136).
func (p *Plan) versions(ctx context.Context, v *consent.View, page *Page) error {
	if p.joins == nil {
		return nil
	}
	met := map[string]bool{}
	view := v.WithPermission("s")
	for i, part := range p.Types {
		rows := slices.DeleteFunc(slices.Clone(page.Matches), func(d store.Doc) bool { return d.Ref.Type != part.Type })
		for _, n := range p.joins[i] {
			if err := versioned(ctx, view, n, rows, met); err != nil {
				return err
			}
		}
	}
	for _, hop := range slices.Sorted(maps.Keys(met)) {
		page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "informational",
			Text: fmt.Sprintf("A reference in %s names a version: the chain tested the current one.", hop)})
	}
	return nil
}

// versioned notes the hops of a node over which documents name a version.
func versioned(ctx context.Context, v *consent.View, n node, from []store.Doc, met map[string]bool) error {
	var within []node
	switch n := n.(type) {
	case every:
		within = n
	case some:
		within = n
	case none:
		within = []node{n.of}
	case chain:
		named := ids{}
		for _, d := range from {
			names, err := v.Index().RefersToVersion(n.typ, n.param, n.target, d.Keys)
			if err != nil {
				return err
			}
			if names {
				met[n.typ+"."+n.param] = true
			}
			to, err := v.Index().ReferredIDs(n.typ, n.param, n.target, d.Keys)
			if err != nil {
				return err
			}
			for _, id := range to {
				named[id] = true
			}
		}
		if !leads(n.inner) {
			return nil
		}
		from, within = nil, []node{n.inner}
		for chunk := range slices.Chunk(named.list(), atOnce) {
			q, err := naming(v.Index(), n.target, chunk)
			if err != nil {
				return err
			}
			q.KeysOnly = true
			for d, err := range v.Scan(ctx, q) {
				if err != nil {
					return fmt.Errorf("look for versions that a chain names: %w", err)
				}
				from = append(from, d)
			}
		}
	}
	for _, n := range within {
		if err := versioned(ctx, v, n, from, met); err != nil {
			return err
		}
	}
	return nil
}

// leads reports whether a node has a chain in it.
func leads(n node) bool {
	switch n := n.(type) {
	case chain:
		return true
	case every:
		return slices.ContainsFunc(n, leads)
	case some:
		return slices.ContainsFunc(n, leads)
	case none:
		return leads(n.of)
	}
	return false
}
