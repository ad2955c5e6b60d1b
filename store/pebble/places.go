package pebble

import (
	"sort"

	"carerecord/store"
)

// within is how candidates in a few places are found by a plan: what would have to
// be collected from all places costs more than a look at what stands there.
func within(places []store.Partition, p plan) plan {
	if places == nil || p.cheap() {
		return p
	}
	return verified{everything{}}
}

// placed is those docids of a stream that are in one of some places.
type placed struct {
	stream
	places []store.Partition // that are not behind
}

func (p *placed) seek(target docID) (docID, bool) {
	for {
		at := target.id().Partition
		p.places = p.places[sort.Search(len(p.places), func(i int) bool { return p.places[i] >= at }):]
		if len(p.places) == 0 {
			return docID{}, false
		}
		if p.places[0] > at {
			start, ok := toDocID(store.RowID{Partition: p.places[0]})
			if !ok {
				return docID{}, false // so are those behind it
			}
			target = start
		}
		d, ok := p.stream.seek(target)
		if !ok || d.id().Partition == p.places[0] {
			return d, ok
		}
		target = d
	}
}
