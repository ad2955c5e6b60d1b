package consent

import (
	"context"
	"errors"
	"fmt"

	"carerecord/fhir/index"
	"carerecord/store"
)

// landing is a batch on its last way to the store, with what it changes in memory.
type landing struct {
	store.Batch
	before    func(store.Ref) store.Doc // the versions that stand
	wants     []string                  // names that documents of the batch depend on
	changed   map[string]bool           // names that the batch changes (present.depart)
	stale     map[string]staleName      // names that documents of the store depend on
	fresh     map[string]bool           // those of stale that nobody else had added, once it is committed
	late      map[string]bool           // those of stale that follow what other commits made stale
	targets   []store.Doc               // documents of the store that those of the batch follow from, without bodies
	pages     []*keyedPage              // of the backlog, which the batch keys
	installed *index.Definitions        // the search parameters that the batch was keyed with
	table     *parameters               // the table that the batch brings; nil for the one that stands
	began     uint64                    // the epoch of the backlog before the snapshot of the batch
	completes []uint16                  // numbers of parameters that are complete with the batch
}

// land is the only way by which documents are committed. It keeps everything in
// memory that decides in step with the store: the types and names that are there,
// the register of directives, the backlog, and the table of defined search
// parameters (docs/memory.md). What a batch denies is in force before the commit,
// what it permits behind it.
//
// store.ErrConflict: another commit was faster. Every other error is unstored's: it says
// whether nothing was stored, or it may have been.
func (g *Guard) land(ctx context.Context, l *landing) error {
	tells := func(w *store.Write) bool { return g.register.tells(l.before(w.Doc.Ref), w.Doc) }
	ordered := false
	for i := range l.Writes {
		g.types.add(l.Writes[i].Doc.Ref.Type)
		ordered = ordered || tells(&l.Writes[i])
	}
	arrive, err := g.types.depart(ctx, l.wants, l.changed)
	if err != nil {
		return unstored(err)
	}
	defer arrive()
	g.newcomers(l)
	over, err := g.keepLabels(ctx, l)
	if err != nil {
		return unstored(err)
	}
	defer over()
	release, err := g.hold(ctx, l)
	if err != nil {
		return unstored(err)
	}
	defer release()
	if ordered {
		release, err := take(ctx, g.register.commits, 1)
		if err != nil {
			return unstored(err)
		}
		defer release()
	}
	g.register.expect(l.Writes)
	identifiers, patients := g.register.newNames(l.Writes)
	if err = g.register.meet(ctx, g.store, identifiers, patients); err == nil {
		err = g.commitBacklog(ctx, l)
	}
	if left := g.register.over(l.Writes, tells, err); len(left) > 0 {
		g.readers.after(func() { g.register.forget(left) })
	}
	g.tableOutcome(l.table, err)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return unstored(fmt.Errorf("commit: %w", err))
	}
	return err
}

// commitBacklog commits a batch with what it changes in the backlog.
func (g *Guard) commitBacklog(ctx context.Context, l *landing) error {
	if len(l.stale) == 0 && len(l.pages) == 0 {
		_, err := g.store.Commit(ctx, l.Batch)
		return err
	}
	release, err := take(ctx, g.backlog.commits, 1)
	if err != nil {
		return err
	}
	defer release()
	change, err := g.backlog.next(l.stale, l.pages)
	if err != nil {
		return err
	}
	writes, err := change.writes()
	if err != nil {
		return err
	}
	l.State = append(l.State, writes...)
	over := g.backlog.expect(l.stale)
	_, err = g.store.Commit(ctx, l.Batch)
	over(change, err)
	l.fresh = change.fresh
	for name := range l.late {
		delete(l.fresh, name)
	}
	return err
}
