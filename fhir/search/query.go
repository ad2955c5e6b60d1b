package search

import (
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// Limits are the settings of LIM-001 for searches.
type Limits struct {
	Page, PageMaximum, Everything, CountBudget, SortMaximum, ScanMaximum, ORValues, IncludesPerPage, IncludeDepth, ChainDepth, ExpansionMaximum int
	// Hop is how many rows of a page have their joins evaluated together at first; at least 1.
	Hop int
}

// DefaultLimits returns the defaults of the requirements.
func DefaultLimits() Limits {
	return Limits{Page: 50, PageMaximum: 1000, Everything: 5000, CountBudget: 10_000, SortMaximum: 100_000, ScanMaximum: 200_000, ORValues: 1000, IncludesPerPage: 1000, IncludeDepth: 4, ChainDepth: 5, ExpansionMaximum: 10_000, Hop: 64}
}

// Query is a search as a client requested it: of one type, or of several whose rows are merged in
// the order of the store. It is independent of the requester and of the record; Run and Resolve
// execute it on a View. A Query is not changed after Within and Empty.
type Query struct {
	Types     []TypeQuery
	Named     consent.NamedPatient // the patient whom the search names, if any
	Sort      []SortBy             // in the order of their priority
	Count     int                  // matches a page
	CountOnly bool                 // _summary=count or _count=0: only the total
	Total     Total
	Includes  []Include
	Selection ElementSelection
	Used      []Param      // the parameters of the self link, in order
	Warnings  []fhir.Issue // parameters that were ignored
	Joined    []string     // types that chains and _has read
	Claims    []store.Key  // equalities of the criteria, for conditional writes

	joins      [][]join.Node  // for each of Types; nil if no filter needs other documents
	untypedIDs [][]store.Pred // for each id without a type: the predicates of the target types
	filters    int            // parameters that filter
	byID       bool           // _id is among them
	latest     int            // observations of each code, for $lastn; 0 for a search
	x          *index.Indexer // with the search parameters at the time of planning

	// Properties of the filters that decide how the Query is executed.
	countable   bool // postings alone decide, so a count is cheap
	affirmative bool // some filter demands that something is present
	driven      bool // some filter on the searched type itself, not on a joined one, demands that
}

// TypeQuery is the search of one type: the predicate without joins.
type TypeQuery struct {
	Type  string
	Where store.Pred
}

// SortBy is one key of _sort.
type SortBy struct {
	Name       string
	Descending bool
}

// Total selects when the total is returned (SRCH-211).
type Total byte

// The values of _total.
const (
	TotalDefault Total = iota
	TotalAccurate
	TotalNone
)

// Options control how the parameters are read.
type Options struct {
	Strict   bool // handling=strict
	Criteria bool // of a conditional write: always strict, filters only (SRCH-011)
	System   bool // of the whole system: _type was read before
	Limits   Limits
}

// Type returns the type of a search of one type.
func (q *Query) Type() string { return q.Types[0].Type }

// Where returns the predicate of a search of one type.
func (q *Query) Where() store.Pred { return q.Types[0].Where }

// Empty makes the Query find nothing.
func (q *Query) Empty() {
	for i := range q.Types {
		q.Types[i].Where = store.Or{}
	}
}
