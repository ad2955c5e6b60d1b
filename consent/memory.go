package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"carerecord/store"
)

// CheckMemory compares everything in memory that decides with what is made anew from
// the store (docs/memory.md). The error says what differs. No commit may be under way,
// and none of unknown outcome may have been since the Guard was opened: what such a one
// denies stays in force. It is for the end of tests that write at the same time.
func (g *Guard) CheckMemory(ctx context.Context) error {
	return errors.Join(g.checkRegister(ctx), g.checkTypes(ctx), g.checkBacklog(ctx), g.checkTable(ctx))
}

func (g *Guard) checkRegister(ctx context.Context) error {
	fresh := newRegister()
	if err := fresh.load(ctx, g.store); err != nil {
		return err
	}
	g.register.mu.RLock()
	defer g.register.mu.RUnlock()
	r := g.register
	for name, pair := range map[string][2]any{
		"what documents say":     {r.docs, fresh.docs},
		"opt-outs":               {r.optOut, fresh.optOut},
		"denials":                {r.directive, fresh.directive},
		"restrictions":           {r.restricted, fresh.restricted},
		"names":                  {r.named, fresh.named},
		"Patients spoken of":     {r.spoken, fresh.spoken},
		"Patients who ended":     {r.ended, fresh.ended},
		"bearers of a number":    {r.bearers, fresh.bearers},
		"numbers of a Patient":   {r.bears, fresh.bears},
		"doubtful commits":       {r.doubtful, fresh.doubtful},
		"Patients being written": {r.coming, fresh.coming},
		"deleted Patients":       {r.leaving, fresh.leaving},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Errorf("the register differs from a rebuild in %s: it has %v, the store %v", name, pair[0], pair[1])
		}
	}
	return nil
}

// checkTypes: types and names may be in memory that are in the store no more, but not
// the reverse.
func (g *Guard) checkTypes(ctx context.Context) error {
	fresh := newPresent()
	if err := fresh.load(ctx, g.store); err != nil {
		return err
	}
	for _, typ := range fresh.list() {
		if !slices.Contains(g.types.list(), typ) {
			return fmt.Errorf("there are documents of %s, and nobody knows", typ)
		}
	}
	for name := range fresh.wanted {
		if !g.types.wants(name) {
			return fmt.Errorf("documents depend on %s, and nobody knows", name)
		}
	}
	g.types.mu.RLock()
	defer g.types.mu.RUnlock()
	if len(g.types.changing) > 0 {
		return fmt.Errorf("names stay marked as changing: %v", g.types.changing)
	}
	return nil
}

func (g *Guard) checkBacklog(ctx context.Context) error {
	if g.state == nil {
		return nil
	}
	kept, listed, err := backlogOf(ctx, g.state)
	if err != nil {
		return err
	}
	b := g.backlog
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !reflect.DeepEqual(kept, b.stale) || listed != b.listed {
		return fmt.Errorf("the backlog differs from the store: it has %v, the store %v; listed: %v, %v", b.stale, kept, b.listed, listed)
	}
	if len(b.coming)+len(b.ended)+len(b.added) > 0 || !g.readers.none() {
		return fmt.Errorf("something waits for what is over: %v, %v, %v", b.coming, slices.Collect(maps.Keys(b.ended)), b.added)
	}
	g.labelling.mu.Lock()
	defer g.labelling.mu.Unlock()
	if len(g.labelling.changing)+len(g.labelling.writing) > 0 {
		return fmt.Errorf("persons stay marked as written about: %v, %v", g.labelling.changing, g.labelling.writing)
	}
	return nil
}

// checkTable compares the table of defined search parameters.
func (g *Guard) checkTable(ctx context.Context) error {
	if g.state == nil {
		return nil
	}
	var kept parameters
	raw, err := g.state.Lookup(ctx, parametersMark)
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the defined search parameters: %w", err)
	}
	if a, b := string(g.defined.now().mark().Value), string(kept.mark().Value); a != b {
		return fmt.Errorf("the table of search parameters differs from the store: it is %s, the store has %s", a, b)
	}
	return nil
}
