package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// CheckMemory compares all memory that decides with a rebuild from the store (docs/memory.md). The error
// describes each difference. No commit may be in flight, and none may have had an unknown outcome since the Guard
// was opened: its denials stay in force. It is for tests.
func (g *Guard) CheckMemory(ctx context.Context) error {
	return errors.Join(g.register.Check(ctx, g.store), g.aliases.Check(ctx, g.store), g.checkTypes(ctx), g.checkBacklog(ctx), g.definitions.CheckMemory(ctx))
}

// checkTypes: memory may have types and names that the store no longer has, but must have all others.
func (g *Guard) checkTypes(ctx context.Context) error {
	rebuilt := newTypeCatalog()
	if err := rebuilt.load(ctx, g.store); err != nil {
		return err
	}
	for _, typ := range rebuilt.storedTypes() {
		if !slices.Contains(g.catalog.storedTypes(), typ) {
			return fmt.Errorf("the store has documents of %s, and memory does not have the type", typ)
		}
	}
	for name := range rebuilt.dependedOn {
		if !g.catalog.mayHaveDependents(name) {
			return fmt.Errorf("documents depend on %s, and memory does not have the name", name)
		}
	}
	g.catalog.mu.RLock()
	defer g.catalog.mu.RUnlock()
	if len(g.catalog.changing) > 0 {
		return fmt.Errorf("names are still marked as changing: %v", g.catalog.changing)
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
		return errors.New("reads that have ended are still counted")
	}
	g.labelChanges.mu.Lock()
	defer g.labelChanges.mu.Unlock()
	if len(g.labelChanges.changing)+len(g.labelChanges.writing) > 0 {
		return fmt.Errorf("persons are still marked as written about: %v, %v", g.labelChanges.changing, g.labelChanges.writing)
	}
	return nil
}
