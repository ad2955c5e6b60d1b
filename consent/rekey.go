package consent

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// describeAll stamps and keys every document of the batch: Patients first, since
// others ask whether they are there, and those that inherit owners last. Then it
// keys anew those documents of the batch that depend on another one of it, and
// notes which names the batch changes: what depends on these in the store is keyed
// anew behind the commit (backlog.go).
func (c *commit) describeAll(ctx context.Context) error {
	refs := slices.Clone(c.order)
	slices.SortStableFunc(refs, func(a, b store.Ref) int { return turn(a.Type) - turn(b.Type) })
	if err := c.prepare(ctx, refs); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := c.describe(ctx, c.pending[ref]); err != nil {
			return err
		}
	}
	if err := c.follow(ctx, refs); err != nil {
		return err
	}
	return c.mark(ctx)
}

func (c *commit) describe(ctx context.Context, w *store.Write) error {
	if w.Doc.Deleted() {
		before := c.before[w.Doc.Ref]
		w.Doc.Keys, w.Doc.RowID = before.Keys, before.RowID
		return nil
	}
	return c.key(ctx, w)
}

// key makes the keys of a live document of the batch.
func (c *commit) key(ctx context.Context, w *store.Write) error {
	row, read := c.rows[w.Doc.Ref]
	if !read { // a document of the store
		var err error
		if row, err = c.view.guard.row(w.Doc); err != nil {
			return err
		}
		c.rows[w.Doc.Ref] = row
	}
	made, err := c.view.guard.describe(ctx, c, w.Doc, row)
	if err != nil {
		return err
	}
	w.Doc.Keys, w.Doc.RowID = made.keys, made.id
	for _, name := range names(made.keys, index.DependsOnPrefix()) {
		c.waiting.add(name, w.Doc.Ref)
	}
	c.keyed++
	c.described[w.Doc.Ref] = c.keyed
	return nil
}

// waiters are the documents of a batch by the names that they depend on.
type waiters map[string]map[store.Ref]bool

func (w waiters) add(name string, ref store.Ref) {
	if w[name] == nil {
		w[name] = map[store.Ref]bool{}
	}
	w[name][ref] = true
}

// sameHeirs compares what documents that depend on this one take from it: its
// owners, the names that it is about, and named facts; a Binary also its mentions.
func sameHeirs(a, b []store.Key) bool {
	for _, prefix := range []store.Key{index.OwnerPrefix(), index.AboutPrefix(), index.MentionPrefix()} {
		if !slices.Equal(names(a, prefix), names(b, prefix)) {
			return false
		}
	}
	return !slices.ContainsFunc(inherits, func(name string) bool { return store.Match(fact(name), a) != store.Match(fact(name), b) })
}

// followRounds bounds how often the batch is followed: a chain of that many
// documents that inherit from one another is none that a record has. What is left
// then is keyed behind the commit.
const followRounds = 20

// follow tells what the documents changed, round by round: each round keys every
// document of the batch that depends on a change once, however many changes it
// depends on.
func (c *commit) follow(ctx context.Context, refs []store.Ref) error {
	for round := 0; len(refs) > 0; round++ {
		changed, err := c.changes(ctx, refs)
		if err != nil {
			return err
		}
		if round == followRounds {
			for name := range changed {
				c.stale[name] = c.stale[name].with(staleName{})
			}
			return nil
		}
		if refs, err = c.keyAgain(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// changes returns the names that documents change, each with the time of the
// latest of these, and notes what depends on them in the store.
func (c *commit) changes(ctx context.Context, refs []store.Ref) (map[string]int, error) {
	changed := map[string]int{}
	for _, ref := range refs {
		now, before := c.pending[ref].Doc, c.toldOf(ref)
		c.told[ref] = now
		for _, name := range changedNames(now, before) {
			changed[name] = max(changed[name], c.described[ref])
			if err := c.look(ctx, name, c.staleBy(now), c.before[ref]); err != nil {
				return nil, err
			}
		}
		if err := c.attached(ctx, now, before, changed); err != nil {
			return nil, err
		}
		if now.Deleted() && ref.Type == "Patient" && !before.Deleted() && before.Version > 0 {
			c.stale[ownerName+ref.ID] = staleName{Of: append(names(before.Keys, index.BearsPrefix()), ref.ID), Barred: c.staleBy(before).Barred}
		}
	}
	return changed, nil
}

// toldOf is a document as those that depend on it know it.
func (c *commit) toldOf(ref store.Ref) store.Doc {
	if d, told := c.told[ref]; told {
		return d
	}
	return c.before[ref]
}

// changedNames are the names of which a new version changes what they stand for.
func changedNames(now, before store.Doc) []string {
	var out []string
	appears := before.Version == 0 || before.Deleted()
	if appears || now.Deleted() || !sameHeirs(now.Keys, before.Keys) {
		out = append(out, now.Ref.String())
	}
	if now.Ref.Type != "Patient" {
		return out
	}
	var a, b []string
	if !now.Deleted() {
		a = nhsNumbers(now.Body)
	}
	if !appears {
		b = nhsNumbers(before.Body)
	}
	for _, number := range append(slices.Clone(a), b...) {
		if slices.Contains(a, number) != slices.Contains(b, number) {
			out = append(out, "nhs:"+number)
		}
	}
	return out
}

// keyAgain keys the documents of the batch that depend on changed names and were
// keyed before the change, and returns them.
func (c *commit) keyAgain(ctx context.Context, changed map[string]int) ([]store.Ref, error) {
	again := map[store.Ref]bool{}
	for name, when := range changed {
		for ref := range c.waiting[name] {
			if w := c.pending[ref]; !w.Doc.Deleted() && c.described[ref] <= when {
				again[ref] = true
			}
		}
	}
	refs := make([]store.Ref, 0, len(again))
	for ref := range again {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b store.Ref) int {
		return cmp.Or(turn(a.Type)-turn(b.Type), strings.Compare(a.Type, b.Type), strings.Compare(a.ID, b.ID))
	})
	for _, ref := range refs {
		if err := c.key(ctx, c.pending[ref]); err != nil {
			return nil, err
		}
	}
	return refs, nil
}
