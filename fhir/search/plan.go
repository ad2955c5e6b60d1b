package search

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Limits are the settings of LIM-001 that a search obeys.
type Limits struct {
	Page, PageMaximum, Everything, CountBudget, SortMaximum, ScanMaximum, ORValues, IncludesPerPage, IncludeDepth, ChainDepth, ExpansionMaximum int
	// Hop is of how many documents a page first follows its hops at once; 1 at least.
	Hop int
}

// DefaultLimits are those of the requirements.
func DefaultLimits() Limits {
	return Limits{Page: 50, PageMaximum: 1000, Everything: 5000, CountBudget: 10_000, SortMaximum: 100_000, ScanMaximum: 200_000, ORValues: 1000, IncludesPerPage: 1000, IncludeDepth: 4, ChainDepth: 5, ExpansionMaximum: 10_000, Hop: 64}
}

// Plan is a search, ready to run: of one type, or of several whose rows come
// merged in the order of the store.
type Plan struct {
	Types      []TypeQuery
	Named      consent.NamedPatient // the patient whom the search names, if any
	Sort       []SortBy             // in the order of their priority
	Count      int                  // matches a page
	CountOnly  bool                 // _summary=count or _count=0: the total alone
	Total      Total
	Includes   []Include
	Projection Projection
	Used       []Param        // what self shows, in order
	Warnings   []fhir.Issue   // what was ignored
	Joined     []string       // types that chains and _has cross
	Claims     []store.Key    // equalities of the criteria, for conditional writes
	simple     bool           // counted from the index alone
	positive   bool           // some filter says what must be there
	driven     bool           // some filter of the type itself does
	joins      [][]node       // of each part; nil for none
	stream     *flow          // where the rows of the one part come from; nil for its predicate
	bare       [][]store.Pred // what the target types make of ids without a type
	filters    int
	latest     int            // of each code, of $lastn; 0 for a search
	x          *index.Indexer // with the parameters that were in force when it was planned
}

// TypeQuery is the search of one type.
type TypeQuery struct {
	Type  string
	Where store.Pred
}

// SortBy is one key of _sort.
type SortBy struct {
	Name       string
	Descending bool
}

// Total says when the total is given (SRCH-211).
type Total byte

// The values of _total.
const (
	TotalDefault Total = iota
	TotalAccurate
	TotalNone
)

// Options say how a query is read.
type Options struct {
	Strict   bool // handling=strict
	Criteria bool // of a conditional write: always strict, filters only (SRCH-011)
	System   bool // of the whole system: _type has been read
	Limits   Limits
}

// planner makes one Plan.
type planner struct {
	x       *index.Indexer
	opt     Options
	plan    *Plan
	wheres  []store.And     // of each part
	seen    map[string]bool // result parameters that may stand once
	unknown []string
	named   []consent.NamedPatient // by each value that may name a patient; the zero Named for one that names nobody
}

// New plans a search of one type, or of several. Errors are *fhir.Error of
// status 400.
func New(x *index.Indexer, types []string, params []Param, opt Options) (*Plan, error) {
	x = x.Pinned()
	p := &planner{x: x, opt: opt, seen: map[string]bool{}, wheres: make([]store.And, len(types)),
		plan: &Plan{Count: opt.Limits.Page, simple: len(types) == 1, x: x}}
	for _, typ := range types {
		p.plan.Types = append(p.plan.Types, TypeQuery{Type: typ})
	}
	for _, param := range params {
		if param.Value == "" { // SRCH-004
			continue
		}
		if err := p.param(param); err != nil {
			return nil, err
		}
	}
	several := len(types) > 1 || opt.System // every type must have it (SRCH-151)
	if len(p.unknown) > 0 && (opt.Strict || opt.Criteria || several) {
		return nil, fhir.Fault(400, "not-supported", "%s has no search parameter %s.", strings.Join(types, ", "), strings.Join(p.unknown, ", "))
	}
	if opt.Criteria && p.plan.filters == 0 {
		return nil, fhir.Fault(400, "required", "The criteria hold no search parameter that would filter.")
	}
	if err := p.coherent(); err != nil {
		return nil, err
	}
	for i := range p.plan.Types {
		p.plan.Types[i].Where = p.wheres[i]
	}
	p.plan.simple = p.plan.simple && p.plan.filters <= 1 && store.DecidedByPostings(p.plan.Where())
	if len(p.named) == 1 {
		p.plan.Named = p.named[0]
	}
	return p.plan, nil
}

// Type returns the type of a search of one type.
func (p *Plan) Type() string { return p.Types[0].Type }

// Where returns the predicate of a search of one type.
func (p *Plan) Where() store.Pred { return p.Types[0].Where }

// Empty makes a plan find nothing.
func (p *Plan) Empty() {
	for i := range p.Types {
		p.Types[i].Where = store.Or{}
	}
}

// notBuilt are names that the standard knows for every type and that are not
// served: they are refused under lenient handling too.
var notBuilt = map[string]bool{
	"_query": true, "_contained": true, "_containedType": true, "_score": true,
}

// param reads one parameter.
func (p *planner) param(param Param) error {
	if notBuilt[param.Name] {
		return notSupported(param, "is not supported")
	}
	if param.Name == "_has" || strings.Contains(param.Name, ".") || strings.Contains(param.Modifier, ".") {
		return p.join(param)
	}
	switch {
	case param.Name == "_list":
		return p.list(param)
	case param.Name == "_filter":
		return p.expression(param)
	case !IsControl(param.Name) && param.Name != "_type":
		return p.filter(param)
	case p.opt.Criteria:
		return notSupported(param, "has no place in criteria")
	case param.Name == "_format":
		return nil
	case param.Name == "_pretty":
		p.plan.Used = append(p.plan.Used, param) // for later pages
		return nil
	case param.Name == "_type":
		if !p.opt.System || param.Modifier != "" {
			return notSupported(param, "has its place in a search of the whole system only")
		}
		p.plan.Used = append(p.plan.Used, param)
		return nil
	}
	return p.control(param)
}

// IsControl reports whether a parameter shapes the answer and does not filter.
func IsControl(name string) bool { return slices.Contains(Controls(), name) }

// Controls returns the parameters that shape the answer and do not filter.
func Controls() []string {
	return []string{"_sort", "_count", "_total", "_summary", "_include", "_revinclude", "_elements", "_format", "_pretty"}
}

// NotBuilt returns the names that the standard knows for every type and that are
// refused here, sorted.
func NotBuilt() []string { return slices.Sorted(maps.Keys(notBuilt)) }

func notSupported(param Param, why string) *fhir.Error {
	name := param.Name
	if param.Modifier != "" {
		name += ":" + param.Modifier
	}
	return fhir.Fault(400, "not-supported", "%s %s.", name, why)
}

func asFault(err error, param Param) error {
	var e *index.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("plan %s: %w", param.Name, err)
	}
	code := e.Code
	if code == "not-found" {
		code = "not-supported"
	}
	return fhir.Fault(400, code, "%s", e.Text)
}
