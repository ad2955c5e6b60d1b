package join

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// maxCandidates is how many rows the other filters may leave for a join to be resolved from
// these rows instead of over the whole record.
const maxCandidates = 100

// Sizes of one query.
const (
	LookupChunk   = 100 // ids that are looked up together
	ReferrerChunk = 16  // ids whose referrers are found together: engines merge the postings of so many
)

// firstChunk and maxChunk are the first and the largest number of rows whose joins are evaluated
// together: few at first, since a page may need no more.
func (e *Executor) firstChunk() int { return max(1, e.lim.Hop) }
func (e *Executor) maxChunk() int   { return 16 * e.firstChunk() }

// candidates are the rows that the other filters leave, with keys and without bodies. Contained
// resources among them have no id.
type candidates struct{ docs []store.Doc }

// candidates returns the rows of a type that satisfy a predicate, or nil if these are more than
// maxCandidates or no index can propose them.
func (e *Executor) candidates(ctx context.Context, typ string, where store.Pred, driven bool) (*candidates, error) {
	if !driven {
		return nil, nil
	}
	out := &candidates{}
	for d, err := range e.view.Scan(ctx, store.Query{Type: typ, Where: where, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("collect the candidates of %s: %w", typ, err)
		}
		if len(out.docs) == maxCandidates {
			return nil, nil
		}
		out.docs = append(out.docs, d)
	}
	return out, nil
}

// lookUp returns those documents with the given ids that the View shows and that satisfy a node,
// without bodies. The query only has the ids: given another driving key, an engine might scan all
// its postings.
func (e *Executor) lookUp(ctx context.Context, typ string, ids []string, n Node) ([]store.Doc, error) {
	q, err := byIDs(e.view.Index(), typ, ids)
	if err != nil {
		return nil, err
	}
	q.KeysOnly = true
	var docs []store.Doc
	for d, err := range e.scan(ctx, q) {
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", typ, err)
		}
		docs = append(docs, d)
	}
	return e.satisfying(ctx, docs, []Node{n})
}

// byIDs returns the query for documents of a type by id, at most a thousand.
func byIDs(x *index.Indexer, typ string, ids []string) (store.Query, error) {
	set := idSet{}
	for _, id := range ids {
		set[id] = true
	}
	where, err := x.IDOneOf(typ, set, ids)
	return store.Query{Type: typ, Where: where}, err
}

// filter yields those documents of a sequence that satisfy nodes, in their order. The documents
// have keys and need no bodies. Joins are evaluated for chunks of documents.
func (e *Executor) filter(ctx context.Context, docs iter.Seq2[store.Doc, error], nodes []Node) iter.Seq2[store.Doc, error] {
	if len(nodes) == 0 {
		return docs
	}
	return func(yield func(store.Doc, error) bool) {
		var chunk []store.Doc
		flush := func() bool {
			matching, err := e.satisfying(ctx, chunk, nodes)
			if err != nil {
				yield(store.Doc{}, err)
				return false
			}
			chunk = nil
			for _, d := range matching {
				if !yield(d, nil) {
					return false
				}
			}
			return true
		}
		size := e.firstChunk()
		for d, err := range docs {
			if err != nil {
				yield(d, err)
				return
			}
			if chunk = append(chunk, d); len(chunk) == size {
				size = min(2*size, e.maxChunk())
				if !flush() {
					return
				}
			}
		}
		flush()
	}
}

// satisfying returns those of a few documents that satisfy all nodes. It reuses the slice.
func (e *Executor) satisfying(ctx context.Context, docs []store.Doc, nodes []Node) ([]store.Doc, error) {
	for _, n := range nodes {
		if len(docs) == 0 {
			break
		}
		pred, err := n.resolve(ctx, e, &candidates{docs})
		if err != nil {
			return nil, err
		}
		docs = slices.DeleteFunc(docs, func(d store.Doc) bool { return !store.Match(pred, d.Keys) })
	}
	return docs, nil
}

// WithBodies yields the documents of a sequence with their bodies, reading size of them at once. A
// document that is no longer there is store.ErrUnavailable: the snapshot does not change.
func (e *Executor) WithBodies(ctx context.Context, typ string, docs iter.Seq2[store.Doc, error], size int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		var ids []string
		flush := func() bool {
			if len(ids) == 0 {
				return true
			}
			q, err := byIDs(e.view.Index(), typ, ids)
			if err != nil {
				yield(store.Doc{}, err)
				return false
			}
			missing := len(ids)
			ids = nil
			for d, err := range e.view.Scan(ctx, q) {
				if missing--; !yield(d, err) || err != nil {
					return false
				}
			}
			if missing > 0 {
				yield(store.Doc{}, fmt.Errorf("%d rows of a page are missing: %w", missing, store.ErrUnavailable))
			}
			return missing == 0
		}
		for d, err := range docs {
			if err != nil {
				yield(d, err)
				return
			}
			if ids = append(ids, d.Ref.ID); len(ids) == size && !flush() {
				return
			}
		}
		flush()
	}
}
