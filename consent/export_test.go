package consent

import (
	"context"

	"carerecord/store"
)

// CountByComplement is the count by complement that Count uses; ok is false where it does not apply.
func (v *View) CountByComplement(ctx context.Context, q store.Query) (n int, ok bool, err error) {
	return v.countByComplement(ctx, q, 0)
}

// Relabels reports whether a commit in flight changes the labelled rows of a person.
func (g *Guard) Relabels(person string) bool {
	g.labelChanges.mu.Lock()
	defer g.labelChanges.mu.Unlock()
	return g.labelChanges.changing[person] > 0
}

// AddsStale reports whether a commit in flight changes the backlog.
func (g *Guard) AddsStale() bool {
	if g.backlog.CommitLock.TryAcquire(1) {
		g.backlog.CommitLock.Release(1)
		return false
	}
	return true
}

// WithinScopes is the predicate that scopes add on a type; nil for none.
func (v *View) WithinScopes(typ, permissions string) store.Pred {
	return v.WithPermission(permissions).withinScopes(typ)
}
