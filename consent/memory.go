package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// CheckMemory compares everything in memory that decides with what is made anew from
// the store (docs/memory.md). The error says what differs. No commit may be under way,
// and none of unknown outcome may have been since the Guard was opened: what such a one
// denies stays in force. It is for the end of tests that write at the same time.
func (g *Guard) CheckMemory(ctx context.Context) error {
	return errors.Join(g.register.Check(ctx, g.store), g.checkTypes(ctx), g.checkBacklog(ctx), g.definitions.CheckMemory(ctx))
}

// checkTypes: types and names may be in memory that are in the store no more, but not
// the reverse.
func (g *Guard) checkTypes(ctx context.Context) error {
	fresh := newTypeCatalog()
	if err := fresh.load(ctx, g.store); err != nil {
		return err
	}
	for _, typ := range fresh.storedTypes() {
		if !slices.Contains(g.catalog.storedTypes(), typ) {
			return fmt.Errorf("there are documents of %s, and nobody knows", typ)
		}
	}
	for name := range fresh.dependedOn {
		if !g.catalog.mayHaveDependents(name) {
			return fmt.Errorf("documents depend on %s, and nobody knows", name)
		}
	}
	g.catalog.mu.RLock()
	defer g.catalog.mu.RUnlock()
	if len(g.catalog.changing) > 0 {
		return fmt.Errorf("names stay marked as changing: %v", g.catalog.changing)
	}
	return nil
}

func (g *Guard) checkBacklog(ctx context.Context) error {
	if g.state == nil {
		return nil
	}
	if err := g.backlog.Check(ctx, g.state); err != nil {
		return err
	}
	if !g.reads.idle() {
		return errors.New("reads are counted that have ended")
	}
	g.labelChanges.mu.Lock()
	defer g.labelChanges.mu.Unlock()
	if len(g.labelChanges.changing)+len(g.labelChanges.writing) > 0 {
		return fmt.Errorf("persons are still marked as written about: %v, %v", g.labelChanges.changing, g.labelChanges.writing)
	}
	return nil
}
