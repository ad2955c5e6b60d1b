package facts

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// irregular reports whether more than the directives of one patient can decide who sees a document
// with these keys (index.FactIrregular): a label, a missing owner, a mention, several owners, or a
// partition that is not the owner's.
func irregular(keys []store.Key, at store.Partition) bool {
	owners := index.Owners(keys)
	for _, name := range []string{index.FactResolved, index.FactOrdinary, index.FactShared} {
		if !Has(keys, name) {
			return true
		}
	}
	return len(index.Names(keys, index.AboutPrefix())) > 0 || len(owners) > 1 || len(owners) == 1 && index.PartitionOf(owners[0]) != at || len(index.Names(keys, index.MentionPrefix())) > 0
}
