package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/store"
)

// errDefined says that documents were keyed by a table that is not in force any
// more.
var errDefined = fmt.Errorf("search parameters were defined meanwhile: %w", store.ErrConflict)

// Parameters returns the search parameters that stored definitions bring.
func (g *Guard) Parameters() []Parameter {
	g.defined.mu.RLock()
	defer g.defined.mu.RUnlock()
	return g.defined.table.live()
}

// loadParameters reads the table. A store without one, which was restored from a
// backup or written by an older program, gets it from the definitions that stand,
// and all of it is to be indexed. The caller holds defined.mu or is alone.
func (g *Guard) loadParameters(ctx context.Context) error {
	if g.state == nil {
		return nil
	}
	var t parameters
	b, err := g.state.Lookup(ctx, parametersMark)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if t, err = g.gatherParameters(ctx); err != nil {
			return err
		}
	case err == nil:
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return fmt.Errorf("read the defined search parameters: %w", err)
	}
	// What an older program took may be a parameter of the standard in this one.
	t.List = slices.DeleteFunc(t.List, func(p Parameter) bool { return g.index.Check(p.Defined) != nil })
	return g.install(t)
}

// gatherParameters makes the table from what stands, and keeps it.
func (g *Guard) gatherParameters(ctx context.Context) (t parameters, err error) {
	err = g.store.Read(ctx, func(snap store.Snap) error {
		t = parameters{}
		for d, err := range snap.Scan(ctx, store.Query{Type: definitionType, Where: everything}) {
			if err != nil {
				return err
			}
			def, err := definitionOf(d, "")
			if err != nil {
				continue // it was stored before definitions were judged, and defines nothing
			}
			if next, changes, err := t.with(g.index, []definition{def}, g.clock()); err == nil && changes {
				t = next
			}
		}
		return nil
	})
	if err != nil || len(t.List) == 0 {
		return t, err
	}
	_, err = g.store.Commit(ctx, store.Batch{State: []store.StateWrite{t.mark()}})
	return t, err
}

// install puts a table into force.
func (g *Guard) install(t parameters) error {
	d, err := t.compiled(g.index)
	if err != nil {
		return err
	}
	g.index.Install(d)
	g.defined.table, g.defined.doubtful = t, false
	if len(t.indexing()) > 0 {
		select {
		case g.defined.wake <- struct{}{}:
		default: // somebody is to look already
		}
	}
	return nil
}

// define makes the table as the batch leaves it, where it writes definitions.
func (c *commit) define(changes []Change) error {
	var defs []definition
	for i := range changes {
		w := c.pending[changes[i].Ref]
		if w == nil || changes[i].Ref.Type != definitionType {
			continue
		}
		def, err := definitionOf(w.Doc, changes[i].Place)
		if err != nil {
			return err
		}
		defs = append(defs, def)
	}
	if defs == nil {
		return nil
	}
	d := &c.view.guard.defined
	d.mu.RLock()
	table := d.table
	d.mu.RUnlock()
	next, differs, err := table.with(c.view.guard.index, defs, c.view.guard.clock())
	if err != nil || !differs {
		return err
	}
	c.table = &next
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
	g.defined.mu.RLock()
	defer g.defined.mu.RUnlock()
	_, _, err = g.defined.table.with(g.index, []definition{def}, g.clock())
	return err
}

// hold keeps the table of defined parameters as it is until released, or is alone
// with it where a batch changes it, which then carries the new one.
// store.ErrConflict: the documents were keyed by a table that is not in force any
// more.
func (g *Guard) hold(ctx context.Context, l *landing) (release func(), err error) {
	if release, err = g.holdTable(ctx, l.table != nil || len(l.completes) > 0); err != nil {
		return nil, err
	}
	if g.index.Installed() != l.installed {
		release()
		return nil, errDefined
	}
	if len(l.completes) > 0 {
		t := g.defined.table.completed(l.completes, g.clock())
		l.table = &t
	}
	if l.table != nil {
		l.State = append(slices.Clone(l.State), l.table.mark())
	}
	return release, nil
}

// holdTable locks the table, and reads it anew where nobody knows it.
func (g *Guard) holdTable(ctx context.Context, alone bool) (release func(), err error) {
	d := &g.defined
	d.mu.RLock()
	if !alone && !d.doubtful {
		return d.mu.RUnlock, nil
	}
	d.mu.RUnlock()
	d.mu.Lock()
	if d.doubtful {
		if err := g.loadParameters(ctx); err != nil {
			d.mu.Unlock()
			return nil, fmt.Errorf("which search parameters are defined: %w", errors.Join(err, store.ErrUnavailable))
		}
		d.mu.Unlock()
		return nil, errDefined
	}
	return d.mu.Unlock, nil
}

// tableOutcome puts the table of a batch into force that was committed, or has it
// read anew where that cannot be known. The caller holds defined.mu alone.
func (g *Guard) tableOutcome(t *parameters, committed error) error {
	switch {
	case t == nil:
		return nil
	case committed == nil:
		return g.install(*t)
	case !errors.Is(committed, store.ErrConflict):
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := g.loadParameters(ctx); err != nil {
			g.defined.doubtful = true
		}
	}
	return nil
}
