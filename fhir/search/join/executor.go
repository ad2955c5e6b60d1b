package join

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/term"
	"carerecord/store"
)

// Limits bound what one search may read (LIM-001).
type Limits struct {
	Hop       int // rows of the first chunk whose joins are evaluated together; at least 1
	Scan      int // documents that Walk may read
	Expansion int // codes of an expanded value set
}

// Executor evaluates nodes on one View. It is for one goroutine and no longer valid than the
// View.
type Executor struct {
	view  *consent.View
	lim   Limits
	terms *term.Terms
}

// New returns an Executor that reads through a View. The View must be limited to the
// permission s (View.WithPermission).
func New(v *consent.View, lim Limits) *Executor {
	e := &Executor{view: v, lim: lim}
	e.terms = &term.Terms{Find: e.findTerminology, Most: lim.Expansion}
	return e
}

// Resolve returns the predicate of a type: where, and all nodes. driven reports that an index can
// propose candidates for where.
func (e *Executor) Resolve(ctx context.Context, typ string, where store.Pred, nodes []Node, driven bool) (store.Pred, error) {
	out := store.And{where}
	among, err := e.candidates(ctx, typ, where, driven)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		pred, err := n.resolve(ctx, e, among)
		if err != nil {
			return nil, err
		}
		out = append(out, pred)
	}
	return out, nil
}

// resolveLocal replaces every node that follows no reference by the Leaf that it resolves to.
func (e *Executor) resolveLocal(ctx context.Context, n Node) (Node, error) {
	if !followsReferences(n) {
		pred, err := n.resolve(ctx, e, nil)
		return Leaf{Pred: pred, Drives: n.Affirms(), expanded: true}, err
	}
	inner := n.inner()
	out := make([]Node, len(inner))
	for i := range inner {
		var err error
		if out[i], err = e.resolveLocal(ctx, inner[i]); err != nil {
			return nil, err
		}
	}
	return n.withInner(out), nil
}

// each calls f with the keys of every visible document of a type that satisfies a predicate.
// affirms reports that an index can propose candidates; else the type is walked.
func (e *Executor) each(ctx context.Context, typ string, pred store.Pred, affirms bool, f func(store.Doc) error) error {
	q := store.Query{Type: typ, Where: pred, KeysOnly: true}
	rows := e.scan(ctx, q)
	if !affirms {
		rows = Walk(ctx, e.view, q, e.lim.Scan)
	}
	for d, err := range rows {
		if err == nil {
			err = f(d)
		}
		if err != nil {
			return fmt.Errorf("join %s: %w", typ, err)
		}
	}
	return nil
}

// scan reads documents at the far end of a join.
func (e *Executor) scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	//law:chain-scan
	return e.view.Scan(ctx, q)
}

// Walk yields the rows of a query by reading the visible documents of its type one by one,
// at most max of them. Hidden documents are not counted, so they do not decide whether a search is
// refused as too costly (LIM-004).
func Walk(ctx context.Context, v *consent.View, q store.Query, max int) iter.Seq2[store.Doc, error] {
	where := q.Where
	q.Where = store.And{}
	return func(yield func(store.Doc, error) bool) {
		seen := 0
		for d, err := range v.Scan(ctx, q) {
			if seen++; err == nil && seen > max {
				err = fhir.Fault(400, "too-costly", "The search would have to read more than %d resources. Add a parameter that narrows it, or name a patient.", max)
			}
			if err == nil && !store.Match(where, d.Keys) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// Fault returns the client's error for an error of package index about a parameter. Any other
// error is returned with the name of the parameter.
func Fault(err error, param string) error {
	var e *index.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("plan %s: %w", param, err)
	}
	code := e.Code
	if code == "not-found" {
		code = "not-supported"
	}
	return fhir.Fault(400, code, "%s", e.Text)
}
