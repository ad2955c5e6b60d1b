package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// partitionFilters are the conditions that find, one after the other and each in the order
// of the store, what is behind one post in the places of a query. Each names so many
// places as points of p: K gives their documents in order, without a sort.
func (s *snap) partitionFilters(base bson.D, q store.Query) []bson.D {
	var filters []bson.D
	partitions := q.Partitions
	if q.After != nil {
		at, found := slices.BinarySearch(partitions, q.After.Partition)
		partitions = partitions[at:]
		if found {
			filters = append(filters, append(slices.Clone(base), bson.E{Key: "p", Value: int64(q.After.Partition)},
				bson.E{Key: "o", Value: bson.D{{Key: "$gt", Value: binary(q.After.SortKey[:])}}}))
			partitions = partitions[1:]
		}
	}
	for chunk := range slices.Chunk(partitions, s.db.limits.postings) {
		points := make(bson.A, len(chunk))
		for i, partition := range chunk {
			points[i] = int64(partition)
		}
		filters = append(filters, append(slices.Clone(base), bson.E{Key: "p", Value: bson.D{{Key: "$in", Value: points}}}))
	}
	return filters
}
