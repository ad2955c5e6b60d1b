package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// partitionFilters returns the filters that find, one after the other and each in row order, the
// documents of one posting in the partitions of a query. Each names partitions as points of p: K
// returns their documents in order, without a sort.
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
