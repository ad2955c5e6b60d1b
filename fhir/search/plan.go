package search

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// Limits are the settings of LIM-001 that a search obeys.
type Limits struct {
	Page, PageMaximum, CountBudget, SortMaximum, ORValues, IncludesPerPage int
}

// DefaultLimits are those of the requirements.
func DefaultLimits() Limits {
	return Limits{Page: 50, PageMaximum: 1000, CountBudget: 10_000, SortMaximum: 100_000, ORValues: 1000, IncludesPerPage: 1000}
}

// Plan is a search, ready to run.
type Plan struct {
	Type     string
	Where    store.Pred
	Named    consent.Named // the patient whom the search names, if any
	Sort     *Sort
	Count    int  // matches a page
	OnlyHow  bool // _summary=count or _count=0: the total alone
	Total    Total
	Includes []Include
	Used     []Param      // what self shows, in order
	Warnings []fhir.Issue // what was ignored
	Claims   []store.Key  // equalities of the criteria, for conditional writes
	simple   bool         // counted from the index alone
	filters  int
}

// Sort is the one sort key.
type Sort struct {
	Name       string
	Descending bool
}

// Include is _include of one hop.
type Include struct {
	Source, Param, Target string // Target may be empty
}

// Total says when the total is given (SRCH-211).
type Total byte

// The values of _total.
const (
	TotalDefault Total = iota
	TotalAccurate
	TotalNone
)

// Options say how strictly a query is read.
type Options struct {
	Strict   bool // handling=strict
	Criteria bool // of a conditional write: always strict, filters only (SRCH-011)
	Limits   Limits
}

// planner makes one Plan.
type planner struct {
	x       *index.Indexer
	opt     Options
	plan    *Plan
	seen    map[string]bool // result parameters that may stand once
	unknown []string
	named   []consent.Named
}

// New plans a search of one type. Errors are *fhir.Error of status 400.
func New(x *index.Indexer, typ string, params []Param, opt Options) (*Plan, error) {
	p := &planner{x: x, opt: opt, seen: map[string]bool{},
		plan: &Plan{Type: typ, Count: opt.Limits.Page, simple: true}}
	where := store.And{}
	for _, param := range params {
		if param.Value == "" { // SRCH-004
			continue
		}
		pred, err := p.param(param)
		if err != nil {
			return nil, err
		}
		if pred != nil {
			where = append(where, pred)
		}
	}
	if len(p.unknown) > 0 && (opt.Strict || opt.Criteria) {
		return nil, fhir.Fault(400, "not-supported", "%s has no search parameter %s.", typ, strings.Join(p.unknown, ", "))
	}
	if opt.Criteria && p.plan.filters == 0 {
		return nil, fhir.Fault(400, "required", "The criteria hold no search parameter that would filter.")
	}
	p.plan.Where = where
	p.plan.simple = p.plan.simple && p.plan.filters <= 1
	if len(p.named) == 1 {
		p.plan.Named = p.named[0]
	}
	return p.plan, nil
}

// notBuilt are names that the standard knows for every type and that are not
// served: they are refused under lenient handling too.
var notBuilt = map[string]bool{
	"_has": true, "_revinclude": true, "_filter": true, "_list": true, "_text": true, "_content": true,
	"_query": true, "_contained": true, "_containedType": true, "_type": true, "_elements": true, "_score": true,
}

// param reads one parameter; the predicate is nil for those that do not filter.
func (p *planner) param(param Param) (store.Pred, error) {
	if notBuilt[param.Name] {
		return nil, notSupported(param, "is not supported")
	}
	if strings.Contains(param.Name, ".") || strings.Contains(param.Modifier, ".") {
		return nil, notSupported(param, "is chained: chains are not supported")
	}
	switch param.Name {
	case "_sort", "_count", "_total", "_summary", "_include":
		if p.opt.Criteria {
			return nil, notSupported(param, "has no place in criteria")
		}
		return nil, p.control(param)
	case "_format", "_pretty":
		if p.opt.Criteria {
			return nil, notSupported(param, "has no place in criteria")
		}
		return nil, nil
	}
	return p.filter(param)
}

func notSupported(param Param, why string) *fhir.Error {
	name := param.Name
	if param.Modifier != "" {
		name += ":" + param.Modifier
	}
	return fhir.Fault(400, "not-supported", "%s %s.", name, why)
}

// filter reads a search parameter of the type.
func (p *planner) filter(param Param) (store.Pred, error) {
	def, known := p.x.Param(p.plan.Type, param.Name)
	if !known {
		p.unknown = append(p.unknown, param.Name)
		p.plan.Warnings = append(p.plan.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported",
			Text: fmt.Sprintf("%s has no search parameter %s: it was ignored.", p.plan.Type, param.Name)})
		return nil, nil
	}
	values, err := index.Split(param.Value, ',')
	if err != nil {
		return nil, asFault(err, param)
	}
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > p.opt.Limits.ORValues {
		return nil, fhir.Fault(400, "too-costly", "%s has more than %d values.", param.Name, p.opt.Limits.ORValues)
	}
	q := index.Query{Type: p.plan.Type, Name: param.Name, Modifier: param.Modifier, Values: values}
	pred, err := p.x.Predicate(q)
	if err != nil {
		return nil, asFault(err, param)
	}
	p.plan.filters++
	p.plan.Used = append(p.plan.Used, param)
	if slices.Contains([]string{"not", "missing", "contains"}, param.Modifier) {
		p.plan.simple = false
	} else if len(values) == 1 {
		p.plan.Claims = append(p.plan.Claims, claims(pred, def)...)
		p.name(param, def, pred)
	}
	return pred, nil
}

