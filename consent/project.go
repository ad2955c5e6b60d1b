package consent

import (
	"context"
	"fmt"

	"carerecord/consent/facts"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/index"
	"carerecord/store"
)

// cutsBodies reports whether this Grant may change bodies, so that keys must be made again.
func (v *View) cutsBodies() bool {
	return v.grant.principal.Kind == Staff || v.cutsElements()
}

// cutsElements reports whether this Grant cuts elements, and not only references to labelled rows.
func (v *View) cutsElements() bool {
	return v.grant.principal.Kind == Patient || len(v.grant.rules.Owners) > 0
}

// mayCut reports whether this Grant may change the body of a document with these keys.
func (v *View) mayCut(keys []store.Key) bool {
	if !v.cutsBodies() {
		return false
	}
	candidates := v.grant.cutCandidates()
	return candidates == nil || store.Match(candidates, keys)
}

// project cuts from a visible version the parts that the requester may not see, and recomputes its search keys.
// It returns store.ErrNotFound where nothing may be left. newest are the keys of the newest version: its
// rules and labels apply to older ones too. The facts of the server stay, except
// index.FactRefersToLabelled, which means that references were cut.
func (v *View) project(ctx context.Context, d store.Doc, newest []store.Key) (store.Doc, error) {
	if !v.mayCut(d.Keys) && !v.mayCut(newest) {
		return d, nil
	}
	paths := map[string]bool{}
	rules := &v.grant.rules
	//law:projection-rules
	if rules.apply(d.Keys, paths) || rules.apply(newest, paths) {
		return store.Doc{}, store.ErrNotFound
	}
	if d.Deleted() {
		return d, v.tombstoneVisible(ctx, d, newest)
	}
	if d.Body == nil {
		return d, nil
	}
	hidden, err := v.hiddenReferences(ctx, d, d.Keys, newest)
	if err != nil {
		return store.Doc{}, err
	}
	body, changed := v.cut(d.Body, hidden, paths)
	if !changed {
		d.Keys = facts.MarkKeys(d.Keys, d.RowID.Partition, false)
		return d, nil
	}
	if body == nil {
		return store.Doc{}, store.ErrNotFound
	}
	row, err := v.index.Index(d.Ref.Type, d.Ref.ID, d.Updated, body)
	if err != nil {
		return store.Doc{}, fmt.Errorf("key the projection of %s: %w", d.Ref, err)
	}
	keys := append([]store.Key(nil), row.Keys...)
	for _, k := range d.Keys {
		//law:projection-keys
		if index.IsFact(k) {
			keys = append(keys, k)
		}
	}
	national := func(system, number string) bool {
		_, ok := v.guard.keyer.NationalName(system, number)
		return ok
	}
	for _, k := range index.OtherPartitionKeys(row.Keys, "", national) { // consent/facts makes them
		if store.Match(store.Eq{Key: k}, d.Keys) {
			keys = append(keys, k)
		}
	}
	d.Body, d.Keys = body, facts.MarkKeys(store.Sorted(keys), d.RowID.Partition, len(hidden) > 0)
	return d, nil
}

// tombstoneVisible returns store.ErrNotFound for a tombstone after a version of which nothing would be
// left.
func (v *View) tombstoneVisible(ctx context.Context, d store.Doc, newest []store.Key) error {
	if !store.Match(v.grant.refersToLabelled, d.Keys) {
		return nil
	}
	last, err := v.guard.keyer.Snapshot(v.snap).BeforeDeletion(ctx, d)
	if err != nil {
		return err
	}
	hidden, err := v.hiddenReferences(ctx, last, d.Keys, newest)
	if err != nil {
		return err
	}
	if body, _ := cutReferences(last.Body, hidden, v.index.Base()); body == nil {
		return store.ErrNotFound
	}
	return nil
}

// hiddenReferences returns the rows to which a document refers and which their labels hide from the
// requester. Only rows about a person whom the document is about, by one of some lists of keys, count
// (CON-1201).
func (v *View) hiddenReferences(ctx context.Context, d store.Doc, keys ...[]store.Key) (map[fhir.Ref]bool, error) {
	var about []string
	marked := false
	for _, k := range keys {
		about = append(about, facts.Persons(k)...)
		marked = marked || store.Match(v.grant.refersToLabelled, k)
	}
	if !marked {
		return nil, nil
	}
	found, err := v.labelled.Referenced(ctx, facts.Distinct(about), d.Body)
	if err != nil {
		return nil, fmt.Errorf("look up hidden rows to which %s refers: %w: %w", d.Ref, store.ErrUnavailable, err)
	}
	hidden := map[fhir.Ref]bool{}
	for ref, from := range found {
		if v.grant.principal.Kind == Patient && from.Patients || v.grant.principal.Kind == Staff && from.Staff {
			hidden[ref] = true
		}
	}
	return hidden, nil
}

func cutReferences(body []byte, hidden map[fhir.Ref]bool, base string) ([]byte, bool) {
	if len(hidden) == 0 {
		return body, false
	}
	return edit.RemoveReferences(body, func(ref fhir.Ref) bool { return hidden[ref] }, base)
}

// cut removes from a body the references to hidden rows, the parts that no patient may see, and the elements at some
// paths. It returns nil where nothing may be left.
func (v *View) cut(body []byte, hidden map[fhir.Ref]bool, paths map[string]bool) ([]byte, bool) {
	body, changed := cutReferences(body, hidden, v.index.Base())
	if body == nil {
		return nil, true
	}
	if v.grant.principal.Kind == Patient {
		var more bool
		if body, more = cutForPatients(body); body == nil {
			return nil, true
		}
		changed = changed || more
	}
	if len(paths) == 0 {
		return body, changed
	}
	body, more := edit.RemovePaths(body, paths)
	return body, changed || more
}

// cutForPatients removes unstructured content from a body (CON-1102), at any depth: narrative, Annotation,
// markdown, Attachment and base64Binary elements, documents in a Bundle, in Parameters or contained, and
// elements that R4 does not define. It is the same for every patient, so a gap reveals nothing. It returns
// nil where nothing may be left.
func cutForPatients(body []byte) ([]byte, bool) {
	return edit.RemoveTypes(body, func(fhirType string) bool {
		switch fhirType {
		case "", "Narrative", "Annotation", "markdown", "Attachment", "base64Binary":
			return true
		}
		return withheldFromPatients(fhirType)
	})
}

// MayCut reports whether bodies of any document that this View shows may have been cut.
func (v *View) MayCut() bool { return v.cutsElements() }

// MayHaveCut reports whether the body of a document that this View showed may have been cut.
func (v *View) MayHaveCut(d store.Doc) bool {
	return v.grant.principal.Kind == Patient || store.Match(anyOf(fact(index.FactRefersToLabelled), facts.About(ownersWithRules(v.grant.rules.Owners))), d.Keys)
}
