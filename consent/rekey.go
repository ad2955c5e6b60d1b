package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	if w.Doc.Dead() {
		before := c.before[w.Doc.Ref]
		w.Doc.Keys, w.Doc.ID = before.Keys, before.ID
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
	w.Doc.Keys, w.Doc.ID = made.keys, made.id
	for _, name := range names(made.keys, index.WantsPrefix()) {
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
			if err := c.look(ctx, name, now); err != nil {
				return nil, err
			}
		}
		if err := c.attached(ctx, now, before, changed); err != nil {
			return nil, err
		}
		if now.Dead() && ref.Type == "Patient" && !before.Dead() && before.Version > 0 {
			c.stale[ownerName+ref.ID] = staleName{Of: append(names(before.Keys, index.BearsPrefix()), ref.ID), Barred: staleBy(before).Barred}
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
	appears := before.Version == 0 || before.Dead()
	if appears || now.Dead() || !sameHeirs(now.Keys, before.Keys) {
		out = append(out, now.Ref.String())
	}
	if now.Ref.Type != "Patient" {
		return out
	}
	var a, b []string
	if !now.Dead() {
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

// look finds out whether documents of the store depend on a name that the batch
// changes. If there are, they are keyed behind the commit, and until then they are
// their source's alone; if not, none may come before the commit.
func (c *commit) look(ctx context.Context, name string, by store.Doc) error {
	if s, stale := c.stale[name]; stale {
		c.stale[name] = s.with(staleBy(by))
		return nil
	}
	if looked := c.changed[name]; looked {
		return nil
	}
	looks := c.view.guard.types.wants(name)
	if c.changed[name] = looks; !looks {
		return nil
	}
	where := store.Eq{Key: index.DependsKey(name)}
	n, err := c.view.snap.Count(ctx, store.Query{Where: where, KeysOnly: true}, 1)
	if err != nil {
		return fmt.Errorf("look for what depends on a write: %w", err)
	}
	if n > 0 {
		s := staleBy(by)
		if number, is := strings.CutPrefix(name, "nhs:"); is { // whom it stands for from now on
			bearers, err := c.bearers(ctx, number)
			if err != nil {
				return err
			}
			s.Of = append(s.Of, bearers...)
		}
		c.stale[name] = s
		return c.chain(ctx, name, s)
	}
	c.reads.absent["depends "+name] = store.Absent{Where: where, Claims: []store.Key{where.Key}}
	return nil
}

// chainMost bounds how many documents are looked at for what follows a change through
// others.
const chainMost = 200

// chain notes the documents that depend on a stale one, and on these, as stale too: what
// follows them is to be its source's alone from the commit on, not only when they are
// keyed. What follows a person has the person's name, and needs none of this. Where there
// are very many, all documents are of those whom the change and the last one looked at
// are about.
func (c *commit) chain(ctx context.Context, name string, s staleName) error {
	if strings.HasPrefix(name, "nhs:") || strings.HasPrefix(name, "Patient/") {
		return nil
	}
	looked := 0
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		s.Depth = c.stale[queue[0]].Depth + 1
		for d, err := range c.view.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.DependsKey(queue[0])}, KeysOnly: true}) {
			if err != nil {
				return fmt.Errorf("look for what follows a write: %w", err)
			}
			if looked++; looked > chainMost {
				of := slices.DeleteFunc(slices.Clone(s.Of), ofIdentifier)
				for _, p := range append(of, ownersOf(d.Keys)...) {
					c.stale[ownerName+p] = c.stale[ownerName+p].with(staleName{Of: s.Of, Barred: s.Barred})
				}
				return nil
			}
			next := d.Ref.String()
			if _, known := c.stale[next]; known || !c.view.guard.types.wants(next) {
				continue
			}
			c.stale[next] = s
			queue = append(queue, next)
		}
	}
	return nil
}

// staleBy is a name that a document changes.
func staleBy(d store.Doc) staleName {
	return staleName{Of: subjects(d), Barred: store.Match(either(fact(factBarred), fact(factRestricted)), d.Keys)}
}

// subjects are the names of those whom documents may be about that follow from one.
func subjects(d store.Doc) []string {
	if d.Ref.Type == "Patient" {
		return []string{d.Ref.ID}
	}
	return append(ownersOf(d.Keys), names(d.Keys, index.AboutPrefix())...)
}

// keyAgain keys the documents of the batch that depend on changed names and were
// keyed before the change, and returns them.
func (c *commit) keyAgain(ctx context.Context, changed map[string]int) ([]store.Ref, error) {
	again := map[store.Ref]bool{}
	for name, when := range changed {
		for ref := range c.waiting[name] {
			if w := c.pending[ref]; !w.Doc.Dead() && c.described[ref] <= when {
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

// attached keys anew the Binaries of the same source that a document attaches, or
// did before, as part of the batch.
func (c *commit) attached(ctx context.Context, now, before store.Doc, changed map[string]int) error {
	if slices.Equal(held(now), held(before)) && !now.Dead() && before.Version > 0 && !before.Dead() && sameHeirs(now.Keys, before.Keys) {
		return nil
	}
	refs := append(held(before), held(now)...)
	slices.Sort(refs)
	for _, id := range slices.Compact(refs) {
		ref := store.Ref{Type: "Binary", ID: id}
		if _, pending := c.pending[ref]; !pending {
			d, err := c.newest(ctx, ref)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look for an attached Binary: %w", err)
			}
			if d.Source != now.Source { // it does not follow from documents of others
				continue
			}
			if d.Dead() { // what inherits from it depends on what attaches it
				changed[ref.String()] = max(changed[ref.String()], c.described[now.Ref])
				if err := c.look(ctx, ref.String(), now); err != nil {
					return err
				}
				continue
			}
			c.put(store.Write{Doc: d, Expect: d.Version, Keying: d.Keying, Rekey: true}, d)
		}
		name := attachedName(id)
		changed[name] = max(changed[name], c.described[now.Ref])
		c.waiting.add(name, ref)
	}
	return nil
}

// attachedName is the name by which a Binary depends, within a batch, on the
// documents that attach it.
func attachedName(id string) string { return "attached " + id }
