package consent

import (
	"context"
	"errors"

	"carerecord/store"
)

// CountByComplement is what Count makes a count over the region of; ok is false where it does not.
func (v *View) CountByComplement(ctx context.Context, q store.Query) (n int, ok bool, err error) {
	return v.countByComplement(ctx, q, 0)
}

// Relabels reports whether a commit is under way that changes the labelled rows of a
// person.
func (g *Guard) Relabels(person string) bool {
	g.labelChanges.mu.Lock()
	defer g.labelChanges.mu.Unlock()
	return g.labelChanges.changing[person] > 0
}

// TakesOldPages reports whether a page of a name of the backlog that has ended passes for
// one of the same name that was added again.
func TakesOldPages() bool {
	b := NewBacklog(newActiveReads())
	commit := func(added map[string]Entry, pages ...*Page) error {
		c, err := b.Prepare(added, pages)
		if err == nil {
			b.apply(c)
		}
		return err
	}
	add := func() error { return commit(map[string]Entry{"a": {}}) }
	err := add()
	s, _ := b.Get("a")
	page := &Page{From: s, To: s, Done: true}
	if err = errors.Join(err, commit(nil, page), add()); err != nil {
		panic(err)
	}
	return commit(nil, page) == nil
}

// AddsStale reports whether a commit is under way that changes the backlog.
func (g *Guard) AddsStale() bool {
	if g.backlog.CommitLock.TryAcquire(1) {
		g.backlog.CommitLock.Release(1)
		return false
	}
	return true
}
