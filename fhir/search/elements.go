package search

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/r4"
)

// ElementSelection selects the elements of a resource that are sent (SRCH-220 to 224). The zero ElementSelection
// sends all.
type ElementSelection struct {
	Elements []string // root elements, nil for all
	Summary  string   // true, text, data, or empty
}

// Cut removes the elements that are not selected, and tags a body from which it removed any as
// SUBSETTED.
func (s ElementSelection) Cut(body []byte) []byte {
	switch {
	case s.Elements != nil:
		return edit.Subset(body, func(e *r4.Element, root bool) bool {
			return !root || slices.Contains(s.Elements, e.Name) || isMandatory(e) || e.Modifier
		})
	case s.Summary == "true":
		return edit.Subset(body, func(e *r4.Element, _ bool) bool { return e.Summary || isMandatory(e) })
	case s.Summary == "text":
		return edit.Subset(body, func(e *r4.Element, root bool) bool { return !root || e.Name == "text" || isMandatory(e) })
	case s.Summary == "data":
		return edit.Subset(body, func(e *r4.Element, root bool) bool { return !root || e.Name != "text" })
	}
	return body
}

// included returns the selection for included resources: _elements does not apply to them (SRCH-223).
func (s ElementSelection) included() ElementSelection { return ElementSelection{Summary: s.Summary} }

// isMandatory reports whether every selection keeps an element.
func isMandatory(e *r4.Element) bool { return e.Min > 0 || e.Name == "id" || e.Name == "meta" }

// ReadParam reads the value of _elements or _summary. known reports whether a name is an element;
// names that are not are returned. Errors are *fhir.Error.
func (s *ElementSelection) ReadParam(param Param, known func(string) bool) (unknown []string, err error) {
	if param.Name == "_elements" {
		s.Elements = []string{}
		for _, name := range strings.Split(param.Value, ",") {
			switch {
			case name == "":
			case known(name):
				s.Elements = append(s.Elements, name)
			default:
				unknown = append(unknown, name)
			}
		}
		return unknown, nil
	}
	switch param.Value {
	case "true", "text", "data":
		s.Summary = param.Value
	case "false", "count":
	default:
		return nil, fhir.Fault(400, "value", "_summary must be count, true, text, data or false, not %q.", param.Value)
	}
	return nil, nil
}

// Coherent refuses selections that contradict themselves (SRCH-222).
func (s ElementSelection) Coherent() error {
	if s.Elements != nil && s.Summary != "" {
		return fhir.Fault(400, "invalid", "_elements and _summary=%s cannot be combined.", s.Summary)
	}
	return nil
}

// ElementOf reports whether a type has a root element of a name.
func ElementOf(typ, name string) bool {
	t := r4.TypeOf(typ)
	return t != nil && t.Element(name) != nil
}

// elementSelection reads _elements and _summary.
func (p *planner) elementSelection(param Param) error {
	unknown, err := p.query.Selection.ReadParam(param, func(name string) bool {
		return slices.ContainsFunc(p.query.Types, func(part TypeQuery) bool { return ElementOf(part.Type, name) })
	})
	if err != nil {
		return err
	}
	for _, name := range unknown {
		p.unknown = append(p.unknown, "_elements="+name)
		p.query.Warnings = append(p.query.Warnings, fhir.Issue{Severity: "warning", Code: "not-supported",
			Text: fmt.Sprintf("_elements names %s, which is not an element. It was ignored.", name)})
	}
	switch {
	case param.Name == "_elements":
		if len(p.query.Selection.Elements) == 0 {
			p.query.Selection.Elements = nil
			return nil
		}
		param.Value = strings.Join(p.query.Selection.Elements, ",")
	case param.Value == "count":
		p.query.CountOnly = true
	}
	p.query.Used = append(p.query.Used, param)
	return nil
}

// coherentSelection refuses selections that contradict other parameters (SRCH-222).
func (p *planner) coherentSelection() error {
	if p.query.Selection.Summary == "text" && len(p.query.Includes) > 0 {
		return fhir.Fault(400, "invalid", "_summary=text and _include cannot be combined.")
	}
	if p.query.Selection.Elements != nil && p.query.CountOnly {
		return nil
	}
	return p.query.Selection.Coherent()
}
