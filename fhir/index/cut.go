package index

import (
	"slices"

	"carerecord/store"
)

// BeforeCut returns the predicate that the keys of a whole resource must satisfy so that the resource, with
// some values cut out, can satisfy p. A resource whose keys fail BeforeCut fails p after any cut.
// A cut only removes values, so a predicate that requires a value stays as it is. A negation, and
// a parameter that is not monotone (Param.Monotone), become And{}.
func (x *Indexer) BeforeCut(typ string, p store.Pred) store.Pred {
	switch p := p.(type) {
	case store.And:
		out := make(store.And, 0, len(p))
		for _, q := range p {
			out = append(out, x.BeforeCut(typ, q))
		}
		return out
	case store.Or:
		out := make(store.Or, 0, len(p))
		for _, q := range p {
			out = append(out, x.BeforeCut(typ, q))
		}
		return out
	case store.Not:
		//law:negation-cut
		return store.And{}
	case store.VerifyOnly:
		return store.VerifyOnly{Pred: x.BeforeCut(typ, p.Pred)}
	case store.Eq:
		return x.ifMonotone(typ, p.Key, p)
	case store.Range:
		return x.ifMonotone(typ, p.Low, p)
	case store.Interval:
		return x.ifMonotone(typ, p.Prefix, p)
	case store.Contains:
		return x.ifMonotone(typ, p.Prefix, p)
	case store.In:
		//law:contained-cut
		if inside, ok := p.Set.(containedMatch); ok {
			p.Set = x.containedBeforeCut(inside)
		}
		return x.ifMonotone(typ, p.Prefix, p)
	}
	return store.And{}
}

// Monotone reports whether a resource that does not satisfy p cannot satisfy it after any cut:
// BeforeCut returns p.
func (x *Indexer) Monotone(typ string, p store.Pred) bool {
	changes := func(q store.Pred) bool { return !x.Monotone(typ, q) }
	switch p := p.(type) {
	case store.And:
		return !slices.ContainsFunc(p, changes)
	case store.Or:
		return !slices.ContainsFunc(p, changes)
	case store.Eq:
		return x.isMonotoneKey(typ, p.Key)
	case store.Range:
		return x.isMonotoneKey(typ, p.Low)
	case store.Interval:
		return x.isMonotoneKey(typ, p.Prefix)
	case store.Contains:
		return x.isMonotoneKey(typ, p.Prefix)
	case store.In:
		_, contained := p.Set.(containedMatch)
		return !contained && x.isMonotoneKey(typ, p.Prefix)
	case store.VerifyOnly:
		return x.Monotone(typ, p.Pred)
	case store.Not:
	}
	return false
}

// ifMonotone returns p if isMonotoneKey holds for a key, else a predicate that always holds.
func (x *Indexer) ifMonotone(typ string, k store.Key, p store.Pred) store.Pred {
	if x.isMonotoneKey(typ, k) {
		return p
	}
	return store.And{}
}

// isMonotoneKey reports whether a key is one of the server's own facts, or belongs to a monotone
// parameter.
func (x *Indexer) isMonotoneKey(typ string, k store.Key) bool {
	if IsFact(k) {
		return true
	}
	ti, err := x.typeIndex(typ)
	return err == nil && len(k) >= 2 && ti.monotone[numberOf(k)]
}
