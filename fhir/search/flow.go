package search

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/store"
)

// flow is the documents of a type that satisfy a question with hops, in the order of
// the store and from any place on, without knowing all that the hops lead to. What it
// holds in memory does not grow with the record.
//
// There are two ways to its rows, and both go through the record in the same order,
// so each may go on where the other is. The near way takes what the question itself
// proposes and follows the hops from there, chunk by chunk. The far way begins at the
// other end of a hop to or from a Patient: what refers to a Patient stands in that
// Patient's place, or is known to stand elsewhere (index.Stray). Which is better
// depends on what is rarer; the flow tries both and goes on by the one that has come
// further for each document that it looked at.
type flow struct {
	j     *joiner
	typ   string
	where store.And // what no hop decides
	// drives: an index is driven by where.
	drives bool
	nodes  []node // hops
	own    bool   // its rows are those of the page, and not at the end of a hop
	want   int    // rows that a page takes; 0 for not known
}

// flow prepares a flow: whatever is no hop is resolved.
func (j *joiner) flow(ctx context.Context, part TypeQuery, drives bool, nodes []node) (*flow, error) {
	f := &flow{j: j, typ: part.Type, where: store.And{part.Where}, drives: drives}
	for _, n := range nodes {
		n, err := j.settle(ctx, n)
		if err != nil {
			return nil, err
		}
		f.add(n)
	}
	return f, nil
}

func (f *flow) add(n node) {
	switch n := n.(type) {
	case leaf:
		f.where = append(f.where, n.pred)
		f.drives = f.drives || n.drives
	case every:
		for _, of := range n {
			f.add(of)
		}
	default:
		f.nodes = append(f.nodes, n)
	}
}

// settle resolves whatever of a node is no hop.
func (j *joiner) settle(ctx context.Context, n node) (node, error) {
	if !hops(n) {
		pred, err := n.resolve(ctx, j, nil)
		return leaf{pred, n.positive()}, err
	}
	all := func(list []node) ([]node, error) {
		out := make([]node, len(list))
		var err error
		for i := range list {
			if out[i], err = j.settle(ctx, list[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	var err error
	switch n := n.(type) {
	case chain:
		n.inner, err = j.settle(ctx, n.inner)
		return n, err
	case has:
		n.inner, err = j.settle(ctx, n.inner)
		return n, err
	case none:
		n.of, err = j.settle(ctx, n.of)
		return n, err
	case every:
		list, err := all(n)
		return every(list), err
	case some:
		list, err := all(n)
		return some(list), err
	}
	return n, nil
}

// hops reports whether a node leads to other resources by references.
func hops(n node) bool {
	switch n := n.(type) {
	case chain, has:
		return true
	case every:
		return slices.ContainsFunc(n, hops)
	case some:
		return slices.ContainsFunc(n, hops)
	case none:
		return hops(n.of)
	}
	return false
}

// promising reports whether a node has an end from which an index can drive.
func promising(n node) bool {
	switch n := n.(type) {
	case chain:
		return promising(n.inner)
	case has:
		return promising(n.inner)
	case every:
		return slices.ContainsFunc(n, promising)
	case some:
		return !slices.ContainsFunc(n, func(n node) bool { return !promising(n) })
	}
	return n.positive()
}

// streams reports whether an index drives one of the ways. Else the type, or one at
// the end of a hop, is walked under scan maximum (LIM-004), which a flow does not.
func (f *flow) streams() bool { return f.drives || slices.ContainsFunc(f.nodes, promising) }

// mayStream: the rows are wanted in the order of the store, a page of them.
func (p *Plan) mayStream() bool {
	return p.joins != nil && len(p.Types) == 1 && p.latest == 0 && len(p.Sort) == 0 && !p.CountOnly && p.Total != TotalAccurate && p.Named.None()
}

// scan yields what the question proposes, hops left out, behind a place; nil places
// for all.
func (f *flow) scan(ctx context.Context, after *store.RowID, places []store.Partition, more ...store.Pred) iter.Seq2[store.Doc, error] {
	q := store.Query{Type: f.typ, Where: append(slices.Clone(f.where), more...), After: after, Partitions: places, KeysOnly: true}
	if f.own {
		return f.j.view.Scan(ctx, q)
	}
	return f.j.other(ctx, q)
}

// rows yields the documents behind a place, their keys alone.
func (f *flow) rows(ctx context.Context, after *store.RowID) iter.Seq2[store.Doc, error] {
	if len(f.nodes) == 0 {
		return f.scan(ctx, after, nil)
	}
	return func(yield func(store.Doc, error) bool) {
		far, err := f.far(ctx)
		if err == nil {
			p := &pass{flow: *f, at: after, far: far, yield: func(d store.Doc) bool { return yield(d, nil) }}
			if far != nil {
				far.flow = &p.flow
			}
			defer p.stop()
			err = p.run(ctx)
		}
		if err != nil {
			yield(store.Doc{}, fmt.Errorf("follow the hops of %s: %w", f.typ, err))
		}
	}
}

// fewDriven is of how many ids an index can be driven.
const fewDriven = 1000

// implied is what a node implies, in a way that an index can drive by: of a hop, that it
// leads to one of a few ids; nil for what implies nothing, or more of them than most.
// The node itself is still to be followed.
func (f *flow) implied(ctx context.Context, n node, most int) (store.Pred, error) {
	x := f.j.view.Index()
	switch n := n.(type) {
	case leaf:
		if n.drives {
			return n.pred, nil
		}
	case chain:
		to, few, err := f.ends(ctx, n.target, n.inner, most, func(d store.Doc) ([]string, error) { return []string{d.Ref.ID}, nil })
		if !few || err != nil {
			return nil, err
		}
		points, err := x.RefersToOneOf(n.typ, n.param, n.target, to, to.list())
		if err != nil {
			return nil, err
		}
		holds, err := x.HasContained(n.typ, n.param, n.target)
		return store.Or{points, holds}, err
	case has:
		to, few, err := f.ends(ctx, n.typ, n.inner, most, func(d store.Doc) ([]string, error) {
			return x.ReferredIDs(n.typ, n.param, n.here, d.Keys)
		})
		if !few || err != nil {
			return nil, err
		}
		return x.IDOneOf(n.here, to, to.list())
	case every:
		for _, of := range n {
			if pred, err := f.implied(ctx, of, most); pred != nil || err != nil {
				return pred, err
			}
		}
	case some:
		any := make(store.Or, len(n))
		for i, of := range n {
			pred, err := f.implied(ctx, of, most)
			if pred == nil || err != nil {
				return nil, err
			}
			any[i] = pred
		}
		return any, nil
	}
	return nil, nil
}

// ends are the ids at the end of a hop of the documents that satisfy the rest of it,
// where these are at most so many.
func (f *flow) ends(ctx context.Context, typ string, inner node, most int, of func(store.Doc) ([]string, error)) (ids, bool, error) {
	g, err := f.j.flow(ctx, TypeQuery{typ, store.And{}}, false, []node{inner})
	if err != nil || !g.streams() {
		return nil, false, err
	}
	found, n := ids{}, 0
	for d, err := range g.rows(ctx, nil) {
		if err != nil {
			return nil, false, err
		}
		list, err := of(d)
		if n++; err != nil || n > most || len(found) > most {
			return nil, false, err
		}
		for _, id := range list {
			found[id] = true
		}
	}
	return found, len(found) <= most, nil
}
