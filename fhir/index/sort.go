package index

import "carerecord/store"

// SortValue returns the value by which a document sorts: the smallest one
// ascending, the largest one descending (SRCH-191, SRCH-193). Values compare by
// their bytes. It is false for a document that has none.
func (x *Indexer) SortValue(typ, name string, keys []store.Key, descending bool) (string, bool) {
	return "", false
}
