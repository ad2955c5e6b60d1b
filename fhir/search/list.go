package search

import (
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/search/join"
)

// list reads _list, for all types.
func (p *planner) list(param Param) error {
	if param.Modifier != "" {
		return NotSupported(param, "is not supported")
	}
	values, err := p.values(param)
	if err != nil || len(values) == 0 {
		return err
	}
	var lists []string
	for _, value := range values {
		if strings.HasPrefix(value, "$") {
			return fhir.Fault(400, "not-supported", "The functional list %s is not supported. Name a List by its id.", value)
		}
		if id := strings.TrimPrefix(value, "List/"); fhir.ValidID(id) {
			lists = append(lists, id)
		}
	}
	//law:list-joined
	p.noteJoined("List")
	for i, part := range p.query.Types {
		p.add(i, join.ListMembers{Type: part.Type, Lists: lists})
	}
	p.query.filters++
	p.query.countable, p.query.affirmative = false, true
	p.query.Used = append(p.query.Used, param)
	return nil
}
