package search

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
	"carerecord/store"
)

// EverythingRequest is $everything of a Patient or an Encounter: first the owner, then
// the members of its compartment, type by type in the order of their names and
// within a type in the order of the store; with each page what its rows refer
// to, each resource once in the whole walk. So a page opens the types that it
// shows and no others.
type EverythingRequest struct {
	Owner store.Ref
	Types []string // of _type, sorted; nil for all
	ask   PageRequest
	since []string // the value of _since, nil for none
	start string
	end   string
	count int
	only  bool // _count=0: the total alone
}

// EverythingRequest reads the parameters of a first page, or the token of a later one.
// path is where it was asked, below the base. Errors are *fhir.Error.
func (s *Service) Everything(ctx context.Context, p consent.Principal, owner store.Ref, path string, params []Param) (*EverythingRequest, error) {
	e := &EverythingRequest{Owner: owner, ask: PageRequest{Path: path, Plan: &Plan{}}, count: s.Limits.Everything}
	params, err := s.resume(ctx, p, &e.ask, params)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, param := range params {
		if param.Value == "" || param.Name == "_format" {
			continue
		}
		if seen[param.Name] && param.Name != "_type" {
			return nil, fhir.Fault(400, "invalid", "%s stands twice.", param.Name)
		}
		seen[param.Name] = true
		if err := e.param(s, param); err != nil {
			return nil, err
		}
		e.ask.Plan.Used = append(e.ask.Plan.Used, param)
	}
	slices.Sort(e.Types)
	e.Types = slices.Compact(e.Types)
	if _, err := s.Index.ClinicalDate("Observation", e.start, e.end); err != nil {
		return nil, fhir.Fault(400, "value", "start and end are dates, not %q and %q.", e.start, e.end)
	}
	if _, err := e.recorded(s.Index, owner.Type); err != nil {
		return nil, fhir.Fault(400, "value", "_since is an instant, not %q.", e.since[0])
	}
	return e, nil
}

// Used are the parameters of this page, those of its token included.
func (e *EverythingRequest) Used() []Param { return e.ask.Plan.Used }

// param reads one parameter.
func (e *EverythingRequest) param(s *Service, param Param) error {
	dated := e.Owner.Type == "Patient" // an Encounter has no start and end (OPER-014)
	switch {
	case param.Modifier != "":
		return notSupported(param, "is not supported")
	case param.Name == "_pretty": // for later pages; how it is written is its caller's
	case param.Name == "start" && dated:
		e.start = param.Value
	case param.Name == "end" && dated:
		e.end = param.Value
	case param.Name == "_since":
		e.since = []string{"ge" + param.Value}
	case param.Name == "_type":
		for _, typ := range strings.Split(param.Value, ",") {
			if !r4.IsResource(typ) {
				return fhir.Fault(400, "value", "_type: there is no resource type %q.", typ)
			}
			e.Types = append(e.Types, typ)
		}
	case param.Name == "_count":
		n, err := strconv.Atoi(param.Value)
		if err != nil || n < 0 {
			return fhir.Fault(400, "value", "_count is not a whole number: %q.", param.Value)
		}
		e.count, e.only = min(n, s.Limits.PageMaximum), n == 0
	default:
		return notSupported(param, "is no parameter of $everything")
	}
	return nil
}

// takes reports whether resources of a type are wanted, and the token may search
// them (SMART-295).
func (e *EverythingRequest) takes(v *consent.View, typ string) bool {
	_, named := slices.BinarySearch(e.Types, typ)
	return (named || e.Types == nil) && v.Grant().May(typ, "s")
}

// recorded is what _since asks of a type.
func (e *EverythingRequest) recorded(x *index.Indexer, typ string) (store.Pred, error) {
	if e.since == nil {
		return store.And{}, nil
	}
	return x.Predicate(index.Query{Type: typ, Name: "_lastUpdated", Values: e.since})
}

// RunEverythingPage makes the answer of one page: the owner by the letter r of its
// request, all else by s. It returns store.ErrNotFound where the owner is not
// there or hidden, on whatever page.
func (s *Service) RunEverythingPage(ctx context.Context, v *consent.View, e *EverythingRequest) (*Answer, error) {
	owner, err := v.Get(ctx, e.Owner)
	if err != nil {
		return nil, err
	}
	if owner.Deleted() {
		return nil, store.ErrNotFound
	}
	w := &walk{EverythingRequest: e, view: v.WithPermission("s"), owner: owner}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	page := &Page{seen: e.ask.seen}
	if !e.only {
		if err := w.page(ctx, page, s.Limits.IncludesPerPage); err != nil {
			return nil, fmt.Errorf("everything: %w", err)
		}
	}
	if e.only || e.ask.Token == "" {
		if err := w.total(ctx, page); err != nil {
			return nil, fmt.Errorf("count everything: %w", err)
		}
	}
	return s.bundle(ctx, v, e.ask, page)
}
