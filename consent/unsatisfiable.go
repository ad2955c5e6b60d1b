package consent

import (
	"strings"

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
	for _, key := range equalities(n.Where) {
		return string(key[strings.LastIndexByte(string(key), 0)+1:])
	}
	return ""
}

// equalities returns the keys that a predicate requires.
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

// unsatisfiable replaces the keys of a predicate that have a suffix by keys that no document has.
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

// storeQuery is a query of the View for the store, without the guard's predicate.
func (v *View) storeQuery(q store.Query) store.Query {
	kind := v.grant.principal.Kind
	q.TimingSafe = kind != System && kind != SourceSystem
	if v.grant.hiddenSuffix != "" {
		q.Where = unsatisfiable(q.Where, v.grant.hiddenSuffix)
	}
	return q
}
