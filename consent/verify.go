package consent

import (
	"context"
	"fmt"
	"slices"

	"carerecord/fhir/r4"
	"carerecord/store"
)

// verifyPage is how many documents Verify reads in one snapshot: engines bound
// how long one may last.
const verifyPage = 1000

// Verify keys every live document anew, from its body and from what stands
// beside it, and calls fault for each that stands under other keys or in
// another place than a rebuild gives it. It returns how many documents it read.
// The record must rest meanwhile. The base of the Indexer must be the one that
// the documents were written under. An error says why the walk ended early.
func (g *Guard) Verify(ctx context.Context, fault func(error)) (int, error) {
	all := 0
	for _, typ := range r4.Resources() {
		var after *store.RowID
		for n := verifyPage; n == verifyPage; all += n {
			err := g.store.Read(ctx, func(snap store.Snap) error {
				var err error
				n, after, err = g.verifySome(ctx, snap, typ, after, fault)
				return err
			})
			if err != nil {
				return all, fmt.Errorf("verify %s: %w", typ, err)
			}
		}
	}
	return all, nil
}

// verifySome verifies at most verifyPage documents of a type and returns how
// many, and the last one's place.
func (g *Guard) verifySome(ctx context.Context, snap store.Snap, typ string, after *store.RowID, fault func(error)) (int, *store.RowID, error) {
	n := 0
	stale := either(g.backlog.now().where(), g.backlog.now().unmarked())
	rows := g.labelled(snap, nil)
	for d, err := range snap.Scan(ctx, store.Query{Type: typ, Where: everything, After: after}) {
		if err != nil {
			return n, after, err
		}
		n++
		after = &d.RowID
		var made described
		row, err := g.row(d)
		if err == nil {
			made, err = g.describe(ctx, g.standing(snap), d, row)
		}
		if err == nil {
			made.keys, err = rows.marked(ctx, made.keys, made.id.Partition, d.Body)
		}
		switch {
		case store.Match(stale, d.Keys): // the backlog knows that it is to be keyed anew
		case err != nil:
			fault(fmt.Errorf("%s cannot be keyed: %w", d.Ref, err))
		case d.RowID != made.id:
			fault(fmt.Errorf("%s stands at %x, a rebuild puts it at %x", d.Ref, d.RowID, made.id))
		case !slices.Equal(d.Keys, made.keys):
			// Not all documents have the keys of a parameter that is being indexed, and
			// some still have those of one that is gone: neither answers.
			stored, rebuilt := g.settled(d.Keys), g.settled(made.keys)
			if !slices.Equal(stored, rebuilt) {
				fault(fmt.Errorf("%s: %s", d.Ref, differ(stored, rebuilt)))
			}
		}
		if n == verifyPage {
			break
		}
	}
	return n, after, nil
}

// settled are the keys that a rebuild can be held against.
func (g *Guard) settled(keys []store.Key) []store.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { return !g.index.IsComplete(k) })
}

// differ names a key that only one side has.
func differ(stored, rebuilt []store.Key) string {
	for _, k := range stored {
		if !slices.Contains(rebuilt, k) {
			return fmt.Sprintf("stored key %q is not in a rebuild", string(k))
		}
	}
	for _, k := range rebuilt {
		if !slices.Contains(stored, k) {
			return fmt.Sprintf("key %q of a rebuild is not stored", string(k))
		}
	}
	return "the stored keys are not in order"
}
