package consent

import (
	"context"
	"errors"

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

// TakesOldPages reports whether a page of a name of the backlog that has ended passes for
// one of the same name that was added again.
func TakesOldPages() bool {
	b := newBacklog(newReaders())
	commit := func(added map[string]staleName, pages ...*keyedPage) error {
		c, err := b.next(added, pages)
		if err == nil {
			b.take(c)
		}
		return err
	}
	add := func() error { return commit(map[string]staleName{"a": {}}) }
	err := add()
	s, _ := b.get("a")
	page := &keyedPage{from: s, to: s, done: true}
	if err = errors.Join(err, commit(nil, page), add()); err != nil {
		panic(err)
	}
	return commit(nil, page) == nil
}

// AddsStale reports whether a commit is under way that changes the backlog.
func (g *Guard) AddsStale() bool {
	if g.backlog.commits.TryAcquire(1) {
		g.backlog.commits.Release(1)
		return false
	}
	return true
}
