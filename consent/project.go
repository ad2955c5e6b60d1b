package consent

import (
	"fmt"

	"carerecord/fhir/edit"
	"carerecord/fhir/index"
	"carerecord/store"
)

// cutsSome reports whether this Grant may change what bodies hold, so that keys
// have to be made anew.
func (v *View) cutsSome() bool {
	return v.grant.principal.Kind == Patient || len(v.grant.rules.Owners) > 0
}

// project cuts out of a visible version what the requester may not see, and
// makes its search keys anew, or returns store.ErrNotFound where nothing may be
// left. newest are the keys of the newest version: what a rule says of it holds
// for the older ones too. The server's facts stay as they are.
func (v *View) project(d store.Doc, newest []store.Key) (store.Doc, error) {
	if !v.cutsSome() {
		return d, nil
	}
	paths := map[string]bool{}
	rules := &v.grant.rules
	if rules.apply(d.Keys, paths) || rules.apply(newest, paths) {
		return store.Doc{}, store.ErrNotFound
	}
	if d.Dead() || d.Body == nil {
		return d, nil
	}
	body, changed := v.cut(d.Body, paths)
	if !changed {
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
		if index.IsFact(k) {
			keys = append(keys, k)
		}
	}
	d.Body, d.Keys = body, store.Sorted(keys)
	return d, nil
}

// cut takes out of a body what a patient is not given, and what is at paths. It
// is nil where nothing may be left.
func (v *View) cut(body []byte, paths map[string]bool) ([]byte, bool) {
	changed := false
	if v.grant.principal.Kind == Patient {
		if body, changed = cutForPatients(body); body == nil {
			return nil, true
		}
	}
	if len(paths) == 0 {
		return body, changed
	}
	body, more := edit.CutPaths(body, paths)
	return body, changed || more
}

// cutForPatients takes unstructured content out of a body (CON-1102), wherever it stands
// or is embedded: narrative, Annotation, markdown, Attachment and base64Binary elements,
// documents in a Bundle, in Parameters or contained, and what R4 does not know. It is the
// same for every patient, so that a gap says nothing, and nil where nothing may be left.
func cutForPatients(body []byte) ([]byte, bool) {
	return edit.Cut(body, func(fhirType string) bool {
		switch fhirType {
		case "", "Narrative", "Annotation", "markdown", "Attachment", "base64Binary":
			return true
		}
		return keptFromPatients(fhirType)
	})
}

// Cuts reports whether bodies that this View shows may have been cut.
func (v *View) Cuts() bool { return v.cutsSome() }
