package mongo

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"carerecord/store"
)

// postingRange is a part of one posting that K returns in row order, without a sort on the server.
type postingRange struct{ filter, order bson.D }

// wholePartition returns the range of one partition. Within it rows are ordered by o alone: MongoDB 4.4 sorts
// all documents of the range if p is in the order and the filter has one value of it, since k is multikey.
func wholePartition(base bson.D, partition store.Partition) postingRange {
	return postingRange{append(slices.Clone(base), bson.E{Key: "p", Value: int64(partition)}), bson.D{{Key: "o", Value: 1}}}
}

// restOfPartition returns the range behind a row in its partition.
func restOfPartition(base bson.D, after store.RowID) postingRange {
	r := wholePartition(base, after.Partition)
	r.filter = append(r.filter, bson.E{Key: "o", Value: bson.D{{Key: "$gt", Value: binary(after.SortKey[:])}}})
	return r
}

// postingRanges returns the ranges that find, one after the other, the rows of one posting that a query needs.
func (s *snap) postingRanges(base bson.D, q store.Query) []postingRange {
	switch {
	case q.Partitions != nil:
		return s.partitionRanges(base, q)
	case q.After != nil:
		later := append(slices.Clone(base), bson.E{Key: "p", Value: bson.D{{Key: "$gt", Value: int64(q.After.Partition)}}})
		return []postingRange{restOfPartition(base, *q.After), {later, rowOrder()}}
	}
	return []postingRange{{base, rowOrder()}}
}

// partitionRanges is postingRanges for the partitions of a query. Each range names partitions as points of p.
func (s *snap) partitionRanges(base bson.D, q store.Query) []postingRange {
	var ranges []postingRange
	partitions := q.Partitions
	if q.After != nil {
		at, found := slices.BinarySearch(partitions, q.After.Partition)
		partitions = partitions[at:]
		if found {
			ranges = append(ranges, restOfPartition(base, *q.After))
			partitions = partitions[1:]
		}
	}
	for chunk := range slices.Chunk(partitions, s.db.limits.postings) {
		if len(chunk) == 1 {
			ranges = append(ranges, wholePartition(base, chunk[0]))
			continue
		}
		points := make(bson.A, len(chunk))
		for i, partition := range chunk {
			points[i] = int64(partition)
		}
		ranges = append(ranges, postingRange{append(slices.Clone(base), bson.E{Key: "p", Value: bson.D{{Key: "$in", Value: points}}}), rowOrder()})
	}
	return ranges
}
