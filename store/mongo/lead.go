package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// lead is what drives a query: posts in K of which every match has one.
type lead struct {
	eqs    []eq          // each gives the order of the store
	ranges []store.Range // these do not
	or     *eq           // to be walked where there is too much to collect
}

// eq is one post, and keys that its documents must have besides. The empty key
// is that of the type.
type eq struct {
	key  store.Key
	also []store.Key
}

// ordered reports whether a lead is walked in the order of the store, merging at
// most that many streams.
func (l lead) ordered(streams int) bool { return len(l.ranges) == 0 && len(l.eqs) <= streams }

// otherwise is the lead that is ordered where l is too wide to be collected.
func (l lead) otherwise() lead {
	if l.or != nil {
		return lead{eqs: []eq{*l.or}}
	}
	return lead{eqs: []eq{{}}}
}

// conditions are the conditions on k that together find every candidate, each
// of at most so many posts.
func (l lead) conditions(typ string, atOnce int) []any {
	var all []any
	for chunk := range slices.Chunk(l.eqs, atOnce) {
		posts := make(bson.A, len(chunk))
		for i, e := range chunk {
			posts[i] = post(typ, e.key)
		}
		all = append(all, bson.D{{Key: "$in", Value: posts}})
	}
	for _, r := range l.ranges {
		all = append(all, within(typ, r))
	}
	return all
}

// within asks that one element of k is in a range.
func within(typ string, r store.Range) bson.D {
	high := postEnd(typ)
	if r.High != "" {
		high = post(typ, r.High)
	}
	return bson.D{{Key: "$elemMatch", Value: bson.D{
		{Key: "$gte", Value: post(typ, r.Low)},
		{Key: "$lt", Value: high},
	}}}
}

// lead chooses what drives a query; the type's own key if nothing else can.
func (s *snap) lead(ctx context.Context, q store.Query) (lead, error) {
	if q.Type == "" {
		key, ok := store.CrossTypeKey(q.Where)
		if !ok {
			return lead{}, store.ErrNeedsCrossTypeKey
		}
		return lead{eqs: []eq{{key, without(equalities(conjuncts(q.Where)), key)}}}, nil
	}
	l, ok, err := s.leadOf(ctx, q.Type, q.Where, nil)
	if err != nil {
		return lead{}, err
	}
	if !ok {
		l = lead{eqs: []eq{{also: equalities(conjuncts(q.Where))}}}
	}
	return l, nil
}

// leadOf chooses what drives one predicate, of whose matches it is known that
// they have the keys also. ok is false if nothing drives it.
func (s *snap) leadOf(ctx context.Context, typ string, p store.Pred, also []store.Key) (l lead, ok bool, err error) {
	switch p := p.(type) {
	case store.Eq:
		return lead{eqs: []eq{{p.Key, without(also, p.Key)}}}, p.Key.Driving(), nil
	case store.Range:
		return lead{ranges: []store.Range{p}}, p.Driving(), nil
	case store.Interval:
		for _, r := range p.Scan {
			if !r.Driving() {
				return lead{}, false, nil
			}
		}
		return lead{ranges: p.Scan}, len(p.Scan) > 0, nil
	case store.Or:
		for _, branch := range p {
			b, ok, err := s.leadOf(ctx, typ, branch, also)
			if err != nil || !ok {
				return lead{}, false, err
			}
			l.eqs = append(l.eqs, b.eqs...)
			l.ranges = append(l.ranges, b.ranges...)
		}
		return l, true, nil
	case store.And:
		return s.leadOfAll(ctx, typ, conjuncts(p), also)
	case store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return lead{}, false, nil
}

// leadOfAll chooses the cheapest lead of the members of an And.
func (s *snap) leadOfAll(ctx context.Context, typ string, members []store.Pred, also []store.Key) (lead, bool, error) {
	also = store.Sorted(append(equalities(members), also...))
	var leads []lead
	for _, member := range members {
		l, ok, err := s.leadOf(ctx, typ, member, also)
		if err != nil {
			return lead{}, false, err
		}
		if ok {
			leads = append(leads, l)
		}
	}
	if len(leads) == 0 {
		return lead{}, false, nil
	}
	best, err := s.cheapest(ctx, typ, leads)
	if err != nil {
		return lead{}, false, err
	}
	if !best.ordered(s.db.limits.merge) {
		best.or = firstOrdered(leads)
	}
	return best, true, nil
}

// firstOrdered finds a single post among leads.
func firstOrdered(leads []lead) *eq {
	for _, l := range leads {
		if len(l.eqs) == 1 && len(l.ranges) == 0 {
			return &l.eqs[0]
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
