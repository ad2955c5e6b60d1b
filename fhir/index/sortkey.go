package index

import (
	"crypto/sha256"
	"encoding/binary"

	"carerecord/store"
)

// Date is the clinical date in a store.SortKey: seconds since the year 1, inverted, so that the
// newest is first and a missing date last.
type Date [5]byte

// noDate is the Date of a resource that has none.
func noDate() Date { return Date{0xff, 0xff, 0xff, 0xff, 0xff} }

func dateOf(m moment) Date {
	var d Date
	for i := range d {
		d[i] = ^byte(m.sec >> (8 * (len(d) - 1 - i)))
	}
	return d
}

// PartitionOf returns the partition of a person's documents by a person key, or of a document without
// owners by its Type/id: the first 48 bits of a SHA-256.
func PartitionOf(name string) store.Partition {
	sum := sha256.Sum256([]byte(name))
	return store.Partition(binary.BigEndian.Uint64(sum[:8]) >> 16)
}

// SortKeyOf returns the sort key of a document: its date, then eight bytes of the SHA-256 of
// Type/id.
func SortKeyOf(date Date, typ, id string) store.SortKey {
	var o store.SortKey
	n := copy(o[:], date[:])
	sum := sha256.Sum256([]byte(typ + "/" + id))
	copy(o[n:], sum[:8])
	return o
}
