package mongo

import (
	"context"
	"sync"
)

// nameLocks is a set of locks by name.
type nameLocks struct {
	mu    sync.Mutex
	locks map[string]*nameLock
}

// nameLock is held by the caller that has sent to busy.
type nameLock struct {
	busy chan struct{} // has capacity 1
	refs int           // holders and waiting callers
}

func newNameLocks() *nameLocks { return &nameLocks{locks: map[string]*nameLock{}} }

// lock locks all names. names must be sorted and distinct, which prevents deadlocks.
func (g *nameLocks) lock(ctx context.Context, names []string) (unlock func(), err error) {
	locked := 0
	unlock = func() {
		for _, name := range names[:locked] {
			g.unlockOne(name)
		}
	}
	for _, name := range names {
		if err := g.lockOne(ctx, name); err != nil {
			unlock()
			return nil, err
		}
		locked++
	}
	return unlock, nil
}

func (g *nameLocks) lockOne(ctx context.Context, name string) error {
	g.mu.Lock()
	t := g.locks[name]
	if t == nil {
		t = &nameLock{busy: make(chan struct{}, 1)}
		g.locks[name] = t
	}
	t.refs++
	g.mu.Unlock()
	select {
	case t.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		g.release(name, t)
		return ctx.Err()
	}
}

func (g *nameLocks) unlockOne(name string) {
	g.mu.Lock()
	t := g.locks[name]
	g.mu.Unlock()
	<-t.busy
	g.release(name, t)
}

func (g *nameLocks) release(name string, t *nameLock) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.refs--
	if t.refs == 0 {
		delete(g.locks, name)
	}
}
