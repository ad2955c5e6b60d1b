package index

import (
	"strings"

	"carerecord/store"
)

// ValueOf returns the end of the first key that a predicate requires to equal: the bytes
// after its last zero byte, which are the id or the value. It is empty for a predicate
// without such a key.
func ValueOf(p store.Pred) string {
	keys := equalities(p)
	if len(keys) == 0 {
		return ""
	}
	k := string(keys[0])
	return k[strings.LastIndexByte(k, 0)+1:]
}

// equalities lists the keys of the Eq members of conjunctions and alternatives.
func equalities(p store.Pred) []store.Key {
	var members []store.Pred
	switch p := p.(type) {
	case store.Eq:
		return []store.Key{p.Key}
	case store.And:
		members = p
	case store.Or:
		members = p
	case store.Range, store.Interval, store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	var keys []store.Key
	for _, q := range members {
		keys = append(keys, equalities(q)...)
	}
	return keys
}

// Unsatisfiable replaces each key of an Eq that ends with a value by a key of the same form
// that no document has. Members of And and Or are replaced too; other predicates stay.
func Unsatisfiable(p store.Pred, value string) store.Pred {
	each := func(members []store.Pred) []store.Pred {
		out := make([]store.Pred, len(members))
		for i, q := range members {
			out[i] = Unsatisfiable(q, value)
		}
		return out
	}
	switch p := p.(type) {
	case store.Eq:
		if strings.HasSuffix(string(p.Key), value) {
			p.Key += "\x00\x00" // no value holds these
		}
		return p
	case store.And:
		return store.And(each(p))
	case store.Or:
		return store.Or(each(p))
	case store.Range, store.Interval, store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return p
}
