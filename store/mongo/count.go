package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// Count implements store.Snapshot. For equalities and at most one range the server counts, in
// the index alone if there is only one. Other queries are scanned without bodies.
func (s *snap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	filter, ok, err := s.countFilter(ctx, q)
	if err != nil {
		return 0, err
	}
	if ok {
		return s.countByFilter(ctx, filter, max)
	}
	q.KeysOnly = true
	n := 0
	for _, err := range s.Scan(ctx, q) {
		if err != nil {
			return 0, err
		}
		if n++; n == max {
			break
		}
	}
	return n, nil
}

// countFilter returns a filter that is exact for the query; ok is false if there is none.
func (s *snap) countFilter(ctx context.Context, q store.Query) (filter bson.D, ok bool, err error) {
	if q.After != nil || q.Partitions != nil {
		return nil, false, nil
	}
	var ranges []store.Range
	members := conjuncts(q.Where)
	keys := equalities(members)
	for _, member := range members {
		switch p := member.(type) {
		case store.Eq:
		case store.Range:
			if !p.Driving() || q.Type == "" {
				return nil, false, nil
			}
			ranges = append(ranges, p)
		case store.Interval, store.Contains, store.In, store.And, store.Or, store.Not, store.VerifyOnly:
			return nil, false, nil
		}
	}
	if len(ranges) > 1 {
		return nil, false, nil
	}
	if len(ranges) == 1 {
		filter = bson.D{{Key: "k", Value: rangeFilter(q.Type, ranges[0])}}
	} else {
		l, err := s.chooseDriving(ctx, q)
		if err != nil {
			return nil, false, err
		}
		filter = bson.D{{Key: "k", Value: posting(q.Type, l.keys[0].key)}}
		keys = l.keys[0].also
	}
	if len(keys) > 0 {
		filter = append(filter, bson.E{Key: "f", Value: bson.D{{Key: "$all", Value: binaries(keys)}}})
	}
	return filter, true, nil
}

func binaries(keys []store.Key) bson.A {
	all := make(bson.A, len(keys))
	for i, key := range keys {
		all[i] = binary([]byte(key))
	}
	return all
}
