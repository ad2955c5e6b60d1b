package consent

import (
	"context"
	"slices"

	"carerecord/store"
)

// indexingMark is where State holds how far the walk for defined parameters has
// come. A walk over all documents has a mark of its own.
const indexingMark = "index/parameters/progress"

// indexingPage is how many documents are keyed in one commit of a walk that goes
// on beside everything: commits that bring a Patient wait for it.
const indexingPage = 50

// mark is where State holds how far this walk is.
func (r *Reindexing) mark() string {
	if r.Types != nil {
		return indexingMark
	}
	return progressMark
}

func (r *Reindexing) page() int {
	if r.Types != nil {
		return indexingPage
	}
	return reindexPage
}

// IndexingStatus returns where the walk for defined search parameters stands;
// false if there never was one.
func IndexingStatus(ctx context.Context, state store.State) (Reindexing, bool, error) {
	return walkStatus(ctx, state, indexingMark)
}

// ParameterWork has an element when a search parameter may have to be indexed.
func (g *Guard) ParameterWork() <-chan struct{} { return g.defined.wake }

// toIndex are the parameters that wait for a walk.
func (g *Guard) toIndex() []Parameter {
	return g.defined.now().indexing()
}

// IndexParameters walks all documents of the base types of the search parameters
// that are not complete, until none is left (SRCH-242). A parameter is complete by
// a walk that began when it was in force; what is defined meanwhile is for the
// next one. An interrupted walk goes on. The record may be written to meanwhile
// by this Guard. rest is called between pages and may wait. One walk at a time.
func (g *Guard) IndexParameters(ctx context.Context, state store.State, rest func(context.Context, Reindexing) error) error {
	for {
		waiting := g.toIndex()
		if len(waiting) == 0 {
			return nil
		}
		at, found, err := IndexingStatus(ctx, state)
		if err != nil {
			return err
		}
		waits := func(number uint16) bool {
			return slices.ContainsFunc(waiting, func(p Parameter) bool { return p.Number == number })
		}
		if found && !at.Done && at.Format == g.keying() && slices.ContainsFunc(at.Parameters, waits) {
			at.Resumed++
		} else {
			at = g.walkFor(waiting)
		}
		if err := g.walkOn(ctx, &at, rest); err != nil {
			return err
		}
	}
}

// walkFor is the beginning of a walk for some parameters.
func (g *Guard) walkFor(waiting []Parameter) Reindexing {
	at := Reindexing{Format: g.keying(), Began: g.clock().UTC(), Types: []string{}}
	for _, p := range waiting {
		at.Parameters = append(at.Parameters, p.Number)
		at.Types = append(at.Types, p.Type)
	}
	slices.Sort(at.Types)
	at.Types = slices.Compact(at.Types)
	slices.SortStableFunc(at.Types, func(a, b string) int { return turn(a) - turn(b) })
	at.Type = at.Types[0]
	return at
}
