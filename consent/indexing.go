package consent

import (
	"context"
	"slices"

	"carerecord/consent/facts"
	"carerecord/store"
)

// parameterProgressKey is where State holds how far the walk for defined parameters has
// come. A walk over all documents has a mark of its own.
const parameterProgressKey = "index/parameters/progress"

// parameterPage is how many documents are keyed in one commit of a walk that goes
// on beside everything: commits that bring a Patient wait for it.
const parameterPage = 50

// stateKey is where State holds how far this walk is.
func (r *Walk) stateKey() string {
	if r.Types != nil {
		return parameterProgressKey
	}
	return progressKey
}

func (r *Walk) pageSize() int {
	if r.Types != nil {
		return parameterPage
	}
	return reindexPage
}

// ParameterStatus returns where the walk for defined search parameters stands;
// false if there never was one.
func ParameterStatus(ctx context.Context, state store.State) (Walk, bool, error) {
	return readStatus(ctx, state, parameterProgressKey)
}

// ParameterWork has an element when a search parameter may have to be indexed.
func (g *Guard) ParameterWork() <-chan struct{} { return g.definitions.wake }

// waitingParameters are the parameters that wait for a walk.
func (g *Guard) waitingParameters() []Parameter {
	return g.definitions.Current().Indexing()
}

// IndexParameters walks all documents of the base types of the search parameters
// that are not complete, until none is left (SRCH-242). A parameter is complete by
// a walk that began when it was in force; what is defined meanwhile is for the
// next one. An interrupted walk goes on. The record may be written to meanwhile
// by this Guard. rest is called between pages and may wait. One walk at a time.
func (g *Guard) IndexParameters(ctx context.Context, state store.State, pause func(context.Context, Walk) error) error {
	for {
		waiting := g.waitingParameters()
		if len(waiting) == 0 {
			return nil
		}
		at, found, err := ParameterStatus(ctx, state)
		if err != nil {
			return err
		}
		waits := func(number uint16) bool {
			return slices.ContainsFunc(waiting, func(p Parameter) bool { return p.Number == number })
		}
		if found && !at.Done && at.Format == g.keyFormat() && slices.ContainsFunc(at.Parameters, waits) {
			at.Resumed++
		} else {
			at = g.newParameterWalk(waiting)
		}
		if err := g.run(ctx, &at, pause); err != nil {
			return err
		}
	}
}

// newParameterWalk is the beginning of a walk for some parameters.
func (g *Guard) newParameterWalk(waiting []Parameter) Walk {
	at := Walk{Format: g.keyFormat(), Began: g.clock().UTC(), Types: []string{}}
	for _, p := range waiting {
		at.Parameters = append(at.Parameters, p.Number)
		at.Types = append(at.Types, p.Type)
	}
	slices.Sort(at.Types)
	at.Types = slices.Compact(at.Types)
	slices.SortStableFunc(at.Types, func(a, b string) int { return facts.KeyOrder(a) - facts.KeyOrder(b) })
	at.Type = at.Types[0]
	return at
}
