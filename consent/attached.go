package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// rekeyAttached rekeys, in the same batch, the Binaries of the same source that a document attaches or
// attached before. A page of the backlog adds entries for Binaries with many parents instead: otherwise
// each page of a name would read all these parents.
func (c *commitBuilder) rekeyAttached(ctx context.Context, now, before store.Doc, changed map[string]int) error {
	if slices.Equal(index.Attached(now.Keys), index.Attached(before.Keys)) && !now.Deleted() && before.Version > 0 && !before.Deleted() && facts.SameInheritance(now.Keys, before.Keys) {
		return nil
	}
	for _, id := range facts.Distinct(index.Attached(before.Keys), index.Attached(now.Keys)) {
		ref := store.Ref{Type: "Binary", ID: id}
		if _, pending := c.pending[ref]; !pending {
			d, err := c.Newest(ctx, ref)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look up an attached Binary: %w", err)
			}
			if d.Source != now.Source { // a document of another source is not a parent
				continue
			}
			if d.Deleted() { // facts inherited from it depend on its parents
				changed[ref.String()] = max(changed[ref.String()], c.keyedAt[now.Ref])
				if err := c.findDependents(ctx, ref.String(), c.staleFrom(now), d); err != nil {
					return err
				}
				continue
			}
			if postponed, err := c.postpone(ctx, d, now); err != nil || postponed {
				if err != nil {
					return err
				}
				continue
			}
			c.put(store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}, d)
		}
		name := backlog.AttachedPrefix + id
		changed[name] = max(changed[name], c.keyedAt[now.Ref])
		c.dependents.add(name, ref)
	}
	return nil
}

// postpone adds an entry for a Binary and returns true if the batch is a page of the backlog and the Binary
// has more parents than a page. The entry includes the dependents of the Binary (entryKeys.add); indirect
// dependents get entries of their own.
func (c *commitBuilder) postpone(ctx context.Context, binary, by store.Doc) (bool, error) {
	if !c.backlogPage {
		return false, nil
	}
	name := backlog.AttachedPrefix + binary.Ref.ID
	if _, noted := c.staleNames[name]; !noted {
		q := store.Query{Where: store.Eq{Key: index.AttachesKey(binary.Ref.ID, by.Source)}, KeysOnly: true}
		n, err := c.view.snap.Count(ctx, q, catchUpPage+1)
		if err != nil {
			return false, fmt.Errorf("count the documents that attach a Binary: %w", err)
		}
		if n <= catchUpPage {
			return false, nil
		}
	}
	s := c.staleFrom(by)
	c.noteStale(name, s)
	s.Depth++
	return true, c.findDependents(ctx, binary.Ref.String(), s, binary)
}

// isParentOf reports whether a stored document is a parent of a Binary that it attaches: both have the
// same source.
func (c *commitBuilder) isParentOf(ctx context.Context, d store.Doc, id string) (bool, error) {
	b, err := c.view.snap.Get(ctx, store.Ref{Type: "Binary", ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up an attached Binary: %w", err)
	}
	return b.Source == d.Source, nil
}
