package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// drivingCondition is the condition on K that finds the candidates of a query: every match has
// one of its postings.
type drivingCondition struct {
	keys     []keyCondition // walked in row order
	ranges   []store.Range  // in key order, so candidates must be sorted
	fallback *keyCondition  // walked if there are too many candidates to collect
}

// keyCondition is one posting, and other keys that its documents must have. The empty key is
// that of the type.
type keyCondition struct {
	key  store.Key
	also []store.Key
}

// ordered reports whether a condition is walked in row order, merging at most that many streams.
func (l drivingCondition) ordered(streams int) bool {
	return len(l.ranges) == 0 && len(l.keys) <= streams
}

// orderedFallback is the condition that is walked instead if l has too many candidates to
// collect.
func (l drivingCondition) orderedFallback() drivingCondition {
	if l.fallback != nil {
		return drivingCondition{keys: []keyCondition{*l.fallback}}
	}
	return drivingCondition{keys: []keyCondition{{}}}
}

// filters returns the conditions on k that together find every candidate, each of at most
// max postings.
func (l drivingCondition) filters(typ string, max int) []any {
	var all []any
	for chunk := range slices.Chunk(l.keys, max) {
		postings := make(bson.A, len(chunk))
		for i, e := range chunk {
			postings[i] = posting(typ, e.key)
		}
		all = append(all, bson.D{{Key: "$in", Value: postings}})
	}
	for _, r := range l.ranges {
		all = append(all, rangeFilter(typ, r))
	}
	return all
}

// rangeFilter is the condition that one element of k is in a range.
func rangeFilter(typ string, r store.Range) bson.D {
	high := postingsEnd(typ)
	if r.High != "" {
		high = posting(typ, r.High)
	}
	return bson.D{{Key: "$elemMatch", Value: bson.D{
		{Key: "$gte", Value: posting(typ, r.Low)},
		{Key: "$lt", Value: high},
	}}}
}

// chooseDriving chooses the driving condition of a query; the type's own key if nothing else
// drives it.
func (s *snap) chooseDriving(ctx context.Context, q store.Query) (drivingCondition, error) {
	if q.Type == "" {
		key, ok := store.CrossTypeKey(q.Where)
		if !ok {
			return drivingCondition{}, store.ErrNeedsCrossTypeKey
		}
		return drivingCondition{keys: []keyCondition{{key, without(equalities(conjuncts(q.Where)), key)}}}, nil
	}
	l, ok, err := s.drivingFor(ctx, q.Type, q.Where, nil)
	if err != nil {
		return drivingCondition{}, err
	}
	if !ok {
		l = drivingCondition{keys: []keyCondition{{also: equalities(conjuncts(q.Where))}}}
	}
	return l, nil
}

// drivingFor chooses the driving condition of one predicate; its matches are known to have the
// keys also. ok is false if nothing drives it.
func (s *snap) drivingFor(ctx context.Context, typ string, p store.Pred, also []store.Key) (l drivingCondition, ok bool, err error) {
	switch p := p.(type) {
	case store.Eq:
		return drivingCondition{keys: []keyCondition{{p.Key, without(also, p.Key)}}}, p.Key.Driving(), nil
	case store.Range:
		return drivingCondition{ranges: []store.Range{p}}, p.Driving(), nil
	case store.Interval:
		for _, r := range p.Scan {
			if !r.Driving() {
				return drivingCondition{}, false, nil
			}
		}
		return drivingCondition{ranges: p.Scan}, len(p.Scan) > 0, nil
	case store.Or:
		for _, branch := range p {
			b, ok, err := s.drivingFor(ctx, typ, branch, also)
			if err != nil || !ok {
				return drivingCondition{}, false, err
			}
			l.keys = append(l.keys, b.keys...)
			l.ranges = append(l.ranges, b.ranges...)
		}
		return l, true, nil
	case store.And:
		return s.drivingForAnd(ctx, typ, conjuncts(p), also)
	case store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return drivingCondition{}, false, nil
}

// drivingForAnd chooses the cheapest driving condition among the members of an And.
func (s *snap) drivingForAnd(ctx context.Context, typ string, members []store.Pred, also []store.Key) (drivingCondition, bool, error) {
	also = store.Sorted(append(equalities(members), also...))
	var conditions []drivingCondition
	for _, member := range members {
		l, ok, err := s.drivingFor(ctx, typ, member, also)
		if err != nil {
			return drivingCondition{}, false, err
		}
		if ok {
			conditions = append(conditions, l)
		}
	}
	if len(conditions) == 0 {
		return drivingCondition{}, false, nil
	}
	best, err := s.cheapest(ctx, typ, conditions)
	if err != nil {
		return drivingCondition{}, false, err
	}
	if !best.ordered(s.db.limits.merge) {
		best.fallback = firstSingleKey(conditions)
	}
	return best, true, nil
}

// firstSingleKey returns the first condition of a single key, nil if there is none.
func firstSingleKey(conditions []drivingCondition) *keyCondition {
	for _, l := range conditions {
		if len(l.keys) == 1 && len(l.ranges) == 0 {
			return &l.keys[0]
		}
	}
	return nil
}

// conjuncts returns the members of nested Ands.
func conjuncts(p store.Pred) []store.Pred {
	and, ok := p.(store.And)
	if !ok {
		return []store.Pred{p}
	}
	var all []store.Pred
	for _, member := range and {
		all = append(all, conjuncts(member)...)
	}
	return all
}

// equalities returns the keys of the members that are equalities.
func equalities(members []store.Pred) []store.Key {
	var keys []store.Key
	for _, member := range members {
		if e, ok := member.(store.Eq); ok {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func without(keys []store.Key, key store.Key) []store.Key {
	var rest []store.Key
	for _, k := range keys {
		if k != key {
			rest = append(rest, k)
		}
	}
	return rest
}
