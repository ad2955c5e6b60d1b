package search

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// fewest is how many rows the rest of a question may leave for its hops to be
// asked from them, and not over the whole record.
const fewest = 100

// How many resources one question names.
const (
	atOnce = 100 // of those that are looked up
	merged = 16  // of those to which something refers: engines merge the postings of so many
)

// first and most are of how many documents hops are followed at once: of a few at
// first, since a page may need no more.
func (j *joiner) first() int { return max(1, j.lim.Hop) }
func (j *joiner) most() int  { return 16 * j.first() }

// few are documents, their keys alone. Contained resources among them have no id.
type few struct{ docs []store.Doc }

// few returns the rows that the rest of a part leaves, or nil where it leaves
// many, or does not say what must be there.
func (j *joiner) few(ctx context.Context, part TypeQuery, driven bool) (*few, error) {
	if !driven {
		return nil, nil
	}
	out := &few{}
	for d, err := range j.view.Scan(ctx, store.Query{Type: part.Type, Where: part.Where, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("gather %s for a hop: %w", part.Type, err)
		}
		if len(out.docs) == fewest {
			return nil, nil
		}
		out.docs = append(out.docs, d)
	}
	return out, nil
}

// along is a chain asked from a few rows: of the targets that they name, chunk by
// chunk, and of what they contain.
func (j *joiner) along(ctx context.Context, c chain, from *few) (store.Pred, error) {
	x := j.view.Index()
	named, inside := ids{}, &few{}
	for _, d := range from.docs {
		held, err := x.ContainedKeys(c.typ, c.param, c.target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, keys := range held {
			inside.docs = append(inside.docs, store.Doc{Ref: store.Ref{Type: c.target}, Keys: keys})
		}
		to, err := x.ReferredIDs(c.typ, c.param, c.target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			named[id] = true
		}
	}
	found := ids{}
	for chunk := range slices.Chunk(named.list(), atOnce) {
		targets, err := j.fit(ctx, c.target, chunk, c.inner)
		if err != nil {
			return nil, err
		}
		for _, d := range targets {
			found[d.Ref.ID] = true
		}
	}
	points, err := x.RefersToOneOf(c.typ, c.param, c.target, found, found.list())
	if err != nil || len(inside.docs) == 0 {
		return points, err
	}
	pred, err := c.inner.resolve(ctx, j, inside)
	if err != nil {
		return nil, err
	}
	within, err := x.RefersToContained(c.typ, c.param, c.target, pred)
	return store.Or{points, within}, err
}

// fit returns those of some resources of a type that the View shows and that
// satisfy a node, their keys alone. They are asked for by their ids alone: an engine may
// take anything else that drives for the better way, and walk it over all the record.
func (j *joiner) fit(ctx context.Context, typ string, names []string, n node) ([]store.Doc, error) {
	q, err := naming(j.view.Index(), typ, names)
	if err != nil {
		return nil, err
	}
	q.KeysOnly = true
	var docs []store.Doc
	for d, err := range j.other(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", typ, err)
		}
		docs = append(docs, d)
	}
	return j.satisfying(ctx, docs, []node{n})
}

// naming is the one question for some resources of a type, at most a thousand. Where
// Patients stand is known by their ids.
func naming(x *index.Indexer, typ string, names []string) (store.Query, error) {
	set := ids{}
	for _, id := range names {
		set[id] = true
	}
	q := store.Query{Type: typ}
	var err error
	if typ == "Patient" {
		q.Partitions = placesOf(names)
		q.Where, err = x.IDIn(typ, set)
	} else {
		q.Where, err = x.IDOneOf(typ, set, names)
	}
	return q, err
}

