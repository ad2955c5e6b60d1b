package consent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// findDependents looks for stored documents that depend on a name that the batch changes. If there are
// some, the batch adds the name to the backlog; if not, it requires that none is added before the commit.
// before is the stored version of the changed document.
func (c *commitBuilder) findDependents(ctx context.Context, name string, s backlog.Entry, before store.Doc) error {
	if _, stale := c.staleNames[name]; stale {
		if !c.noteStale(name, s) {
			return nil
		}
		return c.noteTransitive(ctx, name, s, before)
	}
	if searched := c.changedNames[name]; searched {
		return nil
	}
	if number, is := strings.CutPrefix(name, facts.IndexPrefix); is {
		return c.findBearers(ctx, name, number, s)
	}
	looks := c.view.guard.catalog.mayHaveDependents(name)
	if c.changedNames[name] = looks; !looks {
		return nil
	}
	where := store.Eq{Key: index.CrossTypeDependsOnKey(name)}
	n, err := c.view.snap.Count(ctx, store.Query{Where: where, KeysOnly: true}, 1)
	if err != nil {
		return fmt.Errorf("look up dependents of a write: %w", err)
	}
	if n == 0 {
		c.RequireAbsent("depends "+name, store.Absent{Where: where, Claims: []store.Key{where.Key}})
		return nil
	}
	c.noteStale(name, s)
	return c.noteTransitive(ctx, name, s, before)
}

// findBearers looks for stored Patients that bear a number of which the patient index's Patient changes. If
// there are some, the batch adds the name to the backlog.
func (c *commitBuilder) findBearers(ctx context.Context, name, number string, s backlog.Entry) error {
	c.changedNames[name] = true
	pending := maps.Clone(c.patients)
	others, err := c.view.index.IDIn("Patient", facts.SetFunc(func(id string) bool { return pending[id] }))
	if err != nil {
		return fmt.Errorf("look up the Patients of a number: %w", err)
	}
	where := store.And{store.Eq{Key: index.BearsKey(number)}, not(others)}
	n, err := c.view.snap.Count(ctx, store.Query{Type: "Patient", Where: where, KeysOnly: true}, 1)
	if err != nil {
		return fmt.Errorf("look up the Patients of a number: %w", err)
	}
	if n == 0 {
		c.RequireAbsent("bearers "+number, store.Absent{Type: "Patient", Where: where, Claims: []store.Key{index.BearsKey(number)}})
		return nil
	}
	s.Subjects = facts.Distinct(s.Subjects, []string{number})
	c.noteStale(name, s)
	return nil
}

// noteStale adds an entry, and reports whether it changes anything for indirect dependents.
func (c *commitBuilder) noteStale(name string, s backlog.Entry) bool {
	was, there := c.staleNames[name]
	now := s.Merge(was)
	c.staleNames[name] = now
	return !there || len(now.Subjects) > len(was.Subjects) || now.Barred != was.Barred || now.Depth > was.Depth
}

// staleFrom returns the entry for a name that a document of the batch changes.
func (c *commitBuilder) staleFrom(d store.Doc) backlog.Entry {
	return backlog.Entry{Subjects: facts.SubjectNames(d), Barred: store.Match(anyOf(fact(index.FactBarred), fact(index.FactRestricted)), d.Keys), Depth: c.depth}
}

// maxTransitive bounds how many indirect dependents get entries, and maxTransitiveReads how many documents
// are read to find them: one for each path.
const (
	maxTransitive      = 200
	maxTransitiveReads = 1000
)

// noteTransitive adds entries for the documents that depend on a stale one, directly or through others, so
// that their dependents are hidden from the commit on. Dependents of a person have the person's name and
// need no entries. If there are too many, the entry gets a Remainder instead.
func (c *commitBuilder) noteTransitive(ctx context.Context, name string, s backlog.Entry, before store.Doc) error {
	if !facts.IsDocumentName(name) {
		return nil
	}
	seen, reads, start := map[string]bool{name: true}, 0, c.staleNames[name].Depth
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		s.Depth = c.staleNames[queue[0]].Depth + 1
		for d, err := range c.view.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.CrossTypeDependsOnKey(queue[0])}, KeysOnly: true}) {
			if err != nil {
				return fmt.Errorf("look up indirect dependents of a write: %w", err)
			}
			reads += 1 + len(index.Attached(d.Keys))
			if seen[d.Ref.String()] = true; len(seen) > maxTransitive || reads > maxTransitiveReads {
				s := c.staleNames[name]
				s.Remainder = s.Remainder.Merge(c.remainderOf(name, before))
				c.staleNames[name] = s
				return nil
			}
			next, err := c.noteFollowers(ctx, d, s, start+len(seen))
			if err != nil {
				return err
			}
			queue = append(queue, next...)
		}
	}
	return nil
}

// noteFollowers adds entries for what depends on a stale document, and returns the names for which they are
// news. Depth is at most deepest, the length of a path without repetition: this ends cycles.
func (c *commitBuilder) noteFollowers(ctx context.Context, d store.Doc, s backlog.Entry, deepest int) (names []string, err error) {
	next := []string{d.Ref.String()}
	for _, id := range index.Attached(d.Keys) {
		attached, err := c.isParentOf(ctx, d, id)
		if err != nil {
			return nil, err
		}
		if attached {
			c.noteStale(backlog.AttachedPrefix+id, s)
			next = append(next, "Binary/"+id)
		}
	}
	return slices.DeleteFunc(next, func(name string) bool { // an entry is added also where nothing depends on it yet
		return s.Depth > deepest || !c.noteStale(name, s) || !c.view.guard.catalog.mayHaveDependents(name)
	}), nil
}

// remainderOf returns what all indirect dependents of a stored document have in common.
func (c *commitBuilder) remainderOf(name string, before store.Doc) *backlog.Remainder {
	of := facts.Persons(before.Keys)
	_, pending := c.view.guard.backlog.Get(name)
	switch {
	case pending: // some indirect dependents follow from older keys
	case before.Version == 0 || before.Deleted():
		return &backlog.Remainder{Unresolved: true}
	case len(of) > 0:
		return &backlog.Remainder{Of: of[:1]}
	}
	return &backlog.Remainder{Any: true}
}
