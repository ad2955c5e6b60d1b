package path

import (
	"fmt"
	"strings"

	"carerecord/fhir/r4"
)

// expr is a part of an expression. eval appends to out what it yields for the
// values in; static does the same for types and finds paths that lead nowhere.
type expr interface {
	eval(m *machine, in, out []Value) []Value
	static(in []Yield, typ string) ([]Yield, error)
	monotone() bool
}

type (
	focus    struct{} // the values themselves
	resource struct{} // %resource
	root     struct{ name string }
	literal  struct{ value Value }
	steps    struct {
		base  expr
		names []string
	}
	union struct{ left, right expr }
	item  struct {
		base expr
		n    int
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

// start returns the term that an expression begins with.
func start(e expr) expr {
	for {
		switch x := e.(type) {
		case steps:
			e = x.base
		case item:
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
		default:
			return e
		}
	}
}

func (focus) eval(_ *machine, in, out []Value) []Value     { return append(out, in...) }
func (focus) static(in []Yield, _ string) ([]Yield, error) { return in, nil }
func (focus) monotone() bool                               { return true }
func (resource) eval(m *machine, _, out []Value) []Value   { return append(out, m.root[0]) }
func (resource) monotone() bool                            { return true }
func (l literal) eval(_ *machine, _, out []Value) []Value  { return append(out, l.value) }
func (l literal) static([]Yield, string) ([]Yield, error)  { return []Yield{{Type: l.value.Type}}, nil }
func (literal) monotone() bool                             { return false }
func (resource) static(_ []Yield, typ string) ([]Yield, error) {
	return []Yield{{Type: typ, of: r4.TypeOf(typ)}}, nil
}

func (r root) fits(typ string) bool {
	return r.name == typ || r.name == "Resource" || r.name == "DomainResource"
}

// eval of a type name yields the resource when it is of that type. It is always
// the resource itself: inside where(), Patient.deceased means the same.
func (r root) eval(m *machine, _, out []Value) []Value {
	if r.fits(m.root[0].Type) {
		out = append(out, m.root[0])
	}
	return out
}

func (r root) static(_ []Yield, typ string) ([]Yield, error) {
	if !r.fits(typ) {
		return nil, fmt.Errorf("it begins with %s", r.name)
	}
	return []Yield{{Type: typ, of: r4.TypeOf(typ)}}, nil
}

func (root) monotone() bool { return true }

func (s steps) eval(m *machine, in, out []Value) []Value {
	from := s.base.eval(m, in, m.borrow())
	for _, name := range s.names[:len(s.names)-1] {
		to := m.borrow()
		for i := range from {
			to = from[i].children(name, to)
		}
		m.giveBack(from)
		from = to
	}
	for i := range from {
		out = from[i].children(s.names[len(s.names)-1], out)
	}
	m.giveBack(from)
	return out
}

func (s steps) static(in []Yield, typ string) ([]Yield, error) {
	from, err := s.base.static(in, typ)
	for _, name := range s.names {
		if err != nil {
			return nil, err
		}
		var to []Yield
		for _, y := range from {
			if y.of == nil || y.of.Element(name) == nil {
				continue
			}
			for _, p := range y.of.Element(name).Properties {
				to = append(to, Yield{Type: p.Type, Element: p.Element, of: p.Of})
			}
		}
		if len(to) == 0 {
			err = fmt.Errorf("there is no %s", name)
		}
		from = to
	}
	return from, err
}

func (s steps) monotone() bool { return s.base.monotone() }

func (u union) eval(m *machine, in, out []Value) []Value {
	return u.right.eval(m, in, u.left.eval(m, in, out))
}

func (u union) static(in []Yield, typ string) ([]Yield, error) {
	left, err := u.left.static(in, typ)
	if err != nil {
		return nil, err
	}
	right, err := u.right.static(in, typ)
	return append(left[:len(left):len(left)], right...), err
}

func (u union) monotone() bool { return u.left.monotone() && u.right.monotone() }

func (x item) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	if x.n < len(from) {
		out = append(out, from[x.n])
	}
	m.giveBack(from)
	return out
}

func (x item) static(in []Yield, typ string) ([]Yield, error) { return x.base.static(in, typ) }
func (item) monotone() bool                                   { return false }

func (w where) eval(m *machine, in, out []Value) []Value {
	from := w.base.eval(m, in, m.borrow())
	for i := range from {
		if m.truth(w.cond, from[i]) {
			out = append(out, from[i])
		}
	}
	m.giveBack(from)
	return out
}

func (w where) static(in []Yield, typ string) ([]Yield, error) {
	from, err := w.base.static(in, typ)
	if err != nil {
		return nil, err
	}
	if _, err := w.cond.static(from, typ); err != nil {
		return nil, err
	}
	if c, ok := w.cond.(is); ok {
		if _, ok := c.base.(resolve); ok {
			limited := make([]Yield, len(from))
			for i, y := range from {
				y.Targets = []string{c.typ}
				limited[i] = y
			}
			return limited, nil
		}
	}
	return from, nil
}

// monotone: a condition that only asks for something to be there can only cease
// to hold when something is cut.
func (w where) monotone() bool { return w.base.monotone() && positive(w.cond) }

func positive(e expr) bool {
	switch x := e.(type) {
	case exists:
		return x.base.monotone()
	case is:
		return true
	case equal:
		_, ok := x.right.(literal)
		return ok && !x.not && x.left.monotone()
	case logic:
		return positive(x.left) && positive(x.right)
	}
	return false
}

func (x exists) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	found := len(from) > 0
	m.giveBack(from)
	return append(out, computed(found))
}

