package facts

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// irregular reports whether a document with these keys at a place stands apart.
func irregular(keys []store.Key, at store.Partition) bool {
	owners := index.Owners(keys)
	for _, name := range []string{index.FactResolved, index.FactOrdinary, index.FactShared} {
		if !Has(keys, name) {
			return true
		}
	}
	return len(index.Names(keys, index.AboutPrefix())) > 0 || len(owners) > 1 || len(owners) == 1 && index.PartitionOf(owners[0]) != at || len(index.Names(keys, index.MentionPrefix())) > 0
}
