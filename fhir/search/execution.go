package search

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// execution is one run of a Query on one View, for one goroutine.
//
// Invariant: rows come either from resolved, whose predicates include the resolved joins, or from
// stream, which yields the rows of the only type; never from the predicates of the Query itself.
type execution struct {
	*Query
	view     *consent.View
	lim      Limits
	resolved []TypeQuery // of each type, joins included; nil with stream
	stream   *join.Stream
	joiner   *join.Executor
}

// Run returns the page after a cursor. It returns *fhir.Error of status 400 for a search that is too
// costly, and the store's errors.
func (q *Query) Run(ctx context.Context, v *consent.View, at Cursor, lim Limits) (*Page, error) {
	page := &Page{}
	v = v.WithPermission("s").WithIndexer(q.x)
	//law:search-letter
	if err := q.unambiguous(ctx, v); err != nil {
		return nil, err
	}
	x, err := q.prepare(ctx, v, lim, q.mayStream())
	if err != nil {
		return nil, err
	}
	if q.latest > 0 {
		return page, x.lastOfEach(ctx, page)
	}
	if q.CountOnly {
		return page, x.total(ctx, at, page)
	}
	rows := x.inOrder
	switch {
	case len(q.Sort) > 0:
		rows = x.sorted
	case x.groupsPersons():
		rows = x.personsInOrder
	}
	if err := rows(ctx, at, page); err != nil {
		return nil, err
	}
	if err := x.total(ctx, at, page); err != nil {
		return nil, err
	}
	if err := x.warnOfVersions(ctx, page); err != nil {
		return nil, err
	}
	//law:page-filled
	return page, x.include(ctx, page)
}

// Resolve returns the predicate of a search of one type with its joins evaluated on a View. It is only
// valid for that View.
func (q *Query) Resolve(ctx context.Context, v *consent.View, lim Limits) (store.Pred, error) {
	x, err := q.prepare(ctx, v, lim, false)
	if err != nil {
		return nil, err
	}
	return x.resolved[0].Where, nil
}

