package reindex

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// verifyPage is how many documents Verify reads in one snapshot: engines bound how long one may
// last.
const verifyPage = 1000

// Verify rebuilds the keys of every live document, from its body and from the other documents of
// the store, and calls fault for each whose stored keys or row ID differ. It returns how many
// documents it read. The record must not be written to at the same time. The base of the Indexer
// must be the one that the documents were written under. The error is the reason why the walk ended early.
func Verify(ctx context.Context, guard *consent.Guard, fault func(error)) (int, error) {
	all := 0
	for _, typ := range r4.Resources() {
		page := consent.Page{Type: typ, Size: verifyPage}
		for n := verifyPage; n == verifyPage; all += n {
			var err error
			n, page.After, err = guard.RebuildPage(ctx, page, func(d store.Doc, rebuilt facts.Keyed, err error) {
				if err := compare(guard.Index(), d, rebuilt, err); err != nil {
					fault(err)
				}
			})
			if err != nil {
				return all, fmt.Errorf("verify %s: %w", typ, err)
			}
		}
	}
	return all, nil
}

// compare returns how a document differs from a rebuild, or nil.
func compare(x *index.Indexer, d store.Doc, rebuilt facts.Keyed, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot be keyed: %w", d.Ref, err)
	case d.RowID != rebuilt.RowID:
		return fmt.Errorf("%s has the row ID %x, in a rebuild %x", d.Ref, d.RowID, rebuilt.RowID)
	case slices.Equal(d.Keys, rebuilt.Keys):
		return nil
	}
	// Of a parameter that is being indexed not all documents have the keys yet, and of a retired
	// one some still have them: no query uses either.
	stored, keys := completeKeys(x, d.Keys), completeKeys(x, rebuilt.Keys)
	if slices.Equal(stored, keys) {
		return nil
	}
	return fmt.Errorf("%s: %s", d.Ref, difference(stored, keys))
}

// completeKeys returns the keys without those of parameters that are being indexed or retired.
func completeKeys(x *index.Indexer, keys []store.Key) []store.Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { return !x.IsComplete(k) })
}

// difference names a key that only one side has.
func difference(stored, rebuilt []store.Key) string {
	for _, k := range stored {
		if !slices.Contains(rebuilt, k) {
			return fmt.Sprintf("the stored key %q is not in a rebuild", string(k))
		}
	}
	for _, k := range rebuilt {
		if !slices.Contains(stored, k) {
			return fmt.Sprintf("the key %q of a rebuild is not stored", string(k))
		}
	}
	return "the stored keys are not sorted"
}
