package facts

import (
	"carerecord/fhir/index"
	"carerecord/store"
)

// irregular reports whether more than the directives of one person can decide who sees a document with
// these keys (index.FactIrregular): a label, a missing owner, a mention, several owners, a number without a
// Patient, or a partition that is not that of the person.
func irregular(keys []store.Key, at store.Partition) bool {
	for _, name := range []string{index.FactResolved, index.FactOrdinary, index.FactShared} {
		if !Has(keys, name) {
			return true
		}
	}
	owners := index.Owners(keys)
	if len(owners) == 0 {
		return len(index.Names(keys, index.AboutPrefix()))+len(index.Names(keys, index.MentionPrefix())) > 0
	}
	return len(owners) > 1 || index.PartitionOf(owners[0]) != at || Has(keys, index.FactByNumber) ||
		len(index.Names(keys, index.AboutPrefix())) > 0 || len(index.Names(keys, index.MentionPrefix())) > 0
}