// prepare evaluates the joins, or leaves them to a stream if the rows may be streamed and an index can
// drive it.
func (q *Query) prepare(ctx context.Context, v *consent.View, lim Limits, mayStream bool) (*execution, error) {
	x := &execution{Query: q, view: v, lim: lim, resolved: slices.Clone(q.Types)}
	for i := range x.resolved {
		var err error
		if x.resolved[i].Where, err = v.Expand(ctx, x.resolved[i].Where); err != nil {
			return nil, err
		}
	}
	if q.joins == nil {
		return x, nil
	}
	//law:join-letter
	x.joiner = join.New(v.WithPermission("s").WithIndexer(q.x), join.Limits{Hop: lim.Hop, Scan: lim.ScanMaximum, Expansion: lim.ExpansionMaximum})
	if mayStream {
		s, err := x.joiner.PageStream(ctx, q.Type(), x.resolved[0].Where, q.joins[0], q.driven, q.Count+1)
		if err != nil {
			return nil, err
		}
		if s.Driven() {
			x.resolved, x.stream = nil, s
			return x, nil
		}
	}
	for i, nodes := range q.joins {
		var err error
		t := &x.resolved[i]
		if t.Where, err = x.joiner.Resolve(ctx, t.Type, t.Where, nodes, q.driven || !q.Named.None()); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// mayStream reports whether a page takes its rows in the order of the store, without a total.
func (q *Query) mayStream() bool {
	return q.joins != nil && len(q.Types) == 1 && q.latest == 0 && len(q.Sort) == 0 && !q.CountOnly && q.Total != TotalAccurate && q.Named.None()
}

// needsWalk reports whether every visible document of the types has to be read: no filter demands that
// something is present, and no patient is named (LIM-004).
func (q *Query) needsWalk() bool { return q.filters > 0 && !q.affirmative && q.Named.None() }

// scan yields the rows of all types in the order of the store.
func (x *execution) scan(ctx context.Context, after *store.RowID, keysOnly bool) iter.Seq2[store.Doc, error] {
	if x.stream != nil {
		return x.joiner.WithBodies(ctx, x.Type(), x.stream.Rows(ctx, after), min(x.Count+1, join.LookupChunk))
	}
	streams := make([]iter.Seq2[store.Doc, error], len(x.resolved))
	for i, t := range x.resolved {
		q := store.Query{Type: t.Type, Where: t.Where, After: after, KeysOnly: keysOnly}
		if x.needsWalk() {
			streams[i] = join.Walk(ctx, x.view, q, x.lim.ScanMaximum)
		} else {
			streams[i] = x.view.Scan(ctx, q)
		}
	}
	if len(streams) == 1 {
		return streams[0]
	}
	return store.Merge(streams, store.ByRow)
}

// inOrder fills a page in the order of the store.
func (x *execution) inOrder(ctx context.Context, at Cursor, page *Page) error {
	for d, err := range x.scan(ctx, at.After, false) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if len(page.Matches) == x.Count {
			last := page.Matches[x.Count-1].RowID
			page.Next = &Cursor{After: &last}
			return nil
		}
		page.Matches = append(page.Matches, d)
		id := d.RowID // not the whole document
		page.Cursors = append(page.Cursors, Cursor{After: &id})
	}
	return nil
}

// total counts the matches if a total was requested, or if it costs little (SRCH-211). Except of a count alone, the rows of
// the page are known: where they are all, they are the total.
func (x *execution) total(ctx context.Context, at Cursor, page *Page) error {
	max := 0
	switch {
	case x.CountOnly || x.Total == TotalAccurate:
	case x.Total == TotalNone || at.After != nil:
		return nil
	case !x.Named.None():
	case x.countable:
		if max = x.lim.CountBudget + 1; x.groupsPersons() {
			max = min(max, personCountBudget+1)
		}
	default:
		return nil
	}
	total := 0
	if !x.CountOnly && at.After == nil && page.Next == nil {
		total = len(page.Matches)
		page.Total = &total
		return nil
	}
	for _, t := range x.resolved {
		n, err := x.count(ctx, t, max)
		if err != nil {
			return fmt.Errorf("count %s: %w", t.Type, err)
		}
		total += n
	}
	if max == 0 || total < max {
		page.Total = &total
	}
	return nil
}

// count counts the rows of a type, at most max of them if max > 0.
func (x *execution) count(ctx context.Context, t TypeQuery, max int) (int, error) {
	if x.groupsPersons() {
		return x.countPersons(ctx, max)
	}
	q := store.Query{Type: t.Type, Where: t.Where, KeysOnly: true}
	if !x.needsWalk() {
		return x.view.Count(ctx, q, max)
	}
	n := 0
	for _, err := range join.Walk(ctx, x.view, q, x.lim.ScanMaximum) {
		if err != nil {
			return 0, err
		}
		if n++; n == max {
			break
		}
	}
	return n, nil
}

// unambiguous refuses an id without a type that visible references of several types have (SRCH-103).
func (q *Query) unambiguous(ctx context.Context, v *consent.View) error {
	for _, preds := range q.untypedIDs {
		matching := 0
		for _, pred := range preds {
			for _, t := range q.Types {
				n, err := v.Count(ctx, store.Query{Type: t.Type, Where: pred, KeysOnly: true}, 1)
				if err != nil {
					return fmt.Errorf("find the type of an id: %w", err)
				}
				matching += n
			}
		}
		if matching > 1 {
			return fhir.Fault(400, "multiple-matches", "An id without a type matches references of several types: write Type/id.")
		}
	}
	return nil
}

// warnOfVersions warns that a chain from a row of the page followed a reference to a version and tested
// the current version (SRCH-136).
func (x *execution) warnOfVersions(ctx context.Context, page *Page) error {
	if x.joins == nil {
		return nil
	}
	hops := map[string]bool{}
	view := x.view.WithPermission("s")
	for i, t := range x.Types {
		rows := slices.DeleteFunc(slices.Clone(page.Matches), func(d store.Doc) bool { return d.Ref.Type != t.Type })
		if err := join.VersionedHops(ctx, view, x.joins[i], rows, hops); err != nil {
			return err
		}
	}
	for _, hop := range slices.Sorted(maps.Keys(hops)) {
		page.Warnings = append(page.Warnings, fhir.Issue{Severity: "warning", Code: "informational",
			Text: fmt.Sprintf("A reference in %s names a version: the chain tested the current version.", hop)})
	}
	return nil
}
