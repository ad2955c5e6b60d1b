package search

import (
	"context"
	"fmt"

	"carerecord/fhir"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// readAhead reads the resources that some rows' includes need, with one query for each type instead of
// one for each row.
func (in *includer) readAhead(ctx context.Context, rows []store.Doc, depth int) error {
	if depth == 0 {
		in.refs, in.named, in.referrers = map[sourceRow][]fhir.Ref{}, map[store.Ref]*store.Doc{}, map[targetRow][]store.Doc{}
	}
	var refs []fhir.Ref
	for _, inc := range in.query.Includes {
		if depth > 0 && !inc.Iterate {
			continue
		}
		if inc.Reverse {
			if err := in.readReferrers(ctx, inc, rows); err != nil {
				return err
			}
			continue
		}
		for _, d := range rows {
			if len(refs) > in.room() || inc.Source != "*" && inc.Source != d.Ref.Type {
				continue
			}
			more, err := in.refers(inc, d)
			if err != nil {
				return err
			}
			refs = append(refs, more...)
		}
	}
	return in.readNamed(ctx, refs[:min(len(refs), in.room())])
}

// room is how many more resources fit on the page, plus one.
func (in *includer) room() int { return in.lim.IncludesPerPage - len(in.included) + 1 }

// readNamed reads the resources that references name. References to versions are left out.
func (in *includer) readNamed(ctx context.Context, refs []fhir.Ref) error {
	var missing []store.Ref
	for _, ref := range refs {
		to := store.Ref{Type: ref.Type, ID: ref.ID}
		if _, known := in.named[to]; known || ref.Version != "" || in.onPage[version{ref: to}] || !in.mayName(ref.Type) {
			continue
		}
		in.named[to] = nil
		missing = append(missing, to)
	}
	if len(missing) == 0 {
		return nil
	}
	//law:include-read
	for d, err := range in.view.All(ctx, missing) {
		if err != nil {
			return fmt.Errorf("include: %w", err)
		}
		in.named[d.Ref] = &d
	}
	return nil
}

// readReferrers reads the resources that refer to rows, for as many rows at once as the page has room
// for. Each iteration either finishes some rows or halves their number. If the referrers of two rows
// do not fit, addReferrers reads them row by row.
func (in *includer) readReferrers(ctx context.Context, inc Include, rows []store.Doc) error {
	size := join.ReferrerChunk
	for len(rows) > 1 {
		size = min(size, len(rows))
		whole, err := in.referrersOf(ctx, inc, rows[:size])
		switch {
		case err != nil:
			return err
		case whole:
			rows = rows[size:]
		case size <= 2:
			return nil
		default:
			size /= 2
		}
	}
	return nil
}

// referrersOf reads the referrers of rows. It is false, and keeps nothing, if they do not fit on the
// page.
func (in *includer) referrersOf(ctx context.Context, inc Include, rows []store.Doc) (bool, error) {
	var any store.Or
	each := map[store.Ref]store.Or{}
	for _, d := range rows {
		if !in.mayRefer(inc, d.Ref) {
			continue
		}
		points, err := in.referrerPred(ctx, inc, d.Ref)
		if err != nil {
			return false, err
		}
		each[d.Ref] = points
		any = append(any, points...)
	}
	if len(any) == 0 {
		return true, nil
	}
	found, n := map[store.Ref][]store.Doc{}, 0
	for d, err := range in.scanReferrers(ctx, inc, any) {
		if n++; err != nil || n > in.room() {
			return false, err
		}
		for to, points := range each {
			if store.Match(points, d.Keys) {
				found[to] = append(found[to], d)
			}
		}
	}
	for to := range each {
		in.referrers[targetRow{inc, to}] = found[to]
	}
	return true, nil
}
