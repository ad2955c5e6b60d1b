package search

import (
	"maps"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// planner makes one Query.
type planner struct {
	x       *index.Indexer
	opt     Options
	query   *Query
	wheres  []store.And     // of each type
	seen    map[string]bool // result parameters that may not be repeated
	unknown []string
	named   []consent.NamedPatient // one for each value that may name a patient; zero for a value that names nobody
}

// New reads the parameters of a search of one type, or of several. Errors are *fhir.Error of
// status 400.
func New(x *index.Indexer, types []string, params []Param, opt Options) (*Query, error) {
	x = x.Pinned()
	p := &planner{x: x, opt: opt, seen: map[string]bool{}, wheres: make([]store.And, len(types)),
		query: &Query{Count: opt.Limits.Page, countable: len(types) == 1, x: x}}
	for _, typ := range types {
		p.query.Types = append(p.query.Types, TypeQuery{Type: typ})
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
	if opt.Criteria && p.query.filters == 0 {
		return nil, fhir.Fault(400, "required", "The criteria have no search parameter that filters.")
	}
	if err := p.coherentSelection(); err != nil {
		return nil, err
	}
	for i := range p.query.Types {
		p.query.Types[i].Where = p.wheres[i]
	}
	p.query.countable = p.query.countable && p.query.filters <= 1 && store.DecidedByPostings(p.query.Where())
	if len(p.named) == 1 {
		p.query.Named = p.named[0]
	}
	return p.query, nil
}

// notBuilt are names that the standard defines for every type and that are not implemented. They are
// refused under lenient handling too.
var notBuilt = map[string]bool{
	"_query": true, "_contained": true, "_containedType": true, "_score": true,
}

// param reads one parameter.
func (p *planner) param(param Param) error {
	if notBuilt[param.Name] {
		return NotSupported(param, "is not supported")
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
		return NotSupported(param, "is not supported in criteria")
	case param.Name == "_format":
		return nil
	case param.Name == "_pretty":
		p.query.Used = append(p.query.Used, param) // for later pages
		return nil
	case param.Name == "_type":
		if !p.opt.System || param.Modifier != "" {
			return NotSupported(param, "is only supported in a search of the whole system")
		}
		p.query.Used = append(p.query.Used, param)
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

// NotBuilt returns the parameter names that the standard defines for every type and that are refused,
// sorted.
func NotBuilt() []string { return slices.Sorted(maps.Keys(notBuilt)) }

// NotSupported refuses a parameter: 400 not-supported, "name why.".
func NotSupported(param Param, why string) *fhir.Error {
	name := param.Name
	if param.Modifier != "" {
		name += ":" + param.Modifier
	}
	return fhir.Fault(400, "not-supported", "%s %s.", name, why)
}

func asFault(err error, param Param) error { return join.Fault(err, param.Name) }
