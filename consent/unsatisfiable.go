package consent

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// A query of staff that names a patient whose record is hidden has an empty result. Its time must not
// reveal how much is hidden (CON-1510), so the store gets the same query about a patient who does not
// exist.

// hiddenKeySuffix is the end of the keys that name a patient: the id, or the value in a predicate over
// Patients.
func hiddenKeySuffix(n NamedPatient) string {
	if n.Where == nil {
		return n.ID
	}
	return index.ValueOf(n.Where)
}

// storeQuery is a query of the View for the store, without the guard's predicate. The limits of the scopes are part of its
// criteria, so a constraint compares what is left of a document after cuts.
func (v *View) storeQuery(q store.Query) store.Query {
	kind := v.grant.principal.Kind
	q.TimingSafe = kind != System && kind != SourceSystem
	if v.grant.hiddenSuffix != "" {
		q.Where = index.Unsatisfiable(q.Where, v.grant.hiddenSuffix)
	}
	//law:scope-query
	if within := v.withinScopes(q.Type); within != nil {
		q.Where = store.And{q.Where, within}
	}
	return q
}
