package consent

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// keyAll stamps and keys every document of the batch: Patients first, and those that inherit owners after
// their sources (facts.KeyOrder). It then rekeys documents of the batch that depend on others of it, and
// adds the names that the batch changes to the backlog if stored documents depend on them.
func (c *commitBuilder) keyAll(ctx context.Context) error {
	refs := slices.Clone(c.order)
	slices.SortStableFunc(refs, func(a, b store.Ref) int { return facts.KeyOrder(a.Type) - facts.KeyOrder(b.Type) })
	if err := c.extractAll(ctx, refs); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := c.keyOne(ctx, c.pending[ref]); err != nil {
			return err
		}
	}
	if err := c.propagate(ctx, refs); err != nil {
		return err
	}
	return c.markAll(ctx)
}

func (c *commitBuilder) keyOne(ctx context.Context, w *store.Write) error {
	if w.Doc.Deleted() {
		before := c.replaced[w.Doc.Ref]
		w.Doc.Keys, w.Doc.RowID = before.Keys, before.RowID
		return nil
	}
	return c.keyLive(ctx, w)
}

// keyLive makes the keys of a live document of the batch.
func (c *commitBuilder) keyLive(ctx context.Context, w *store.Write) error {
	row, read := c.entries[w.Doc.Ref]
	if !read { // a stored document
		var err error
		if row, err = c.view.guard.keyer.Extract(w.Doc); err != nil {
			return err
		}
		c.entries[w.Doc.Ref] = row
	}
	made, err := c.view.guard.keyer.Describe(ctx, c, w.Doc, row)
	if err != nil {
		return err
	}
	w.Doc.Keys, w.Doc.RowID = made.Keys, made.RowID
	for _, name := range append(index.Names(made.Keys, index.DependsOnPrefix()), c.view.guard.keyer.ReliesOn(w.Doc)...) {
		c.dependents.add(name, w.Doc.Ref)
	}
	c.keyCount++
	c.keyedAt[w.Doc.Ref] = c.keyCount
	return nil
}

// dependentDocs are the documents of a batch by the names on which they depend.
type dependentDocs map[string]map[store.Ref]bool

func (w dependentDocs) add(name string, ref store.Ref) {
	if w[name] == nil {
		w[name] = map[store.Ref]bool{}
	}
	w[name][ref] = true
}

// maxPropagationRounds bounds the rounds of propagate. No record has a chain of so many documents; the rest
// is left to the backlog.
const maxPropagationRounds = 20

// propagate rekeys the documents of the batch until each was keyed after the last change of every
// document of the batch that it depends on: that is the fixpoint. A round collects the names that the
// documents of the round before changed for their dependents, and rekeys the dependents that were keyed
// before the change, each once. It ends: a chain ends at a document whose inherited keys do not change,
// and maxPropagationRounds bounds the rounds where documents inherit in a cycle.
func (c *commitBuilder) propagate(ctx context.Context, refs []store.Ref) error {
	for round := 0; len(refs) > 0; round++ {
		changed, err := c.collectChanges(ctx, refs)
		if err != nil {
			return err
		}
		if round == maxPropagationRounds {
			for name := range changed {
				c.staleNames[name] = c.staleNames[name].Merge(backlog.Entry{})
			}
			return nil
		}
		if refs, err = c.rekeyDependents(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// collectChanges returns the names that some documents change, each with the latest count at which one of
// them was keyed, and adds their stored dependents to the backlog.
func (c *commitBuilder) collectChanges(ctx context.Context, refs []store.Ref) (map[string]int, error) {
	changed := map[string]int{}
	for _, ref := range refs {
		now, before := c.pending[ref].Doc, c.propagatedOf(ref)
		c.lastPropagated[ref] = now
		for _, name := range c.view.guard.keyer.NamesChanged(now, before) {
			changed[name] = max(changed[name], c.keyedAt[ref])
			if err := c.findDependents(ctx, name, c.staleFrom(now), c.replaced[ref]); err != nil {
				return nil, err
			}
		}
		if err := c.rekeyAttached(ctx, now, before, changed); err != nil {
			return nil, err
		}
		if ref.Type == "Patient" {
			c.notePersonChange(now)
		}
	}
	return changed, nil
}

// notePersonChange adds an entry for the stored documents about a Patient if a new version changes the person of
// the Patient, or deletes it (IDN-112).
func (c *commitBuilder) notePersonChange(now store.Doc) {
	before := c.replaced[now.Ref]
	if before.Version == 0 || before.Deleted() || !now.Deleted() && facts.SamePerson(now.Keys, before.Keys) {
		return
	}
	c.noteStale(backlog.OwnerPrefix+now.Ref.ID, backlog.Entry{
		Subjects: facts.Distinct(facts.SubjectNames(now), facts.SubjectNames(before), facts.NamesBorne(now)),
		Persons:  index.Owners(before.Keys),
		Barred:   c.staleFrom(before).Barred,
		Depth:    c.depth,
	})
}

// propagatedOf returns a document as its dependents were keyed from it.
func (c *commitBuilder) propagatedOf(ref store.Ref) store.Doc {
	if d, propagated := c.lastPropagated[ref]; propagated {
		return d
	}
	return c.replaced[ref]
}

// rekeyDependents rekeys the documents of the batch that depend on changed names and were keyed before the
// change, and returns them.
func (c *commitBuilder) rekeyDependents(ctx context.Context, changed map[string]int) ([]store.Ref, error) {
	again := map[store.Ref]bool{}
	for name, when := range changed {
		for ref := range c.dependents[name] {
			if w := c.pending[ref]; !w.Doc.Deleted() && c.keyedAt[ref] <= when {
				again[ref] = true
			}
		}
	}
	refs := make([]store.Ref, 0, len(again))
	for ref := range again {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b store.Ref) int {
		return cmp.Or(facts.KeyOrder(a.Type)-facts.KeyOrder(b.Type), strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID))
	})
	for _, ref := range refs {
		if err := c.keyLive(ctx, c.pending[ref]); err != nil {
			return nil, err
		}
	}
	return refs, nil
}
