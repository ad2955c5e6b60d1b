package consent

import (
	"strings"

	"carerecord/store"
)

// A clinician's question that names a patient of whom nothing is left finds
// nothing: what is about that patient is hidden, and so is what refers to them. How
// long it takes must not tell how much is hidden (CON-1510), so such a question is
// asked of the store as one about somebody who never was.

// hiddenKeySuffix is how keys that name a patient end: with the id, or where a predicate over
// Patients names them, with the value that it asks for.
func hiddenKeySuffix(n NamedPatient) string {
	if n.Where == nil {
		return n.ID
	}
	for _, key := range equalities(n.Where) {
		return string(key[strings.LastIndexByte(string(key), 0)+1:])
	}
	return ""
}

// equalities are the keys that a predicate asks for.
func equalities(p store.Pred) []store.Key {
	var members []store.Pred
	switch p := p.(type) {
	case store.Eq:
		return []store.Key{p.Key}
	case store.And:
		members = p
	case store.Or:
		members = p
	}
	var keys []store.Key
	for _, q := range members {
		keys = append(keys, equalities(q)...)
	}
	return keys
}

// unsatisfiable is a predicate whose keys with an end are replaced by others of the same
// form that no document has.
func unsatisfiable(p store.Pred, suffix string) store.Pred {
	each := func(members []store.Pred) []store.Pred {
		out := make([]store.Pred, len(members))
		for i, q := range members {
			out[i] = unsatisfiable(q, suffix)
		}
		return out
	}
	switch p := p.(type) {
	case store.Eq:
		if strings.HasSuffix(string(p.Key), suffix) {
			p.Key += "\x00\x00" // no value holds these
		}
		return p
	case store.And:
		return store.And(each(p))
	case store.Or:
		return store.Or(each(p))
	}
	return p
}

// storeQuery is a query as the View puts it to the store, the guard apart.
func (v *View) storeQuery(q store.Query) store.Query {
	kind := v.grant.principal.Kind
	q.TimingSafe = kind != System && kind != SourceSystem
	if v.grant.hiddenSuffix != "" {
		q.Where = unsatisfiable(q.Where, v.grant.hiddenSuffix)
	}
	return q
}
