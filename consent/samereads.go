package consent

import (
	"context"
	"errors"
	"fmt"

	"carerecord/store"
)

// An answer for one resource that does not exist must take as many reads of the store as one for a resource that is hidden,
// whatever hides it (SMART-263). A live document is decided by its keys, and one that was deleted by the version before and
// the Patient whom that names; a Binary by what attaches it. So all that are absent or hidden read as much: sameReads adds what
// is missing. A deleted document about several patients takes more, and so does a Binary that several documents attach. What is
// shown costs nothing.

// sameReads returns err, and after store.ErrNotFound makes the reads that a deleted document would have taken. before is the
// count at the start of the look-up of a document of a type.
func (v *View) sameReads(ctx context.Context, typ string, before reads, err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	gets, versions := 0, 0
	switch p := v.grant.principal; {
	case p.Kind == System, p.Kind == SourceSystem && !p.constrained(): // decide by the keys of a tombstone
	case p.Kind == SourceSystem:
		versions = 1
	default:
		gets, versions = 2, 1
	}
	nobody := store.Ref{Type: "Patient", ID: ""} // no document has this id
	for n := v.snap.reads.gets - before.gets; n < gets; n++ {
		if _, failed := v.snap.Snapshot.Get(ctx, nobody); failed != nil && !errors.Is(failed, store.ErrNotFound) {
			return fmt.Errorf("look up an absent document: %w", failed)
		}
	}
	for n := v.snap.reads.versions - before.versions; n < versions; n++ {
		if _, failed := v.snap.Snapshot.Version(ctx, nobody, 1); failed != nil && !errors.Is(failed, store.ErrNotFound) {
			return fmt.Errorf("look up an absent version: %w", failed)
		}
	}
	if v.needsParent(typ) && v.snap.reads.scans == before.scans {
		if _, failed := v.guard.keyer.Snapshot(v.snap).AttachedBy(ctx, nobody.ID, ""); failed != nil {
			return fmt.Errorf("look up the attachers of an absent Binary: %w", failed)
		}
	}
	return err
}
