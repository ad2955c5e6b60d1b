package join

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/store"
)

// Stream yields the documents of a type that satisfy a predicate and nodes, in the order of the
// store and from any position on, without knowing all targets of the joins. Its memory does
// not grow with the record.
//
// A Stream scans the record in one of two ways, both in the same order, so it can change between
// them at any row. The forward scan reads the rows that an index proposes for the predicate,
// and evaluates the joins for chunks of rows. The reverse scan begins at the far end of a join to or
// from a Patient: the documents that refer to a Patient are in that Patient's partition, or
// have a key that says that they are not (index.CrossPartitionRefs). Which scan is cheaper depends
// on which condition is rarer. The Stream tries both and continues with the one that covered more
// partitions per document read (see execution).
type Stream struct {
	exec     *Executor
	typ      string
	where    store.And // conditions without joins
	drives   bool      // an index can propose candidates for where
	joins    []Node
	pageRows bool // yields the rows of a page, not those at the far end of another join
	pageSize int  // rows that the page needs; 0 if unknown
}

// PageStream returns the Stream of a page of pageSize rows. drives reports that an index can
// propose candidates for where.
func (e *Executor) PageStream(ctx context.Context, typ string, where store.Pred, nodes []Node, drives bool, pageSize int) (*Stream, error) {
	s, err := e.newStream(ctx, typ, where, nodes, drives)
	if err != nil {
		return nil, err
	}
	s.pageRows, s.pageSize = true, pageSize
	return s, nil
}

// newStream resolves all nodes that follow no reference.
func (e *Executor) newStream(ctx context.Context, typ string, where store.Pred, nodes []Node, drives bool) (*Stream, error) {
	s := &Stream{exec: e, typ: typ, where: store.And{where}, drives: drives}
	for _, n := range nodes {
		n, err := e.resolveLocal(ctx, n)
		if err != nil {
			return nil, err
		}
		s.add(n)
	}
	return s, nil
}

func (s *Stream) add(n Node) {
	switch n := n.(type) {
	case Leaf:
		s.where = append(s.where, n.Pred)
		s.drives = s.drives || n.Drives
	case All:
		for _, member := range n {
			s.add(member)
		}
	case Chain, Has, Coded, ListMembers, Any, Not:
		s.joins = append(s.joins, n)
	}
}

// Driven reports whether an index can propose candidates for one of the two scans. A search for
// which it is false walks a type under the scan limit (LIM-004), which a Stream does not do.
func (s *Stream) Driven() bool { return s.drives || Drivable(s.joins) }

// scan yields the documents after a position that satisfy all conditions without joins; nil
// partitions mean all.
func (s *Stream) scan(ctx context.Context, after *store.RowID, partitions []store.Partition, more ...store.Pred) iter.Seq2[store.Doc, error] {
	q := store.Query{Type: s.typ, Where: append(slices.Clone(s.where), more...), After: after, Partitions: partitions, KeysOnly: true}
	if s.pageRows {
		return s.exec.view.Scan(ctx, q)
	}
	return s.exec.scan(ctx, q)
}

// Rows yields the documents after a position, without bodies; nil is the start.
func (s *Stream) Rows(ctx context.Context, after *store.RowID) iter.Seq2[store.Doc, error] {
	if len(s.joins) == 0 {
		return s.scan(ctx, after, nil)
	}
	return func(yield func(store.Doc, error) bool) {
		x := &execution{Stream: *s, position: after, yield: func(d store.Doc) bool { return yield(d, nil) }}
		reverse, err := x.newReverseScan(ctx)
		if err == nil {
			x.reverse = reverse
			defer x.stop()
			err = x.run(ctx)
		}
		if err != nil {
			yield(store.Doc{}, fmt.Errorf("evaluate the joins of %s: %w", s.typ, err))
		}
	}
}

// Satisfying returns those of some visible documents of the type, with keys, that satisfy all conditions. It changes docs.
func (s *Stream) Satisfying(ctx context.Context, docs []store.Doc) ([]store.Doc, error) {
	docs = slices.DeleteFunc(docs, func(d store.Doc) bool { return !store.Match(s.where, d.Keys) })
	return s.exec.satisfying(ctx, docs, s.joins)
}

// ends collects the documents of a type that satisfy a node, without bodies. It is incomplete if there are more than max,
// or no index can propose them.
func (e *Executor) ends(ctx context.Context, typ string, n Node, max int) (found []store.Doc, complete bool, err error) {
	ends, err := e.newStream(ctx, typ, store.And{}, []Node{n}, false)
	if err != nil || !ends.Driven() {
		return nil, false, err
	}
	for d, err := range ends.Rows(ctx, nil) {
		if err != nil || len(found) == max {
			return nil, false, err
		}
		found = append(found, d)
	}
	return found, true, nil
}
