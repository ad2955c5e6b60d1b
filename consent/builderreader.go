package consent

import (
	"context"
	"maps"
	"slices"
	"strings"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

func (c *commitBuilder) Newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if w, ok := c.pending[ref]; ok {
		return w.Doc, nil
	}
	return c.TrackedReader.Newest(ctx, ref)
}

// BeforeDeletion returns the version before a tombstone of the batch or of the store.
func (c *commitBuilder) BeforeDeletion(ctx context.Context, d store.Doc) (store.Doc, error) {
	if _, pending := c.pending[d.Ref]; pending {
		return c.replaced[d.Ref], nil
	}
	return c.TrackedReader.BeforeDeletion(ctx, d)
}

// PatientsOfPerson returns the Patients of the snapshot with the batch on top. Patients of the batch count once
// they are keyed.
func (c *commitBuilder) PatientsOfPerson(ctx context.Context, person, source string) ([]store.Doc, error) {
	// A copy: the condition is evaluated when the batch is committed, and dropLast may have removed
	// documents by then.
	pending := maps.Clone(c.patients)
	found, err := c.TrackedReader.PatientsOfPersonExcept(ctx, person, source, func(id string) bool { return pending[id] })
	if err != nil {
		return nil, err
	}
	where := facts.PatientsOf(person, source)
	for id := range c.patients {
		if w := c.pending[store.Ref{Type: "Patient", ID: id}]; !w.Doc.Deleted() && store.Match(where, w.Doc.Keys) {
			found = append(found, w.Doc)
		}
	}
	slices.SortFunc(found, func(a, b store.Doc) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	return found, nil
}

// FormerIdentifiers reads the keys of the version before: they contain older identifiers too.
func (c *commitBuilder) FormerIdentifiers(_ context.Context, d store.Doc) ([]string, error) {
	return index.Names(c.replaced[d.Ref].Keys, index.BearsPrefix()), nil
}

// AttachedBy returns the documents of the snapshot with the batch on top.
func (c *commitBuilder) AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error) {
	stored, err := c.TrackedReader.AttachedBy(ctx, binary, source)
	if err != nil {
		return nil, err
	}
	out := slices.DeleteFunc(stored, func(d store.Doc) bool {
		_, pending := c.pending[d.Ref]
		return pending
	})
	for _, w := range c.pending {
		if !w.Doc.Deleted() && store.Match(store.Eq{Key: index.AttachesKey(binary, source)}, w.Doc.Keys) {
			out = append(out, w.Doc)
		}
	}
	return out, nil
}
