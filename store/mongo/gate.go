package mongo

import (
	"context"
	"sync"
)

// gate lets those who need the same names through one after the other.
type gate struct {
	mu    sync.Mutex
	turns map[string]*turn
}

// turn is the right to a name. Whoever has put into busy holds it.
type turn struct {
	busy  chan struct{} // room for one
	users int           // holding or waiting
}

func newGate() *gate { return &gate{turns: map[string]*turn{}} }

// enter waits until all names are free and takes them. names must be sorted and
// distinct, which is what keeps two callers from waiting for each other.
func (g *gate) enter(ctx context.Context, names []string) (leave func(), err error) {
	held := 0
	leave = func() {
		for _, name := range names[:held] {
			g.give(name)
		}
	}
	for _, name := range names {
		if err := g.take(ctx, name); err != nil {
			leave()
			return nil, err
		}
		held++
	}
	return leave, nil
}

func (g *gate) take(ctx context.Context, name string) error {
	g.mu.Lock()
	t := g.turns[name]
	if t == nil {
		t = &turn{busy: make(chan struct{}, 1)}
		g.turns[name] = t
	}
	t.users++
	g.mu.Unlock()
	select {
	case t.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		g.drop(name, t)
		return ctx.Err()
	}
}

func (g *gate) give(name string) {
	g.mu.Lock()
	t := g.turns[name]
	g.mu.Unlock()
	<-t.busy
	g.drop(name, t)
}

func (g *gate) drop(name string, t *turn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t.users--
	if t.users == 0 {
		delete(g.turns, name)
	}
}
