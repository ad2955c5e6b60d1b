package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Who may see a Binary follows from the documents that lead to it (SMART-257):
// what its securityContext names or, without one, the documents of the same
// source that attach it. A Binary to which nothing leads is its source's alone.
// A document of another source does not count: it would give away, or hide, what
// its author may not even see.

// BinaryParents returns the documents that lead to a Binary. complete is false where
// there are none, or one is not there.
func (g *Guard) BinaryParents(ctx context.Context, w Reader, d store.Doc, o index.Ownership) (docs []store.Doc, complete bool, err error) {
	if !gjson.GetBytes(d.Body, "securityContext").Exists() {
		docs, err = w.AttachedBy(ctx, d.Ref.ID, d.Source)
		return docs, len(docs) > 0, err
	}
	var refs []store.Ref
	for _, r := range o.SecurityContext {
		refs = append(refs, store.Ref{Type: r.Type, ID: r.ID})
	}
	complete = len(refs) > 0
	for _, ref := range refs {
		lead, err := w.Newest(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			complete = false
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("look up what a Binary belongs to: %w", err)
		}
		docs, complete = append(docs, lead), complete && !lead.Deleted()
	}
	return docs, complete, nil
}

// inheritedFacts are the named facts that a Binary has only where all that leads to it
// has them.
var inheritedFacts = []string{factResolved, factOrdinary, factReleased, factShared}

// inheritFromParents returns the keys of a Binary with what it takes from the documents that
// lead to it: owners and mentions of each, and no named fact that one of them
// lacks.
func (g *Guard) inheritFromParents(ctx context.Context, w Reader, d store.Doc, o index.Ownership, keys []store.Key) ([]store.Key, error) {
	docs, complete, err := g.BinaryParents(ctx, w, d, o)
	if err != nil {
		return nil, err
	}
	without := map[store.Key]bool{index.FactKey(factResolved): !complete || o.Unsettled}
	if complete && len(o.Patients)+len(o.Identifiers)+len(o.InheritFrom) == 0 && !gjson.GetBytes(d.Body, "securityContext").Exists() {
		keys = append(keys, index.FactKey(factResolved)) // the documents alone say whom it is about
	}
	owners := index.Owners(store.Sorted(slices.Clone(keys)))
	var mentions []string
	for _, lead := range docs {
		of := ownership{owners: ownersOf(lead.Keys), about: names(lead.Keys, index.AboutPrefix())}
		if lead.Deleted() {
			if of, err = g.ownersOfTombstone(ctx, w, lead); err != nil {
				return nil, err
			}
		}
		keys = of.appendKeys(keys)
		owners = append(owners, of.owners...)
		mentions = append(mentions, names(lead.Keys, index.MentionPrefix())...)
		for _, name := range inheritedFacts {
			//law:binary-facts
			if k := index.FactKey(name); !store.Match(store.Eq{Key: k}, lead.Keys) {
				without[k] = true
			}
		}
	}
	for _, p := range o.Patients { // whose labels are the Binary's too
		keys = append(keys, index.DependsOnKey("Patient/"+p))
	}
	keys = slices.DeleteFunc(keys, func(k store.Key) bool { return without[k] })
	for _, p := range owners {
		keys = append(keys, index.OwnerKey(p))
		mentions = slices.DeleteFunc(mentions, func(m string) bool { return m == p })
		keys = slices.DeleteFunc(keys, func(k store.Key) bool { return k == index.MentionKey(p) })
	}
	for _, p := range mentions {
		keys = append(keys, index.MentionKey(p))
	}
	return keys, nil
}

// AttachedBy implements world: the documents come with their keys.
func (s Snapshot) AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error) {
	var out []store.Doc
	for d, err := range s.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.AttachesKey(binary, source)}, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look for documents of a Binary: %w", err)
		}
		out = append(out, d)
	}
	return out, nil
}

// held are the ids of the Binaries that a document attaches.
func held(d store.Doc) []string { return index.Attached(d.Keys) }

// AttachedPrefix begins the name by which a Binary depends on the documents that attach it;
// behind it stands the id of the Binary.
const AttachedPrefix = "attached:"

// rekeyAttached keys anew the Binaries of the same source that a document attaches, or
// did before, as part of the batch. A page of the backlog notes those that many documents
// attach as stale: pages of the same name share them, and each would ask all these documents.
func (c *commitBuilder) rekeyAttached(ctx context.Context, now, before store.Doc, changed map[string]int) error {
	if slices.Equal(held(now), held(before)) && !now.Deleted() && before.Version > 0 && !before.Deleted() && SameInheritance(now.Keys, before.Keys) {
		return nil
	}
	for _, id := range Distinct(held(before), held(now)) {
		ref := store.Ref{Type: "Binary", ID: id}
		if _, pending := c.pending[ref]; !pending {
			d, err := c.Newest(ctx, ref)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look for an attached Binary: %w", err)
			}
			if d.Source != now.Source { // it does not follow from documents of others
				continue
			}
			if d.Deleted() { // what inherits from it depends on what attaches it
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
		name := AttachedPrefix + id
		changed[name] = max(changed[name], c.keyedAt[now.Ref])
		c.dependents.add(name, ref)
	}
	return nil
}

// postpone notes a Binary that a document attaches as stale, where the batch is a page of
// the backlog and more documents attach it than a page has. What depends on the Binary is
// stale by the same name (entryKeys.add); what follows through others is noted too.
func (c *commitBuilder) postpone(ctx context.Context, binary, by store.Doc) (bool, error) {
	if !c.backlogPage {
		return false, nil
	}
	name := AttachedPrefix + binary.Ref.ID
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

// isParentOf reports whether a stored document leads to a Binary that it attaches: one of the
// same source.
func (c *commitBuilder) isParentOf(ctx context.Context, d store.Doc, id string) (bool, error) {
	b, err := c.view.snap.Get(ctx, store.Ref{Type: "Binary", ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an attached Binary: %w", err)
	}
	return b.Source == d.Source, nil
}
