package pebble

import (
	"sort"

	"carerecord/store"
)

// restrictPlan returns the plan for a query of some partitions: collecting from all partitions
// costs more than reading all documents of the type in these.
func restrictPlan(partitions []store.Partition, p plan) plan {
	if partitions == nil || p.cheap() {
		return p
	}
	return verified{allOfType{}}
}

// partitionStream is the row IDs of a stream that are in one of some partitions.
type partitionStream struct {
	stream
	partitions []store.Partition // remaining, in order
}

func (p *partitionStream) seek(target rowID) (rowID, bool) {
	for {
		at := target.decode().Partition
		p.partitions = p.partitions[sort.Search(len(p.partitions), func(i int) bool { return p.partitions[i] >= at }):]
		if len(p.partitions) == 0 {
			return rowID{}, false
		}
		if p.partitions[0] > at {
			start, ok := toRowID(store.RowID{Partition: p.partitions[0]})
			if !ok {
				return rowID{}, false // nor do the later ones
			}
			target = start
		}
		d, ok := p.stream.seek(target)
		if !ok || d.decode().Partition == p.partitions[0] {
			return d, ok
		}
		target = d
	}
}
