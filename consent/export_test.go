package consent

import (
	"context"

	"carerecord/store"
)

// Less is what Count makes a count over the region of; ok is false where it does not.
func (v *View) Less(ctx context.Context, q store.Query) (n int, ok bool, err error) {
	return v.less(ctx, q, 0)
}

// Relabels reports whether a commit is under way that changes the labelled rows of a
// person.
func (g *Guard) Relabels(person string) bool {
	g.labelling.mu.Lock()
	defer g.labelling.mu.Unlock()
	return g.labelling.changing[person] > 0
}

// AddsStale reports whether a commit is under way that changes the backlog.
func (g *Guard) AddsStale() bool {
	if g.backlog.commits.TryAcquire(1) {
		g.backlog.commits.Release(1)
		return false
	}
	return true
}
