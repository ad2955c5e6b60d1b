package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// binaryVisible reports whether the View shows a parent of a version of a Binary (SMART-257, CON-1206). The
// keys of a Binary contain the decisions of the built-in steps about its parents; rules and scopes are evaluated
// for each parent. A Binary without parents is decided by its keys: only its source sees it.
func (v *View) binaryVisible(ctx context.Context, d store.Doc) (bool, error) {
	if !v.needsParent(d.Ref.Type) {
		return true, nil
	}
	body := d
	if d.Deleted() {
		var err error
		if body, err = v.guard.keyer.Snapshot(v.snap).BeforeDeletion(ctx, d); err != nil {
			return false, err
		}
	}
	row, err := v.guard.keyer.Extract(body)
	if err != nil {
		return false, err
	}
	docs, _, err := v.guard.keyer.BinaryParents(ctx, v.guard.keyer.Snapshot(v.snap), body, row.Owners)
	if err != nil {
		return false, err
	}
	docs = slices.DeleteFunc(docs, func(parent store.Doc) bool { return parent.Deleted() })
	for _, parent := range docs {
		if shown, err := v.WithPermission("rs").parentShows(ctx, parent, d.Ref.ID); shown || err != nil {
			return shown, err
		}
	}
	return len(docs) == 0, nil
}

// needsParent reports whether documents of a type are visible only through a visible parent.
func (v *View) needsParent(typ string) bool {
	kind := v.grant.principal.Kind
	//law:binary-visible
	return typ == "Binary" && kind != System && (kind != SourceSystem || v.grant.principal.constrained())
}

// parentShows reports whether a parent of a Binary is visible, and still attaches it after cuts if it did
// before. A securityContext does not depend on the elements of its target.
func (v *View) parentShows(ctx context.Context, parent store.Doc, binary string) (bool, error) {
	if !store.Match(v.where(parent.Ref.Type), parent.Keys) {
		return false, *v.failed
	}
	if !v.mayCut(parent.Keys) && v.withinScopes(parent.Ref.Type) == nil {
		return true, *v.failed
	}
	whole, err := v.snap.Get(ctx, parent.Ref)
	if err != nil {
		return false, fmt.Errorf("read the parent of a Binary: %w: %w", store.ErrUnavailable, err)
	}
	if _, err := v.show(ctx, whole, whole); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return false, *v.failed
		}
		return false, err
	}
	attached := slices.Contains(index.Attached(whole.Keys), binary)
	paths := map[string]bool{}
	if v.grant.rules.apply(whole.Keys, paths) {
		return false, *v.failed
	}
	hidden, err := v.hiddenReferences(ctx, whole, whole.Keys)
	if err != nil {
		return false, err
	}
	body, changed := v.cut(whole.Body, hidden, paths)
	if body == nil || !changed || !attached {
		return body != nil, *v.failed
	}
	row, err := v.index.Index(whole.Ref.Type, whole.Ref.ID, whole.Updated, body)
	if err != nil {
		return false, fmt.Errorf("read the projection of %s: %w", whole.Ref, err)
	}
	return slices.Contains(row.Attachments, binary), *v.failed
}
