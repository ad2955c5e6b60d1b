package search

import (
	"context"
	"errors"
	"fmt"

	"carerecord/store"
)

// fewest is how many rows the rest of a question may leave for its hops to be
// asked from them, and not over the whole record; ten times as many documents
// may stand at the other end of a hop.
const fewest = 100

// few are documents, their keys alone. Contained resources among them have no id.
type few struct{ docs []store.Doc }

// few returns the rows that the rest of a part leaves, or nil where it leaves
// many, or does not say what must be there.
func (j *joiner) few(ctx context.Context, part Part, driven bool) (*few, error) {
	if !driven {
		return nil, nil
	}
	return j.gather(ctx, store.Query{Type: part.Type, Where: part.Where, KeysOnly: true}, fewest)
}

// gather returns the documents that match, or nil where there are more than max.
func (j *joiner) gather(ctx context.Context, q store.Query, max int) (*few, error) {
	out := &few{}
	for d, err := range j.view.Scan(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("gather %s for a hop: %w", q.Type, err)
		}
		if len(out.docs) == max {
			return nil, nil
		}
		out.docs = append(out.docs, d)
	}
	return out, nil
}

// targets are the documents that a chain leads to from few, or nil where these
// are many.
func (j *joiner) targets(ctx context.Context, c chain, from *few) (*few, error) {
	if from == nil {
		return nil, nil
	}
	named, out := ids{}, &few{}
	for _, d := range from.docs {
		inside, err := j.view.Index().Inside(c.typ, c.param, c.target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, keys := range inside {
			out.docs = append(out.docs, store.Doc{Ref: store.Ref{Type: c.target}, Keys: keys})
		}
		to, err := j.view.Index().Pointees(c.typ, c.param, c.target, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			named[id] = true
		}
	}
	if len(named)+len(out.docs) > 10*fewest {
		return nil, nil
	}
	for _, id := range named.list() {
		d, err := j.view.Get(ctx, store.Ref{Type: c.target, ID: id})
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("follow a hop: %w", err)
		case !d.Dead():
			out.docs = append(out.docs, d)
		}
	}
	return out, nil
}

// referring is what refers to a few rows and satisfies the rest of a _has.
func (j *joiner) referring(ctx context.Context, h has, to *few) (store.Pred, error) {
	rows := ids{}
	for _, d := range to.docs {
		if d.Ref.ID != "" { // nothing refers to a contained resource
			rows[d.Ref.ID] = true
		}
	}
	points, err := j.view.Index().PointsTo(h.typ, h.param, h.here, rows, rows.list())
	if err != nil {
		return nil, err
	}
	from := (*few)(nil)
	switch h.inner.(type) {
	case chain, has:
		if from, err = j.gather(ctx, store.Query{Type: h.typ, Where: points, KeysOnly: true}, 10*fewest); err != nil {
			return nil, err
		}
	}
	pred, err := h.inner.resolve(ctx, j, from)
	if err != nil {
		return nil, err
	}
	found := ids{}
	for d, err := range j.view.Scan(ctx, store.Query{Type: h.typ, Where: store.And{points, pred}, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look what refers to a few rows: %w", err)
		}
		to, err := j.view.Index().Pointees(h.typ, h.param, h.here, d.Keys)
		if err != nil {
			return nil, err
		}
		for _, id := range to {
			if rows[id] {
				found[id] = true
			}
		}
	}
	return j.view.Index().OneOf(h.here, found, found.list())
}
