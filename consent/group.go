package consent

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// The person keys that act as one are those of a national number and of the numbers that it superseded (IDN-134). A decision
// asks for all that the snapshot has (Guard.groupOf); what a View shows together follows from the Patients of the patient
// index that it shows (View.GroupOf), so a hidden one joins nobody.

// groupOf returns the person keys that act as one with a key, the surviving one first.
func (g *Guard) groupOf(ctx context.Context, snap store.Snapshot, person string) ([]string, error) {
	if !g.aliases.Has(person) {
		return []string{person}, nil
	}
	return g.readGroup(person, func(refs []store.Ref) iter.Seq2[store.Doc, error] { return snap.All(ctx, refs) })
}

// GroupOf returns the person keys that act as one with a key, as far as the View shows it, the surviving one first (IDN-134).
func (v *View) GroupOf(ctx context.Context, person string) ([]string, error) {
	if !v.guard.aliases.Has(person) {
		return []string{person}, nil
	}
	//law:group-shown
	if group, known := v.groups[person]; known {
		return group, nil
	}
	group, err := v.guard.readGroup(person, func(refs []store.Ref) iter.Seq2[store.Doc, error] { return v.ForPersons().All(ctx, refs) })
	if err != nil {
		return nil, err
	}
	for _, key := range group {
		v.groups[key] = group
	}
	return group, nil
}

// readGroup asks the table with a way to read Patients of the patient index.
func (g *Guard) readGroup(person string, read func([]store.Ref) iter.Seq2[store.Doc, error]) ([]string, error) {
	group, err := g.aliases.Group(person, func(ids []string) (docs []store.Doc, err error) {
		for d, err := range read(patientRefs(ids)) {
			if err != nil {
				return nil, err
			}
			docs = append(docs, d)
		}
		return docs, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the superseded numbers of a person: %w", err)
	}
	return group, nil
}

func patientRefs(ids []string) []store.Ref {
	refs := make([]store.Ref, len(ids))
	for i, id := range ids {
		refs[i] = store.Ref{Type: "Patient", ID: id}
	}
	return refs
}

// ownedByOne matches the documents with an owner among some person keys, and no other one.
func ownedByOne(persons []string) store.Pred {
	sorted := slices.Sorted(slices.Values(persons))
	var own, others store.Or
	low := index.OwnerPrefix()
	for _, person := range sorted {
		key := index.OwnerKey(person)
		own = append(own, store.Eq{Key: key})
		others = append(others, store.Range{Low: low, High: key})
		low = key + "\x00"
	}
	others = append(others, store.Range{Low: low, High: store.PrefixEnd(index.OwnerPrefix())})
	return allOf(oneOf(own), not(others))
}

// oneOf is the disjunction of some predicates.
func oneOf(preds store.Or) store.Pred {
	if len(preds) == 1 {
		return preds[0]
	}
	return preds
}

// ownedBy matches the documents with an owner among some person keys.
func ownedBy(persons []string) store.Pred {
	own := make(store.Or, len(persons))
	for i, person := range persons {
		own[i] = store.Eq{Key: index.OwnerKey(person)}
	}
	return oneOf(own)
}
