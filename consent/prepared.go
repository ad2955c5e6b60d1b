package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/semaphore"

	"carerecord/consent/backlog"
	"carerecord/consent/definitions"
	"carerecord/fhir/index"
	"carerecord/store"
)

// preparedCommit is a batch that is ready for the store, with its changes of the memory.
type preparedCommit struct {
	store.Batch
	replaced            func(store.Ref) store.Doc // the current versions of its documents
	dependsOn           []string                  // names on which documents of the batch depend
	reliesOn            []string                  // names on which they depend without a key (facts.Keyer.ReliesOn)
	changedNames        map[string]bool           // names that the batch changes (typeCatalog.begin)
	staleNames          map[string]backlog.Entry  // changed names on which stored documents depend
	newlyStale          map[string]bool           // those of staleNames that had no entry before the commit
	followsStale        map[string]bool           // those of staleNames that depend on entries of other commits
	sources             []store.Doc               // stored documents from which keys of the batch were inherited, without bodies
	pages               []*backlog.Page           // pages of the backlog that the batch rekeys
	definitions         *index.Definitions        // the search parameters that the batch was keyed with
	newTable            *definitions.Table        // the table that the batch brings; nil for none
	epoch               uint64                    // of the backlog, read before the snapshot was opened
	completedParameters []uint16                  // numbers of the parameters that are complete with the batch
}

// commitPrepared is the only path by which documents are committed. It keeps the memory that decides in
// step with the store: types and names, the register of directives, the backlog, and the table of defined
// search parameters (docs/memory.md). What a batch denies is in force before its commit, what it permits
// after it.
//
// store.ErrConflict: another commit was faster. Other errors are those of notStored: they say whether
// nothing was stored, or the outcome is unknown.
func (g *Guard) commitPrepared(ctx context.Context, prepared *preparedCommit) error {
	needsOrder := func(w *store.Write) bool { return g.register.NeedsOrder(prepared.replaced(w.Doc.Ref), w.Doc) }
	ordered := false
	for i := range prepared.Writes {
		g.catalog.add(prepared.Writes[i].Doc.Ref.Type)
		ordered = ordered || needsOrder(&prepared.Writes[i])
	}
	endNames, err := g.catalog.begin(ctx, prepared.dependsOn, prepared.reliesOn, prepared.changedNames)
	if err != nil {
		return notStored(err)
	}
	defer endNames()
	g.noteInheritedStale(prepared)
	endLabels, err := g.beginLabelChange(ctx, prepared)
	if err != nil {
		return notStored(err)
	}
	defer endLabels()
	table, writes, release, err := g.definitions.Hold(ctx, prepared.definitions, prepared.newTable, prepared.completedParameters)
	if err != nil {
		return notStored(err)
	}
	prepared.State = append(slices.Clone(prepared.State), writes...)
	defer release()
	if ordered {
		release, err := acquire(ctx, g.register.CommitLock, 1)
		if err != nil {
			return notStored(err)
		}
		defer release()
	}
	g.register.Begin(prepared.Writes)
	g.aliases.Begin(prepared.Writes)
	identifiers, patients := g.register.NewNames(prepared.Writes)
	if err = g.register.FindPatients(ctx, g.store, identifiers, patients); err == nil {
		err = g.commitBacklog(ctx, prepared)
	}
	if deleted := g.register.End(prepared.Writes, needsOrder, err); len(deleted) > 0 {
		g.reads.afterCurrent(func() { g.register.Forget(deleted) })
	}
	g.aliases.Committed(ctx, g.store, prepared.Writes, err)
	g.definitions.Finish(table, err)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return notStored(fmt.Errorf("commit: %w", err))
	}
	return err
}

// commitBacklog commits a batch with its change of the backlog.
func (g *Guard) commitBacklog(ctx context.Context, prepared *preparedCommit) error {
	if len(prepared.staleNames) == 0 && len(prepared.pages) == 0 {
		_, err := g.store.Commit(ctx, prepared.Batch)
		return err
	}
	release, err := acquire(ctx, g.backlog.CommitLock, 1)
	if err != nil {
		return err
	}
	defer release()
	change, err := g.backlog.Prepare(prepared.staleNames, prepared.pages)
	if err != nil {
		return err
	}
	writes, err := change.StateWrites()
	if err != nil {
		return err
	}
	prepared.State = append(prepared.State, writes...)
	end := g.backlog.Begin(prepared.staleNames)
	_, err = g.store.Commit(ctx, prepared.Batch)
	end(change, err)
	prepared.newlyStale = change.NewlyStale
	for name := range prepared.followsStale {
		delete(prepared.newlyStale, name)
	}
	return err
}

// acquire waits for a lock, at most until the context ends.
func acquire(ctx context.Context, lock *semaphore.Weighted, weight int64) (release func(), err error) {
	if err := lock.Acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("wait for a commit in flight: %w", err)
	}
	return func() { lock.Release(weight) }, nil
}

// apply commits the batch with its audit record.
func (c *commitBuilder) apply(ctx context.Context, results []Result, record Record, marks []store.StateWrite) error {
	prepared := c.prepared()
	prepared.State = marks
	if record != nil {
		var err error
		if prepared.Log, err = record(results); err != nil {
			return fmt.Errorf("make the audit record of a write: %w", err)
		}
	}
	if len(prepared.Writes) == 0 && len(prepared.Log) == 0 && len(marks) == 0 {
		return nil
	}
	err := c.view.guard.commitPrepared(ctx, prepared)
	c.newlyStale = prepared.newlyStale
	return err
}

// prepared returns the batch for commitPrepared.
func (c *commitBuilder) prepared() *preparedCommit {
	prepared := &preparedCommit{changedNames: c.changedNames, staleNames: c.staleNames, epoch: c.view.epoch, definitions: c.definitions, newTable: c.newTable,
		replaced: func(ref store.Ref) store.Doc { return c.replaced[ref] }}
	for _, ref := range c.order {
		w := c.pending[ref]
		prepared.Writes = append(prepared.Writes, *w)
		prepared.dependsOn = append(prepared.dependsOn, index.Names(w.Doc.Keys, index.DependsOnPrefix())...)
		if !w.Doc.Deleted() {
			prepared.reliesOn = append(prepared.reliesOn, c.view.guard.keyer.ReliesOn(w.Doc)...)
		}
	}
	prepared.Absent, prepared.Tracker = c.absences, c.view.snap.Tracker()
	c.TrackedReader.AddConditions(&prepared.Batch)
	for ref, d := range c.Sources {
		if c.pending[ref] == nil {
			prepared.sources = append(prepared.sources, d)
		}
	}
	//law:checks-made
	return prepared
}
