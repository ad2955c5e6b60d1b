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
	fresh := NewRegister()
	if err := fresh.Load(ctx, g.store); err != nil {
		return err
	}
	g.register.mu.RLock()
	defer g.register.mu.RUnlock()
	r := g.register
	for name, pair := range map[string][2]any{
		"what documents say":     {r.statements, fresh.statements},
		"opt-outs":               {r.optOut, fresh.optOut},
		"denials":                {r.directive, fresh.directive},
		"restrictions":           {r.restricted, fresh.restricted},
		"names":                  {r.identifierCount, fresh.identifierCount},
		"Patients spoken of":     {r.patientCount, fresh.patientCount},
		"Patients who ended":     {r.deleted, fresh.deleted},
		"bearers of a number":    {r.patientsOf, fresh.patientsOf},
		"numbers of a Patient":   {r.identifiersOf, fresh.identifiersOf},
		"doubtful commits":       {r.unknown, fresh.unknown},
		"Patients being written": {r.inFlight, fresh.inFlight},
		"deleted Patients":       {r.forgetting, fresh.forgetting},
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
	kept, listed, err := readEntries(ctx, g.state)
	if err != nil {
		return err
	}
	b := g.backlog
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !reflect.DeepEqual(kept, b.entries) || listed != b.legacyList {
		return fmt.Errorf("the backlog differs from the store: it has %v, the store %v; listed: %v, %v", b.entries, kept, b.legacyList, listed)
	}
	if len(b.pending)+len(b.ended)+len(b.added) > 0 || !g.reads.idle() {
		return fmt.Errorf("something waits for what is over: %v, %v, %v", b.pending, slices.Collect(maps.Keys(b.ended)), b.added)
	}
	g.labelChanges.mu.Lock()
	defer g.labelChanges.mu.Unlock()
	if len(g.labelChanges.changing)+len(g.labelChanges.writing) > 0 {
		return fmt.Errorf("persons stay marked as written about: %v, %v", g.labelChanges.changing, g.labelChanges.writing)
	}
	return nil
}

// checkTable compares the table of defined search parameters.
func (g *Guard) checkTable(ctx context.Context) error {
	if g.state == nil {
		return nil
	}
	var kept Table
	raw, err := g.state.Lookup(ctx, tableKey)
	if err == nil {
		err = json.Unmarshal(raw, &kept)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the defined search parameters: %w", err)
	}
	if a, b := string(g.definitions.Current().StateWrite().Value), string(kept.StateWrite().Value); a != b {
		return fmt.Errorf("the table of search parameters differs from the store: it is %s, the store has %s", a, b)
	}
	return nil
}
