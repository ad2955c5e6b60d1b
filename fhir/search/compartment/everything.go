package compartment

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/fhir/search"
	"carerecord/store"
)

// Everything is a request for one page of $everything. The rows are the owner, then the members of
// its compartment, by type name and within a type in the order of the store. Each page also has the
// resources that its rows refer to, each once over all pages. So a page only reads the types that it
// shows.
type Everything struct {
	Owner store.Ref
	Types []string // of _type, sorted; nil for all

	page      search.PageRequest
	since     []string // values of _since for the parameter _lastUpdated; nil for none
	start     string
	end       string
	count     int
	countOnly bool // _count=0: only the total
}

// Read reads the parameters of a first page, or the token of a later one. path is the path of the
// request below the base. Errors are *fhir.Error.
func Read(ctx context.Context, s *search.Service, p consent.Principal, owner store.Ref, path string, params []search.Param) (*Everything, error) {
	e := &Everything{Owner: owner, page: search.PageRequest{Path: path, Query: &search.Query{}}, count: s.Limits.Everything}
	params, err := s.Resume(ctx, p, &e.page, params)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, param := range params {
		if param.Value == "" || param.Name == "_format" {
			continue
		}
		if seen[param.Name] && param.Name != "_type" {
			return nil, fhir.Fault(400, "invalid", "%s is repeated.", param.Name)
		}
		seen[param.Name] = true
		if err := e.param(s, param); err != nil {
			return nil, err
		}
		e.page.Query.Used = append(e.page.Query.Used, param)
	}
	slices.Sort(e.Types)
	e.Types = slices.Compact(e.Types)
	if _, err := s.Index.ClinicalDate("Observation", e.start, e.end); err != nil {
		return nil, fhir.Fault(400, "value", "start and end must be dates, not %q and %q.", e.start, e.end)
	}
	if _, err := e.updatedSince(s.Index, owner.Type); err != nil {
		return nil, fhir.Fault(400, "value", "_since must be an instant, not %q.", e.since[0])
	}
	return e, nil
}

// Used returns the parameters of this page, including those of its token.
func (e *Everything) Used() []search.Param { return e.page.Query.Used }

// param reads one parameter.
func (e *Everything) param(s *search.Service, param search.Param) error {
	dated := e.Owner.Type == "Patient" // $everything of an Encounter has no start and end (OPER-014)
	switch {
	case param.Modifier != "":
		return search.NotSupported(param, "is not supported")
	case param.Name == "_pretty": // kept for later pages; the HTTP layer applies it
	case param.Name == "start" && dated:
		e.start = param.Value
	case param.Name == "end" && dated:
		e.end = param.Value
	case param.Name == "_since":
		e.since = []string{"ge" + param.Value}
	case param.Name == "_type":
		for _, typ := range strings.Split(param.Value, ",") {
			if !r4.IsResource(typ) {
				return fhir.Fault(400, "value", "_type: %q is not a resource type.", typ)
			}
			e.Types = append(e.Types, typ)
		}
	case param.Name == "_count":
		n, err := strconv.Atoi(param.Value)
		if err != nil || n < 0 {
			return fhir.Fault(400, "value", "_count must be a whole number, not %q.", param.Value)
		}
		e.count, e.countOnly = min(n, s.Limits.PageMaximum), n == 0
	default:
		return search.NotSupported(param, "is not a parameter of $everything")
	}
	return nil
}

// includes reports whether the request includes a type and the requester may search it (SMART-295).
func (e *Everything) includes(v *consent.View, typ string) bool {
	_, named := slices.BinarySearch(e.Types, typ)
	return (named || e.Types == nil) && v.Grant().May(typ, "s")
}

// updatedSince returns the predicate of _since for a type.
func (e *Everything) updatedSince(x *index.Indexer, typ string) (store.Pred, error) {
	if e.since == nil {
		return store.And{}, nil
	}
	return x.Predicate(index.Query{Type: typ, Name: "_lastUpdated", Values: e.since})
}

// Run returns the answer of one page. The owner needs the permission r, all other rows s. It returns
// store.ErrNotFound on any page if the owner does not exist or is hidden.
func Run(ctx context.Context, s *search.Service, v *consent.View, e *Everything) (*search.Answer, error) {
	owner, err := v.Get(ctx, e.Owner)
	if err != nil {
		return nil, err
	}
	if owner.Deleted() {
		return nil, store.ErrNotFound
	}
	w := &walk{Everything: e, view: v.WithPermission("s"), owner: owner}
	//law:everything-letter
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	page := &search.Page{Sent: e.page.Sent}
	if !e.countOnly {
		if err := w.fill(ctx, page, s.Limits.IncludesPerPage); err != nil {
			return nil, fmt.Errorf("everything: %w", err)
		}
	}
	if e.countOnly || e.page.Token == "" {
		if err := w.total(ctx, page); err != nil {
			return nil, fmt.Errorf("count everything: %w", err)
		}
	}
	return s.Bundle(ctx, v, e.page, page)
}
