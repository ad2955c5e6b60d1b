package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// drivingCondition is what drives a query: posts in K of which every match has one.
type drivingCondition struct {
	keys     []keyCondition // each gives the order of the store
	ranges   []store.Range  // these do not
	fallback *keyCondition  // to be walked where there is too much to collect
}

// keyCondition is one post, and keys that its documents must have besides. The empty key
// is that of the type.
type keyCondition struct {
	key  store.Key
	also []store.Key
}

// ordered reports whether a lead is walked in the order of the store, merging at
// most that many streams.
func (l drivingCondition) ordered(streams int) bool {
	return len(l.ranges) == 0 && len(l.keys) <= streams
}

// orderedFallback is the lead that is ordered where l is too wide to be collected.
func (l drivingCondition) orderedFallback() drivingCondition {
	if l.fallback != nil {
		return drivingCondition{keys: []keyCondition{*l.fallback}}
	}
	return drivingCondition{keys: []keyCondition{{}}}
}

// filters are the conditions on k that together find every candidate, each
// of at most so many posts.
func (l drivingCondition) filters(typ string, atOnce int) []any {
	var all []any
	for chunk := range slices.Chunk(l.keys, atOnce) {
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

// rangeFilter asks that one element of k is in a range.
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

// chooseDriving chooses what drives a query; the type's own key if nothing else can.
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

// drivingFor chooses what drives one predicate, of whose matches it is known that
// they have the keys also. ok is false if nothing drives it.
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

// drivingForAnd chooses the cheapest lead of the members of an And.
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

// firstSingleKey finds a single post among leads.
func firstSingleKey(conditions []drivingCondition) *keyCondition {
	for _, l := range conditions {
		if len(l.keys) == 1 && len(l.ranges) == 0 {
			return &l.keys[0]
		}
	}
	return nil
}

// conjuncts takes nested Ands apart.
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

// equalities are the keys that members of a conjunction ask for.
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