// claims are the equalities that every match must satisfy: those of a parameter
// whose one value is one key.
func claims(pred store.Pred, def index.Param) []store.Key {
	switch def.Kind {
	case index.Token, index.Reference, index.URI:
	default:
		return nil
	}
	switch pred := pred.(type) {
	case store.Eq:
		if pred.Key.Drives() {
			return []store.Key{pred.Key}
		}
	case store.Or:
		if len(pred) == 1 {
			return claims(pred[0], def)
		}
	case store.And:
		var out []store.Key
		for _, q := range pred {
			out = append(out, claims(q, def)...)
		}
		return out
	}
	return nil
}

// name notes a parameter that names one patient (consent.md section 1).
func (p *planner) name(param Param, def index.Param, pred store.Pred) {
	switch {
	case p.plan.Type == "Patient" && param.Name == "_id" && param.Modifier == "":
		p.named = append(p.named, consent.Named{ID: param.Value})
	case p.plan.Type == "Patient" && param.Name == "identifier" && param.Modifier == "":
		p.named = append(p.named, consent.Named{Where: pred})
	case param.Name == "patient" || param.Name == "subject":
		value := param.Value
		if param.Modifier == "Patient" || param.Modifier == "" && len(def.Targets) == 1 && def.Targets[0] == "Patient" || param.Name == "patient" {
			if fhir.ValidID(value) {
				value = "Patient/" + value
			}
		}
		if ref, ok := fhir.ParseRef(p.x.Base(), value); ok && ref.Type == "Patient" {
			p.named = append(p.named, consent.Named{ID: ref.ID})
		}
	}
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

// control reads a parameter that shapes the result.
func (p *planner) control(param Param) error {
	if param.Modifier != "" {
		return notSupported(param, "is not supported")
	}
	if param.Name != "_include" {
		if p.seen[param.Name] {
			return fhir.Fault(400, "invalid", "%s stands twice.", param.Name)
		}
		p.seen[param.Name] = true
	}
	switch param.Name {
	case "_sort":
		return p.sort(param)
	case "_count":
		n, err := strconv.Atoi(param.Value)
		if err != nil || n < 0 {
			return fhir.Fault(400, "value", "_count is not a whole number: %q.", param.Value)
		}
		p.plan.Count = min(n, p.opt.Limits.PageMaximum)
		p.plan.OnlyHow = p.plan.OnlyHow || n == 0
	case "_total":
		switch param.Value {
		case "accurate":
			p.plan.Total = TotalAccurate
		case "none":
			p.plan.Total = TotalNone
		case "estimate":
		default:
			return fhir.Fault(400, "value", "_total is none, estimate or accurate, not %q.", param.Value)
		}
	case "_summary":
		switch param.Value {
		case "count":
			p.plan.OnlyHow = true
		case "false":
		case "true", "text", "data":
			return fhir.Fault(400, "not-supported", "_summary=%s is not supported.", param.Value)
		default:
			return fhir.Fault(400, "value", "_summary is count, true, text, data or false, not %q.", param.Value)
		}
	case "_include":
		return p.include(param)
	}
	p.plan.Used = append(p.plan.Used, param)
	return nil
}

func (p *planner) sort(param Param) error {
	if strings.Contains(param.Value, ",") {
		return fhir.Fault(400, "not-supported", "_sort with several keys is not supported.")
	}
	name, descending := strings.CutPrefix(param.Value, "-")
	def, known := p.x.Param(p.plan.Type, name)
	if !known || !def.Indexed || !index.Sortable(def.Kind) {
		if known && !def.Indexed {
			return fhir.Fault(400, "not-supported", "_sort by %s is not supported.", name)
		}
		p.unknown = append(p.unknown, "_sort="+param.Value)
		p.plan.Warnings = append(p.plan.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported",
			Text: fmt.Sprintf("%s cannot be sorted by %s: _sort was ignored.", p.plan.Type, name)})
		return nil
	}
	p.plan.Sort = &Sort{Name: name, Descending: descending}
	p.plan.Used = append(p.plan.Used, param)
	return nil
}

func (p *planner) include(param Param) error {
	parts := strings.Split(param.Value, ":")
	if strings.Contains(param.Value, ",") || len(parts) < 2 || len(parts) > 3 {
		return fhir.Fault(400, "value", "_include is Type:parameter or Type:parameter:Target, one a parameter, not %q.", param.Value)
	}
	inc := Include{Source: parts[0], Param: parts[1]}
	if inc.Param == "*" || inc.Source == "*" {
		return fhir.Fault(400, "not-supported", "_include with a wildcard is not supported.")
	}
	def, known := p.x.Param(inc.Source, inc.Param)
	if !r4.IsResource(inc.Source) || !known || def.Kind != index.Reference || !def.Indexed {
		return fhir.Fault(400, "not-supported", "%s is no reference parameter of %s.", inc.Param, inc.Source)
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !r4.IsResource(inc.Target) {
			return fhir.Fault(400, "value", "%s is no resource type.", inc.Target)
		}
	}
	p.plan.Includes = append(p.plan.Includes, inc)
	p.plan.Used = append(p.plan.Used, param)
	return nil
}
