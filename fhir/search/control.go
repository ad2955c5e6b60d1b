package search

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// control reads a parameter that shapes the result.
func (p *planner) control(param Param) error {
	if param.Name == "_include" || param.Name == "_revinclude" {
		return p.include(param)
	}
	if param.Modifier != "" {
		return NotSupported(param, "is not supported")
	}
	if p.seen[param.Name] {
		return fhir.Fault(400, "invalid", "%s is repeated.", param.Name)
	}
	p.seen[param.Name] = true
	switch param.Name {
	case "_sort":
		return p.sort(param)
	case "_elements", "_summary":
		return p.elementSelection(param)
	case "_count":
		n, err := strconv.Atoi(param.Value)
		if err != nil || n < 0 {
			return fhir.Fault(400, "value", "_count must be a whole number, not %q.", param.Value)
		}
		p.query.Count = min(n, p.opt.Limits.PageMaximum)
		p.query.CountOnly = p.query.CountOnly || n == 0
	case "_total":
		switch param.Value {
		case "accurate":
			p.query.Total = TotalAccurate
		case "none":
			p.query.Total = TotalNone
		case "estimate":
		default:
			return fhir.Fault(400, "value", "_total must be none, estimate or accurate, not %q.", param.Value)
		}
	}
	p.query.Used = append(p.query.Used, param)
	return nil
}

// sort reads _sort (SRCH-190, 194). A key that cannot sort is handled like an unknown parameter; the
// self link has the applied keys.
func (p *planner) sort(param Param) error {
	var applied []string
	for _, key := range strings.Split(param.Value, ",") {
		name, descending := strings.CutPrefix(key, "-")
		if name == "" {
			continue
		}
		if why, err := p.whyNotSortable(name); err != nil {
			return err
		} else if why != "" {
			p.unknown = append(p.unknown, "_sort="+key)
			p.query.Warnings = append(p.query.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported", Text: why})
			continue
		}
		if slices.ContainsFunc(p.query.Sort, func(k SortBy) bool { return k.Name == name }) {
			return fhir.Fault(400, "invalid", "_sort repeats %s.", name)
		}
		p.query.Sort = append(p.query.Sort, SortBy{Name: name, Descending: descending})
		applied = append(applied, key)
	}
	if len(applied) > 0 {
		p.query.Used = append(p.query.Used, Param{Name: "_sort", Value: strings.Join(applied, ",")})
	}
	return nil
}

// whyNotSortable returns why the types cannot be sorted by a parameter; empty if they can.
func (p *planner) whyNotSortable(name string) (string, error) {
	for _, part := range p.query.Types {
		def, known := p.x.Param(part.Type, name)
		if known && !def.Indexed {
			return "", p.checkServed(part.Type, name)
		}
		if !known || !index.Sortable(def.Kind) {
			return fmt.Sprintf("%s cannot be sorted by %s. It was ignored.", part.Type, name), nil
		}
	}
	return "", nil
}

// include reads _include and _revinclude (SRCH-170, 171, 175, 176).
func (p *planner) include(param Param) error {
	inc := Include{Reverse: param.Name == "_revinclude", Iterate: param.Modifier == "iterate"}
	if param.Modifier != "" && !inc.Iterate {
		return NotSupported(param, "is not supported")
	}
	parts := strings.Split(param.Value, ":")
	if param.Value == "*" && !inc.Reverse {
		inc.Source, inc.Param = "*", "*"
		return p.included(inc, param)
	}
	if param.Value == "*" {
		return fhir.Fault(400, "too-costly", "_revinclude=* would search every type. Name a type.")
	}
	if strings.Contains(param.Value, ",") || len(parts) < 2 || len(parts) > 3 {
		return fhir.Fault(400, "value", "%s must be one Type:parameter or Type:parameter:Target, not %q.", param.Name, param.Value)
	}
	inc.Source, inc.Param = parts[0], parts[1]
	if !r4.IsResource(inc.Source) {
		return fhir.Fault(400, "not-supported", "%s is not a resource type.", inc.Source)
	}
	def, known := p.x.Param(inc.Source, inc.Param)
	if err := p.checkServed(inc.Source, inc.Param); known && err != nil {
		return err
	}
	if inc.Param != "*" && (!known || def.Kind != index.Reference || !def.Indexed) {
		return fhir.Fault(400, "not-supported", "%s is not a reference parameter of %s.", inc.Param, inc.Source)
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !r4.IsResource(inc.Target) {
			return fhir.Fault(400, "value", "%s is not a resource type.", inc.Target)
		}
	}
	return p.included(inc, param)
}

func (p *planner) included(inc Include, param Param) error {
	p.query.Includes = append(p.query.Includes, inc)
	p.query.Used = append(p.query.Used, param)
	return nil
}