func (x exists) static(in []Yield, typ string) ([]Yield, error) {
	_, err := x.base.static(in, typ)
	return []Yield{{Type: "boolean"}}, err
}

func (exists) monotone() bool { return false }

func (x extension) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	found := m.borrow()
	for i := range from {
		found = from[i].children("extension", found)
	}
	for i := range found {
		if found[i].GetText("url") == x.url {
			out = append(out, found[i])
		}
	}
	m.giveBack(found)
	m.giveBack(from)
	return out
}

func (x extension) static(in []Yield, typ string) ([]Yield, error) {
	return steps{x.base, []string{"extension"}}.static(in, typ)
}

func (x extension) monotone() bool { return x.base.monotone() }

func (x as) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	for i := range from {
		if isA(from[i].Type, x.typ) {
			out = append(out, from[i])
		}
	}
	m.giveBack(from)
	return out
}

func (x as) static(in []Yield, typ string) ([]Yield, error) {
	from, err := x.base.static(in, typ)
	var out []Yield
	for _, y := range from {
		if isA(y.Type, x.typ) {
			out = append(out, y)
		}
	}
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("it cannot be a %s", x.typ)
	}
	return out, err
}

func (x as) monotone() bool { return x.base.monotone() }

func (x is) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	holds := len(from) == 1 && isA(from[0].Type, x.typ)
	m.giveBack(from)
	return append(out, computed(holds))
}

func (x is) static(in []Yield, typ string) ([]Yield, error) {
	base := x.base
	if r, ok := base.(resolve); ok {
		base = r.base
	}
	_, err := base.static(in, typ)
	return []Yield{{Type: "boolean"}}, err
}

func (is) monotone() bool { return false }

// eval of resolve yields for every reference a value without content that has
// the type of the target.
func (x resolve) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.borrow())
	for i := range from {
		if typ := targetType(from[i]); typ != "" {
			out = append(out, Value{Type: typ, at: -1})
		}
	}
	m.giveBack(from)
	return out
}

func targetType(v Value) string {
	literal := v.text
	if v.Type == "Reference" {
		literal = v.GetText("reference")
	}
	literal, _, _ = strings.Cut(literal, "/_history/")
	if parts := strings.Split(literal, "/"); len(parts) >= 2 && r4.IsResource(parts[len(parts)-2]) {
		return parts[len(parts)-2]
	}
	if v.Type == "Reference" {
		return v.GetText("type")
	}
	return ""
}

func (x resolve) static([]Yield, string) ([]Yield, error) {
	return nil, fmt.Errorf("resolve() stands elsewhere than before is")
}

func (resolve) monotone() bool { return false }

func (x equal) eval(m *machine, in, out []Value) []Value {
	left, right := x.left.eval(m, in, m.borrow()), x.right.eval(m, in, m.borrow())
	holds := false
	if len(left) == 1 && len(right) == 1 {
		same := left[0].text == right[0].text && left[0].isString() == right[0].isString()
		holds = same != x.not
	}
	m.giveBack(left)
	m.giveBack(right)
	return append(out, computed(holds))
}

func (x equal) static(in []Yield, typ string) ([]Yield, error) {
	if _, err := x.left.static(in, typ); err != nil {
		return nil, err
	}
	_, err := x.right.static(in, typ)
	return []Yield{{Type: "boolean"}}, err
}

func (equal) monotone() bool { return false }

func (x logic) eval(m *machine, in, out []Value) []Value {
	left, right := x.side(m, x.left, in), x.side(m, x.right, in)
	return append(out, computed(x.or && (left || right) || left && right))
}

func (x logic) side(m *machine, e expr, in []Value) bool {
	got := e.eval(m, in, m.borrow())
	holds := len(got) == 1 && got[0].kind != 'f'
	m.giveBack(got)
	return holds
}

func (x logic) static(in []Yield, typ string) ([]Yield, error) {
	return equal{x.left, x.right, false}.static(in, typ)
}

func (logic) monotone() bool { return false }
