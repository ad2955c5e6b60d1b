package search

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/search/join"
)

// join reads a chained parameter or _has, for all types.
func (p *planner) join(param Param) error {
	values, err := p.values(param)
	if err != nil || len(values) == 0 {
		return err
	}
	expr := param.Name
	if param.Modifier != "" {
		expr += ":" + param.Modifier
	}
	for i, part := range p.query.Types {
		n, err := p.node(part.Type, expr, values, 0)
		if err != nil {
			return err
		}
		p.add(i, n)
		if c, ok := n.(join.Chain); ok && len(p.query.Types) == 1 {
			p.nameByChain(c, expr, values)
		}
	}
	p.query.filters++
	p.query.countable, p.query.affirmative = false, true
	p.query.Used = append(p.query.Used, param)
	return nil
}

// add adds a node to a type of the Query.
func (p *planner) add(part int, n join.Node) {
	if p.query.joins == nil {
		p.query.joins = make([][]join.Node, len(p.query.Types))
	}
	p.query.joins[part] = append(p.query.joins[part], n)
}

// node parses a chain link by link; depth counts the links before.
func (p *planner) node(typ, expr string, values []string, depth int) (join.Node, error) {
	if depth > p.opt.Limits.ChainDepth {
		return nil, fhir.Fault(400, "too-costly", "A chain has more than %d links.", p.opt.Limits.ChainDepth)
	}
	if rest, ok := strings.CutPrefix(expr, "_has:"); ok {
		return p.reverse(typ, rest, values, depth)
	}
	link, rest, chained := strings.Cut(expr, ".")
	if !chained {
		return p.lastLink(typ, expr, values)
	}
	name, target, typed := strings.Cut(link, ":")
	def, err := p.reference(typ, name)
	if err != nil {
		return nil, err
	}
	target, err = p.targetOf(typ, name, def, rest, target, typed)
	if err != nil {
		return nil, err
	}
	p.noteJoined(target)
	inner, err := p.node(target, rest, values, depth+1)
	return join.Chain{Type: typ, Param: name, Target: target, Inner: inner}, err
}

// checkServed refuses a parameter that is not served, one that is still being indexed included
// (SRCH-243).
func (p *planner) checkServed(typ, name string) error {
	if err := p.x.Served(typ, name); err != nil {
		return asFault(err, Param{Name: name})
	}
	return nil
}

// reference returns the definition of a link's reference parameter.
func (p *planner) reference(typ, name string) (index.Param, error) {
	def, known := p.x.Param(typ, name)
	if err := p.checkServed(typ, name); known && err != nil {
		return def, err
	}
	if !known || def.Kind != index.Reference {
		return def, fhir.Fault(400, "not-supported", "%s has no reference parameter %s for a chain.", typ, name)
	}
	return def, nil
}

// targetOf returns the target type of a link: the one in the query, or the only one that has the next
// parameter (SRCH-131).
func (p *planner) targetOf(typ, name string, def index.Param, rest, target string, typed bool) (string, error) {
	if typed {
		if !slices.Contains(def.Targets, target) {
			return "", fhir.Fault(400, "not-supported", "%s of %s does not refer to %q.", name, typ, target)
		}
		return target, nil
	}
	next := rest[:len(rest)-len(strings.TrimLeft(rest, nameChars))]
	var types []string
	for _, t := range def.Targets {
		if _, known := p.x.Param(t, next); known || next == "_has" {
			types = append(types, t)
		}
	}
	switch len(types) {
	case 0:
		return "", fhir.Fault(400, "not-supported", "No type that %s of %s refers to has a parameter %q.", name, typ, next)
	case 1:
		return types[0], nil
	}
	return "", fhir.Fault(400, "invalid", "%s of %s refers to several types with %s. Write %s:Type, where Type is one of %s.", name, typ, next, name, strings.Join(types, ", "))
}

// reverse parses the rest of a _has parameter (SRCH-140, 142).
func (p *planner) reverse(typ, expr string, values []string, depth int) (join.Node, error) {
	parts := strings.SplitN(expr, ":", 3)
	if len(parts) < 3 {
		return nil, fhir.Fault(400, "not-supported", "_has must be _has:Type:reference:parameter, not _has:%s.", expr)
	}
	def, known := p.x.Param(parts[0], parts[1])
	if err := p.checkServed(parts[0], parts[1]); known && err != nil {
		return nil, err
	}
	if !known || !def.Indexed || def.Kind != index.Reference || !slices.Contains(def.Targets, typ) {
		return nil, fhir.Fault(400, "not-supported", "%s of %q is not a reference parameter that refers to %s.", parts[1], parts[0], typ)
	}
	p.noteJoined(parts[0])
	inner, err := p.node(parts[0], parts[2], values, depth+1)
	return join.Has{Type: parts[0], Param: parts[1], Here: typ, Inner: inner}, err
}

// lastLink parses the parameter at the end of a chain.
func (p *planner) lastLink(typ, expr string, values []string) (join.Node, error) {
	name, modifier, _ := strings.Cut(expr, ":")
	if _, known := p.x.Param(typ, name); !known {
		return nil, fhir.Fault(400, "not-supported", "%s has no search parameter %s.", typ, name)
	}
	if n, err := p.terms(typ, name, modifier, values); n != nil || err != nil {
		return n, err
	}
	pred, err := p.x.Predicate(index.Query{Type: typ, Name: name, Modifier: modifier, Values: values})
	if err != nil {
		return nil, asFault(err, Param{Name: name, Modifier: modifier})
	}
	return join.Leaf{Pred: pred, Drives: drives(modifier, pred)}, nil
}

// noteJoined adds a type that a join reads: the requester needs the permission to search it (SMART-279,
// 280).
func (p *planner) noteJoined(typ string) {
	if !slices.Contains(p.query.Joined, typ) {
		p.query.Joined = append(p.query.Joined, typ)
	}
}