// placesOf are the places of Patients, sorted.
func placesOf(patients []string) []store.Partition {
	out := make([]store.Partition, len(patients))
	for i, id := range patients {
		out[i] = index.PartitionOf(id)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// referring is what refers to a few rows and satisfies the rest of a _has.
func (j *joiner) referring(ctx context.Context, h has, to *few) (store.Pred, error) {
	rows, found := ids{}, ids{}
	for _, d := range to.docs {
		if d.Ref.ID != "" { // nothing refers to a contained resource
			rows[d.Ref.ID] = true
		}
	}
	where, nodes := store.Pred(store.And{}), []node{h.inner}
	if !hops(h.inner) {
		pred, err := h.inner.resolve(ctx, j, nil)
		if err != nil {
			return nil, err
		}
		where, nodes = pred, nil
	}
	for chunk := range slices.Chunk(rows.list(), merged) {
		points, err := j.view.Index().RefersToOneOf(h.typ, h.param, h.here, rows, chunk)
		if err != nil {
			return nil, err
		}
		docs := j.other(ctx, store.Query{Type: h.typ, Where: store.And{points, where}, KeysOnly: true})
		for d, err := range j.follow(ctx, docs, nodes) {
			if err != nil {
				return nil, fmt.Errorf("look what refers to a few rows: %w", err)
			}
			to, err := j.view.Index().ReferredIDs(h.typ, h.param, h.here, d.Keys)
			if err != nil {
				return nil, err
			}
			for _, id := range to {
				if rows[id] {
					found[id] = true
				}
			}
		}
	}
	return j.view.Index().IDOneOf(h.here, found, found.list())
}

// follow yields those of some documents of a type, their keys alone and in their
// order, that satisfy nodes. Hops are asked from the documents, chunk by chunk.
func (j *joiner) follow(ctx context.Context, docs iter.Seq2[store.Doc, error], nodes []node) iter.Seq2[store.Doc, error] {
	if len(nodes) == 0 {
		return docs
	}
	return func(yield func(store.Doc, error) bool) {
		var chunk []store.Doc
		leave := func() bool {
			fit, err := j.satisfying(ctx, chunk, nodes)
			if err != nil {
				yield(store.Doc{}, err)
				return false
			}
			chunk = nil
			for _, d := range fit {
				if !yield(d, nil) {
					return false
				}
			}
			return true
		}
		size := j.first()
		for d, err := range docs {
			if err != nil {
				yield(d, err)
				return
			}
			if chunk = append(chunk, d); len(chunk) == size {
				size = min(2*size, j.most())
				if !leave() {
					return
				}
			}
		}
		leave()
	}
}

// satisfying returns those of a few documents that satisfy nodes.
func (j *joiner) satisfying(ctx context.Context, docs []store.Doc, nodes []node) ([]store.Doc, error) {
	for _, n := range nodes {
		if len(docs) == 0 {
			break
		}
		pred, err := n.resolve(ctx, j, &few{docs})
		if err != nil {
			return nil, err
		}
		docs = slices.DeleteFunc(docs, func(d store.Doc) bool { return !store.Match(pred, d.Keys) })
	}
	return docs, nil
}

// whole yields documents whose keys are known with their bodies, so many at once.
func (j *joiner) whole(ctx context.Context, typ string, docs iter.Seq2[store.Doc, error], size int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		var names []string
		leave := func() bool {
			if len(names) == 0 {
				return true
			}
			q, err := naming(j.view.Index(), typ, names)
			if err != nil {
				yield(store.Doc{}, err)
				return false
			}
			n := len(names)
			names = nil
			for d, err := range j.view.Scan(ctx, q) {
				if n--; !yield(d, err) || err != nil {
					return false
				}
			}
			if n > 0 {
				yield(store.Doc{}, fmt.Errorf("%d rows of a page are gone: %w", n, store.ErrUnavailable))
			}
			return n == 0
		}
		for d, err := range docs {
			if err != nil {
				yield(d, err)
				return
			}
			if names = append(names, d.Ref.ID); len(names) == size && !leave() {
				return
			}
		}
		leave()
	}
}
