package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// inPlaces are the conditions that find, one after the other and each in the order
// of the store, what is behind one post in the places of a query. Each names so many
// places as points of p: K gives their documents in order, without a sort.
func (s *snap) inPlaces(base bson.D, q store.Query) []bson.D {
	var filters []bson.D
	places := q.Partitions
	if q.After != nil {
		at, found := slices.BinarySearch(places, q.After.Partition)
		places = places[at:]
		if found {
			filters = append(filters, append(slices.Clone(base), bson.E{Key: "p", Value: int64(q.After.Partition)},
				bson.E{Key: "o", Value: bson.D{{Key: "$gt", Value: binary(q.After.SortKey[:])}}}))
			places = places[1:]
		}
	}
	for chunk := range slices.Chunk(places, s.db.limits.posts) {
		points := make(bson.A, len(chunk))
		for i, place := range chunk {
			points[i] = int64(place)
		}
		filters = append(filters, append(slices.Clone(base), bson.E{Key: "p", Value: bson.D{{Key: "$in", Value: points}}}))
	}
	return filters
}
