package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"carerecord/store"
)

// errTableChanged says that documents were keyed by a table that is not in force any
// more.
var errTableChanged = fmt.Errorf("search parameters were defined meanwhile: %w", store.ErrConflict)

// Parameters returns the search parameters that stored definitions bring.
func (g *Guard) Parameters() []Parameter {
	return g.definitions.Current().Live()
}

// loadParameters puts the table of the store into force.
func (g *Guard) loadParameters(ctx context.Context) error {
	t, err := g.readParameters(ctx)
	if err != nil {
		return err
	}
	return g.install(t)
}

// reloadParameters does so where the table is not the one in force.
func (g *Guard) reloadParameters(ctx context.Context) error {
	t, err := g.readParameters(ctx)
	if err != nil || slices.Equal(t.StateWrite().Value, g.definitions.Current().StateWrite().Value) {
		return err
	}
	return g.install(t)
}

// readParameters reads the table. A store without one, which was restored from a
// backup or written by an older program, gets it from the definitions that stand,
// and all of it is to be indexed. The caller holds defined.commits or is alone.
func (g *Guard) readParameters(ctx context.Context) (t Table, err error) {
	if g.state == nil {
		return t, nil
	}
	b, err := g.state.Lookup(ctx, tableKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t, err = g.rebuildTable(ctx)
	case err == nil:
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read the defined search parameters: %w", err)
	}
	// What an older program took may be a parameter of the standard in this one.
	t.List = slices.DeleteFunc(t.List, func(p Parameter) bool { return g.index.Check(p.DefinedParam) != nil })
	return t, nil
}

// rebuildTable makes the table from what stands, and keeps it.
func (g *Guard) rebuildTable(ctx context.Context) (t Table, err error) {
	err = g.store.Read(ctx, func(snap store.Snap) error {
		t = Table{}
		for d, err := range snap.Scan(ctx, store.Query{Type: definitionType, Where: everything}) {
			if err != nil {
				return err
			}
			def, err := definitionOf(d, "")
			if err != nil {
				continue // it was stored before definitions were judged, and defines nothing
			}
			if next, changes, err := t.withDefinitions(g.index, []definition{def}, g.clock()); err == nil && changes {
				t = next
			}
		}
		return nil
	})
	if err != nil || len(t.List) == 0 {
		return t, err
	}
	_, err = g.store.Commit(ctx, store.Batch{State: []store.StateWrite{t.StateWrite()}})
	return t, err
}

// install puts a table into force.
func (g *Guard) install(t Table) error {
	d, err := t.compile(g.index)
	if err != nil {
		return err
	}
	g.definitions.mu.Lock()
	g.index.Install(d)
	g.definitions.table = t
	g.definitions.mu.Unlock()
	if len(t.Indexing()) > 0 {
		select {
		case g.definitions.wake <- struct{}{}:
		default: // somebody is to look already
		}
	}
	return nil
}

// define makes the table as the batch leaves it, where it writes definitions.
func (c *commitBuilder) define(changes []Change) error {
	var defs []definition
	for i := range changes {
		w := c.pending[changes[i].Ref]
		if w == nil || changes[i].Ref.Type != definitionType {
			continue
		}
		def, err := definitionOf(w.Doc, changes[i].Location)
		if err != nil {
			return err
		}
		defs = append(defs, def)
	}
	if defs == nil {
		return nil
	}
	next, differs, err := c.view.guard.definitions.Current().withDefinitions(c.view.guard.index, defs, c.view.guard.clock())
	if err != nil || !differs {
		return err
	}
	c.newTable = &next
	return nil
}

// Defines returns why a body cannot be stored under an address as the definition
// of a search parameter, a *fhir.Error, or nil; nil for every other type.
func (g *Guard) Defines(ref store.Ref, body []byte) error {
	if ref.Type != definitionType {
		return nil
	}
	def, err := definitionOf(store.Doc{Ref: ref, Body: body}, "")
	if err != nil {
		return err
	}
	_, _, err = g.definitions.Current().withDefinitions(g.index, []definition{def}, g.clock())
	return err
}

// holdDefinitions keeps the table of defined parameters as it is until released, or is alone
// with it where a batch changes it, which then carries the new one.
// store.ErrConflict: the documents were keyed by a table that is not in force any
// more.
func (g *Guard) holdDefinitions(ctx context.Context, prepared *preparedCommit) (release func(), err error) {
	if release, err = g.lockTable(ctx, prepared.newTable != nil || len(prepared.completedParameters) > 0); err != nil {
		return nil, err
	}
	if g.index.Installed() != prepared.definitions {
		release()
		return nil, errTableChanged
	}
	if len(prepared.completedParameters) > 0 {
		t := g.definitions.Current().Completed(prepared.completedParameters, g.clock())
		prepared.newTable = &t
	}
	if prepared.newTable != nil {
		prepared.State = append(slices.Clone(prepared.State), prepared.newTable.StateWrite())
	}
	return release, nil
}

// lockTable keeps the table until released, and reads it anew where it is in doubt.
func (g *Guard) lockTable(ctx context.Context, alone bool) (release func(), err error) {
	d := &g.definitions
	if !alone {
		release, err = acquire(ctx, d.commits, 1)
		if err != nil || !d.uncertain(g.clock()) {
			return release, err
		}
		release() // while it is in doubt all commits are made one by one
	}
	release, err = acquire(ctx, d.commits, exclusive)
	if err != nil || !d.uncertain(g.clock()) {
		return release, err
	}
	if err := g.reloadParameters(ctx); err != nil {
		release()
		return nil, fmt.Errorf("which search parameters are defined: %w", errors.Join(err, store.ErrUnavailable))
	}
	return release, nil
}

// tableOutcome puts the table of a batch into force that was committed, or has it
// read anew where that cannot be known. The caller holds defined.commits alone.
func (g *Guard) tableOutcome(t *Table, committed error) {
	switch {
	case t == nil || errors.Is(committed, store.ErrConflict):
	case committed == nil:
		if g.install(*t) != nil { // it is committed: the next commit reads it
			g.definitions.setUncertain(g.clock().Add(uncertainFor))
		}
	case errors.Is(committed, store.ErrUnknown):
		g.definitions.setUncertain(g.clock().Add(uncertainFor))
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = g.reloadParameters(ctx) // else the next commit does
	}
}

// acquire waits for a lock, no longer than the context. release gives it back.
func acquire(ctx context.Context, lock *semaphore.Weighted, weight int64) (release func(), err error) {
	if err := lock.Acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("wait for a commit that is under way: %w", err)
	}
	return func() { lock.Release(weight) }, nil
}
