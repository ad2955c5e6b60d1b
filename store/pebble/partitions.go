package pebble

import (
	"sort"

	"carerecord/store"
)

// restrictPlan is how candidates in a few places are found by a plan: what would have to
// be collected from all places costs more than a look at what stands there.
func restrictPlan(partitions []store.Partition, p plan) plan {
	if partitions == nil || p.cheap() {
		return p
	}
	return verified{allOfType{}}
}

// partitionStream is those docids of a stream that are in one of some places.
type partitionStream struct {
	stream
	partitions []store.Partition // that are not behind
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
				return rowID{}, false // so are those behind it
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
