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

// leads returns the documents that lead to a Binary. complete is false where
// there are none, or one is not there.
func (g *Guard) leads(ctx context.Context, w world, d store.Doc, o index.Ownership) (docs []store.Doc, complete bool, err error) {
	if !gjson.GetBytes(d.Body, "securityContext").Exists() {
		holders, err := w.holders(ctx, d.Ref.ID)
		docs = slices.DeleteFunc(holders, func(h store.Doc) bool { return h.Source != d.Source })
		return docs, len(docs) > 0, err
	}
	var refs []store.Ref
	for _, r := range o.Context {
		refs = append(refs, store.Ref{Type: r.Type, ID: r.ID})
	}
	complete = len(refs) > 0
	for _, ref := range refs {
		lead, err := w.newest(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			complete = false
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("look up what a Binary belongs to: %w", err)
		}
		docs, complete = append(docs, lead), complete && !lead.Dead()
	}
	return docs, complete, nil
}

// inherits are the named facts that a Binary has only where all that leads to it
// has them.
var inherits = []string{factResolved, factOrdinary, factReleased, factShared}

// led returns the keys of a Binary with what it takes from the documents that
// lead to it: owners and mentions of each, and no named fact that one of them
// lacks.
func (g *Guard) led(ctx context.Context, w world, d store.Doc, o index.Ownership, keys []store.Key) ([]store.Key, error) {
	docs, complete, err := g.leads(ctx, w, d, o)
	if err != nil {
		return nil, err
	}
	without := map[store.Key]bool{index.FactKey(factResolved): !complete || o.Unsettled}
	if complete && len(o.Patients)+len(o.Identifiers)+len(o.Through) == 0 && !gjson.GetBytes(d.Body, "securityContext").Exists() {
		keys = append(keys, index.FactKey(factResolved)) // the documents alone say whom it is about
	}
	owners := index.Owners(store.Sorted(slices.Clone(keys)))
	var mentions []string
	for _, lead := range docs {
		of := ownersOf(lead.Keys)
		if lead.Dead() {
			var waits []string
			if of, waits, err = g.ended(ctx, w, lead); err != nil {
				return nil, err
			}
			for _, name := range waits {
				keys = append(keys, index.WantsKey(name))
			}
		}
		owners = append(owners, of...)
		mentions = append(mentions, names(lead.Keys, index.MentionPrefix())...)
		for _, name := range inherits {
			if k := index.FactKey(name); !store.Match(store.Eq{Key: k}, lead.Keys) {
				without[k] = true
			}
		}
	}
	for _, p := range o.Patients { // whose labels are the Binary's too
		keys = append(keys, index.WantsKey("Patient/"+p))
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

// holders returns the live documents that attach a Binary, with their keys.
func (s standing) holders(ctx context.Context, binary string) ([]store.Doc, error) {
	var out []store.Doc
	for d, err := range s.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.HoldsKey(binary)}, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look for documents of a Binary: %w", err)
		}
		out = append(out, d)
	}
	return out, nil
}

// holders are those of the snapshot with the batch on top. Each must still be the
// newest when the batch is applied.
func (c *commit) holders(ctx context.Context, binary string) ([]store.Doc, error) {
	stored, err := c.standing().holders(ctx, binary)
	if err != nil {
		return nil, err
	}
	if len(stored) == 0 { // nor may one come meanwhile
		c.absent = append(c.absent, store.Absent{
			Where: store.Eq{Key: index.HoldsKey(binary)}, Claims: []store.Key{index.HoldsKey(binary)}})
	}
	var out []store.Doc
	for _, d := range stored {
		if _, pending := c.pending[d.Ref]; !pending {
			c.checks = append(c.checks, store.Check{Ref: d.Ref, Version: d.Version})
			out = append(out, d)
		}
	}
	for _, w := range c.pending {
		if !w.Doc.Dead() && store.Match(store.Eq{Key: index.HoldsKey(binary)}, w.Doc.Keys) {
			out = append(out, w.Doc)
		}
	}
	return out, nil
}

// held are the ids of the Binaries that a document attaches.
func held(d store.Doc) []string { return names(d.Keys, index.HoldsPrefix()) }

// attached keys anew the Binaries that a document attaches, or did before.
func (c *commit) attached(ctx context.Context, now, before store.Doc, changed *[]store.Ref) error {
	ids := append(held(before), held(now)...)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		ref := store.Ref{Type: "Binary", ID: id}
		if _, pending := c.pending[ref]; !pending {
			d, err := c.newest(ctx, ref)
			if err == nil && d.Dead() { // what inherits from it depends on what attaches it
				if c.view.guard.types.wants(ref.String()) {
					err = c.rekey(ctx, store.Eq{Key: index.WantsKey(ref.String())}, changed)
				}
				if err != nil {
					return err
				}
				continue
			}
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("look for an attached Binary: %w", err)
			}
			c.put(store.Write{Doc: d, Expect: d.Version, Rekey: true}, d)
			if err := c.keyAgain(ctx, c.pending[ref], changed); err != nil {
				return err
			}
		} else if w := c.pending[ref]; !w.Doc.Dead() && c.described[ref] < c.described[now.Ref] {
			if err := c.keyAgain(ctx, w, changed); err != nil {
				return err
			}
		}
	}
	return nil
}
