package consent

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// A clinician's question that names a patient of whom nothing is left finds
// nothing: what is about that patient is hidden, and so is what refers to them. How
// long it takes must not tell how much is hidden (CON-1510), so such a question is
// asked of the store as one about somebody who never was.

// tailOf is how keys that name a patient end: with the id, or where a predicate over
// Patients names them, with the value that it asks for.
func tailOf(n NamedPatient) string {
	if n.Where == nil {
		return n.ID
	}
	return index.ValueOf(n.Where)
}

// asked is a query as the View puts it to the store, the guard apart.
func (v *View) asked(q store.Query) store.Query {
	kind := v.grant.principal.Kind
	q.TimingSafe = kind != System && kind != SourceSystem
	if v.grant.gone != "" {
		q.Where = index.Unsatisfiable(q.Where, v.grant.gone)
	}
	return q
}
