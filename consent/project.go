package consent

import (
	"fmt"

	"carerecord/fhir/edit"
	"carerecord/fhir/index"
	"carerecord/store"
)

// projects reports whether this Grant changes what bodies hold, so that keys
// have to be made anew.
func (v *View) projects() bool { return v.grant.principal.Kind == Patient }

// project cuts out of a document what the requester may not see, and makes its
// search keys anew. The server's facts stay as they are.
func (v *View) project(d store.Doc) (store.Doc, error) {
	if !v.projects() || d.Dead() || d.Body == nil {
		return d, nil
	}
	body, changed := cut(d.Body)
	if !changed {
		return d, nil
	}
	if body == nil {
		d.Body, d.Keys = nil, nil // satisfies no guard
		return d, nil
	}
	row, err := v.guard.index.Index(d.Ref.Type, d.Ref.ID, d.Updated, body)
	if err != nil {
		return store.Doc{}, fmt.Errorf("key the projection of %s: %w", d.Ref, err)
	}
	keys := append([]store.Key(nil), row.Keys...)
	for _, k := range d.Keys {
		if index.IsFact(k) {
			keys = append(keys, k)
		}
	}
	d.Body, d.Keys = body, store.Sorted(keys)
	return d, nil
}

// cut takes narrative, Annotation, markdown and Attachment elements out of a
// body (CON-1102), and what R4 does not know: the same for every patient, so
// that a gap says nothing. It is nil where nothing may be left.
func cut(body []byte) ([]byte, bool) {
	return edit.Cut(body, func(fhirType string) bool {
		switch fhirType {
		case "", "Narrative", "Annotation", "markdown", "Attachment":
			return true
		}
		return false
	})
}

// Cuts reports whether bodies that this View shows may have been cut.
func (v *View) Cuts() bool { return v.projects() }
