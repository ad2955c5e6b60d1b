package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/fhir/index"
	"carerecord/store"
)

// The readers of a Binary follow from its parents (SMART-257): the resources that its securityContext
// names or, without one, the documents of the same source that attach it. Only its source sees a Binary
// without parents. Documents of other sources are no parents: they could show or hide content that
// their author may not see.

// BinaryParents returns the parents of a Binary. complete is false where it has none, or one is missing.
func (k *Keyer) BinaryParents(ctx context.Context, reader Reader, d store.Doc, o index.Ownership) (docs []store.Doc, complete bool, err error) {
	if !gjson.GetBytes(d.Body, "securityContext").Exists() {
		docs, err = reader.AttachedBy(ctx, d.Ref.ID, d.Source)
		return docs, len(docs) > 0, err
	}
	var refs []store.Ref
	for _, r := range o.SecurityContext {
		refs = append(refs, store.Ref{Type: r.Type, ID: r.ID})
	}
	complete = len(refs) > 0
	for _, ref := range refs {
		parent, err := reader.Newest(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			complete = false
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("look up the parents of a Binary: %w", err)
		}
		docs, complete = append(docs, parent), complete && !parent.Deleted()
	}
	return docs, complete, nil
}

// inheritedFacts are the named facts that a Binary has only if all its parents have them.
var inheritedFacts = []string{index.FactResolved, index.FactOrdinary, index.FactReleased, index.FactShared}

// inheritFromParents returns the keys of a Binary with the owners and mentions of its parents, and
// without the named facts that a parent lacks.
func (k *Keyer) inheritFromParents(ctx context.Context, reader Reader, d store.Doc, o index.Ownership, keys []store.Key) ([]store.Key, error) {
	docs, complete, err := k.BinaryParents(ctx, reader, d, o)
	if err != nil {
		return nil, err
	}
	without := map[store.Key]bool{index.FactKey(index.FactResolved): !complete || o.Unsettled}
	if complete && len(o.Patients)+len(o.Identifiers)+len(o.InheritFrom) == 0 && !gjson.GetBytes(d.Body, "securityContext").Exists() {
		keys = append(keys, index.FactKey(index.FactResolved)) // the parents alone decide whom it is about
	}
	keys = store.Sorted(keys)
	owners := append(index.Owners(keys), index.Names(keys, index.PatientPrefix())...) // of the Binary and of all parents
	var mentions []string
	for _, parent := range docs {
		of := inherited(parent.Keys)
		if parent.Deleted() {
			if of, err = k.ownersOfTombstone(ctx, reader, parent); err != nil {
				return nil, err
			}
		}
		if keys = of.appendKeys(keys); of.byNumber {
			keys = append(keys, index.FactKey(index.FactByNumber))
		}
		owners = append(append(owners, of.owners...), of.patients...)
		mentions = append(mentions, index.Names(parent.Keys, index.MentionPrefix())...)
		for _, name := range inheritedFacts {
			//law:binary-facts
			if k := index.FactKey(name); !store.Match(store.Eq{Key: k}, parent.Keys) {
				without[k] = true
			}
		}
	}
	for _, p := range o.Patients { // whose labels apply to the Binary
		keys = append(keys, index.DependsOnKey("Patient/"+p))
	}
	keys = slices.DeleteFunc(keys, func(k store.Key) bool { return without[k] })
	for _, p := range owners {
		mentions = slices.DeleteFunc(mentions, func(m string) bool { return m == p })
		keys = slices.DeleteFunc(keys, func(k store.Key) bool { return k == index.MentionKey(p) })
	}
	for _, p := range mentions {
		keys = append(keys, index.MentionKey(p))
	}
	return keys, nil
}

// AttachedBy implements Reader. The documents have keys and no bodies.
func (s Snapshot) AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error) {
	var out []store.Doc
	for d, err := range s.snap.Scan(ctx, store.Query{Where: store.Eq{Key: index.AttachesKey(binary, source)}, KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("look up the parents of a Binary: %w", err)
		}
		out = append(out, d)
	}
	return out, nil
}
