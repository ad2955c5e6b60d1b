package path

import (
	"fmt"

	"carerecord/fhir/r4"
)

// expr is a node of an expression. eval appends to out the values of the node for the input values
// in. static returns the possible kinds of these values, or an error if a path does not exist.
//
//sumtype:decl
type expr interface {
	eval(m *machine, in, out []Value) []Value
	static(in []Yield, typ string) ([]Yield, error)
	monotone() bool
}

type (
	focus       struct{} // the input
	resource    struct{} // %resource
	root        struct{ name string }
	literal     struct{ value Value }
	elementPath struct {
		base  expr
		names []string
	}
	union     struct{ left, right expr }
	elementAt struct {
		base     expr
		position int
	}
	where     struct{ base, cond expr }
	exists    struct{ base expr }
	extension struct {
		base expr
		url  string
	}
	as struct {
		base expr
		typ  string
	}
	is struct {
		base expr
		typ  string
	}
	resolve struct{ base expr }
	equal   struct {
		left, right expr
		not         bool
	}
	logic struct {
		left, right expr
		or          bool
	}
)

// firstTerm returns the term that an expression begins with.
func firstTerm(e expr) expr {
	for {
		switch x := e.(type) {
		case elementPath:
			e = x.base
		case elementAt:
			e = x.base
		case where:
			e = x.base
		case exists:
			e = x.base
		case extension:
			e = x.base
		case as:
			e = x.base
		case is:
			e = x.base
		case resolve:
			e = x.base
		case equal:
			e = x.left
		case logic:
			e = x.left
		case focus, resource, root, literal, union:
			return e
		}
	}
}

func (focus) eval(_ *machine, in, out []Value) []Value     { return append(out, in...) }
func (focus) static(in []Yield, _ string) ([]Yield, error) { return in, nil }
func (focus) monotone() bool                               { return true }
func (resource) eval(m *machine, _, out []Value) []Value   { return append(out, m.resource[0]) }
func (resource) monotone() bool                            { return true }
func (l literal) eval(_ *machine, _, out []Value) []Value  { return append(out, l.value) }
func (l literal) static([]Yield, string) ([]Yield, error)  { return []Yield{{Type: l.value.Type}}, nil }
func (literal) monotone() bool                             { return false }
func (resource) static(_ []Yield, typ string) ([]Yield, error) {
	return []Yield{{Type: typ, typeDef: r4.TypeOf(typ)}}, nil
}

func (r root) appliesTo(typ string) bool {
	return r.name == typ || r.name == "Resource" || r.name == "DomainResource"
}

// eval appends the resource if it has the type, also inside where(), where the input is another value.
func (r root) eval(m *machine, _, out []Value) []Value {
	if r.appliesTo(m.resource[0].Type) {
		out = append(out, m.resource[0])
	}
	return out
}

func (r root) static(_ []Yield, typ string) ([]Yield, error) {
	if !r.appliesTo(typ) {
		return nil, fmt.Errorf("the path begins with %s", r.name)
	}
	return []Yield{{Type: typ, typeDef: r4.TypeOf(typ)}}, nil
}

func (root) monotone() bool { return true }

func (s elementPath) eval(m *machine, in, out []Value) []Value {
	from := s.base.eval(m, in, m.getBuffer())
	for _, name := range s.names[:len(s.names)-1] {
		to := m.getBuffer()
		for i := range from {
			to = from[i].appendElement(name, to)
		}
		m.putBuffer(from)
		from = to
	}
	for i := range from {
		out = from[i].appendElement(s.names[len(s.names)-1], out)
	}
	m.putBuffer(from)
	return out
}

func (s elementPath) static(in []Yield, typ string) ([]Yield, error) {
	from, err := s.base.static(in, typ)
	for _, name := range s.names {
		if err != nil {
			return nil, err
		}
		var to []Yield
		for _, y := range from {
			if y.typeDef == nil || y.typeDef.Element(name) == nil {
				continue
			}
			for _, p := range y.typeDef.Element(name).Properties {
				to = append(to, Yield{Type: p.Type, Element: p.Element, typeDef: p.Of})
			}
		}
		if len(to) == 0 {
			err = fmt.Errorf("there is no %s", name)
		}
		from = to
	}
	return from, err
}

func (s elementPath) monotone() bool { return s.base.monotone() }
