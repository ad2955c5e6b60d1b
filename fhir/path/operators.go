package path

import "fmt"

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

func (x as) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	for i := range from {
		if isA(from[i].Type, x.typ) {
			out = append(out, from[i])
		}
	}
	m.putBuffer(from)
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
		err = fmt.Errorf("the value cannot be a %s", x.typ)
	}
	return out, err
}

func (x as) monotone() bool { return x.base.monotone() }

func (x is) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	holds := len(from) == 1 && isA(from[0].Type, x.typ)
	m.putBuffer(from)
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

func (x equal) eval(m *machine, in, out []Value) []Value {
	left, right := x.left.eval(m, in, m.getBuffer()), x.right.eval(m, in, m.getBuffer())
	holds := false
	if len(left) == 1 && len(right) == 1 {
		same := left[0].text == right[0].text && left[0].isString() == right[0].isString()
		holds = same != x.not
	}
	m.putBuffer(left)
	m.putBuffer(right)
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
	left, right := x.operandHolds(m, x.left, in), x.operandHolds(m, x.right, in)
	return append(out, computed(x.or && (left || right) || left && right))
}

func (x logic) operandHolds(m *machine, e expr, in []Value) bool {
	got := e.eval(m, in, m.getBuffer())
	holds := len(got) == 1 && got[0].kind != 'f'
	m.putBuffer(got)
	return holds
}

func (x logic) static(in []Yield, typ string) ([]Yield, error) {
	return equal{x.left, x.right, false}.static(in, typ)
}

func (logic) monotone() bool { return false }
