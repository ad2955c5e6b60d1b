package search

import (
	"carerecord/fhir"
	"carerecord/store"
)

// Cursor is the position after which a page begins. The zero Cursor is the start.
type Cursor struct {
	After *store.RowID
	// Type is the resource type of the last row of an $everything page, empty for the owner.
	Type string
	// Seen is how many referenced resources the earlier pages of $everything sent.
	Seen int
	// Values are the sort values of the last row of a sorted search.
	Values []Value
}

// Value is the value of one sort key. Has is false for a row without one.
type Value struct {
	Text string
	Has  bool
}

// SentSize is how many bytes of hash Page.Sent holds for each resource: enough that two resources
// do not collide.
const SentSize = 8

// Page is one page of a search.
type Page struct {
	Matches  []store.Doc
	Included []store.Doc
	Warnings []fhir.Issue
	Total    *int
	Next     *Cursor // nil if no rows can follow

	Cursors []Cursor // the position after each match
	Sent    []byte   // hashes of the referenced resources that $everything sent up to the end of this page
}

// Shorten keeps the first n matches; the next page begins after them. Included is not changed.
func (page *Page) Shorten(n int) {
	if n >= len(page.Matches) {
		return
	}
	page.Matches = page.Matches[:n]
	page.Next = &page.Cursors[n-1]
}
