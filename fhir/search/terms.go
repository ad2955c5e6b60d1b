package search

import "carerecord/fhir/search/join"

// terms returns the node of a modifier that needs terminology; nil for any other.
func (p *planner) terms(typ, name, modifier string, values []string) (join.Node, error) {
	system, needed, err := p.x.NeedsTerminology(typ, name, modifier)
	if err != nil {
		return nil, asFault(err, Param{Name: name, Modifier: modifier})
	}
	if !needed {
		return nil, nil
	}
	return join.Coded{Type: typ, Param: name, Modifier: modifier, System: system, Values: values}, nil
}

// coded adds a parameter whose modifier needs terminology, for all types. It is false for any other.
func (p *planner) coded(param Param, values []string) (bool, error) {
	nodes := make([]join.Node, len(p.query.Types))
	for i, part := range p.query.Types {
		n, err := p.terms(part.Type, param.Name, param.Modifier, values)
		if n == nil || err != nil {
			return false, err
		}
		nodes[i] = n
	}
	for i, n := range nodes {
		p.add(i, n)
	}
	p.query.filters++
	p.query.countable, p.query.affirmative = false, p.query.affirmative || nodes[0].Affirms()
	p.query.Used = append(p.query.Used, param)
	return true, nil
}
