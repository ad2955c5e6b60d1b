package consent

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent/facts"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// verifyPageSize is how many documents Verify reads in one snapshot: engines bound
// how long one may last.
const verifyPageSize = 1000

// Verify keys every live document anew, from its body and from what stands
// beside it, and calls fault for each that stands under other keys or in
// another place than a rebuild gives it. It returns how many documents it read.
// The record must rest meanwhile. The base of the Indexer must be the one that
// the documents were written under. An error says why the walk ended early.
func (g *Guard) Verify(ctx context.Context, fault func(error)) (int, error) {
	all := 0
	for _, typ := range r4.Resources() {
		var after *store.RowID
		for n := verifyPageSize; n == verifyPageSize; all += n {
			err := g.store.Read(ctx, func(snap store.Snap) error {
				var err error
				n, after, err = g.verifyPage(ctx, snap, typ, after, fault)
				return err
			})
			if err != nil {
				return all, fmt.Errorf("verify %s: %w", typ, err)
			}
		}
	}
	return all, nil
}

// verifyPage verifies at most verifyPageSize documents of a type and returns how
// many, and the last one's place.
func (g *Guard) verifyPage(ctx context.Context, snap store.Snap, typ string, after *store.RowID, fault func(error)) (int, *store.RowID, error) {
	n := 0
	stale := anyOf(g.backlog.Stale().Where(), g.backlog.Stale().WhereUnmarked())
	rows := g.keyer.LabelledRows(snap, nil)
	for d, err := range snap.Scan(ctx, store.Query{Type: typ, Where: everything, After: after}) {
		if err != nil {
			return n, after, err
		}
		n++
		after = &d.RowID
		var made facts.Keyed
		row, err := g.keyer.Extract(d)
		if err == nil {
			made, err = g.keyer.Describe(ctx, g.keyer.Snapshot(snap), d, row)
		}
		if err == nil {
			made.Keys, err = rows.Mark(ctx, made.Keys, made.RowID.Partition, d.Body)
		}
		switch {
		case store.Match(stale, d.Keys): // the backlog knows that it is to be keyed anew
		case err != nil:
			fault(fmt.Errorf("%s cannot be keyed: %w", d.Ref, err))
		case d.RowID != made.RowID:
			fault(fmt.Errorf("%s stands at %x, a rebuild puts it at %x", d.Ref, d.RowID, made.RowID))
		case !slices.Equal(d.Keys, made.Keys):
			// Not all documents have the keys of a parameter that is being indexed, and
			// some still have those of one that is gone: neither answers.
			stored, rebuilt := g.completeKeys(d.Keys), g.completeKeys(made.Keys)
			if !slices.Equal(stored, rebuilt) {
				fault(fmt.Errorf("%s: %s", d.Ref, difference(stored, rebuilt)))
			}
		}
		if n == verifyPageSize {
			break
		}
	}
	return n, after, nil
}

// completeKeys are the keys that a rebuild can be held against.
func (g *Guard) completeKeys(keys []store.Key) []store.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { return !g.index.IsComplete(k) })
}

// difference names a key that only one side has.
func difference(stored, rebuilt []store.Key) string {
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
