package path

import (
	"fmt"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/r4"
)

func (x elementAt) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	if x.position < len(from) {
		out = append(out, from[x.position])
	}
	m.putBuffer(from)
	return out
}

func (x elementAt) static(in []Yield, typ string) ([]Yield, error) { return x.base.static(in, typ) }
func (elementAt) monotone() bool                                   { return false }

func (w where) eval(m *machine, in, out []Value) []Value {
	from := w.base.eval(m, in, m.getBuffer())
	for i := range from {
		if m.isTrue(w.cond, from[i]) {
			out = append(out, from[i])
		}
	}
	m.putBuffer(from)
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

// monotone: if a condition only requires that values exist, a cut cannot make it true.
func (w where) monotone() bool { return w.base.monotone() && monotoneCondition(w.cond) }

func monotoneCondition(e expr) bool {
	switch x := e.(type) {
	case exists:
		return x.base.monotone()
	case is:
		return true
	case equal:
		_, ok := x.right.(literal)
		return ok && !x.not && x.left.monotone()
	case logic:
		return monotoneCondition(x.left) && monotoneCondition(x.right)
	case as, extension, focus, elementAt, literal, resolve, resource, root, elementPath, union, where:
	}
	return false
}

func (x exists) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	found := len(from) > 0
	m.putBuffer(from)
	return append(out, computed(found))
}

func (x exists) static(in []Yield, typ string) ([]Yield, error) {
	_, err := x.base.static(in, typ)
	return []Yield{{Type: "boolean"}}, err
}

func (exists) monotone() bool { return false }

func (x extension) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	found := m.getBuffer()
	for i := range from {
		found = from[i].appendElement("extension", found)
	}
	for i := range found {
		if found[i].GetText("url") == x.url {
			out = append(out, found[i])
		}
	}
	m.putBuffer(found)
	m.putBuffer(from)
	return out
}

func (x extension) static(in []Yield, typ string) ([]Yield, error) {
	return elementPath{x.base, []string{"extension"}}.static(in, typ)
}

func (x extension) monotone() bool { return x.base.monotone() }

// eval appends for every reference a value without content that has the type of the target.
func (x resolve) eval(m *machine, in, out []Value) []Value {
	from := x.base.eval(m, in, m.getBuffer())
	for i := range from {
		if typ := targetType(from[i]); typ != "" {
			out = append(out, Value{Type: typ, nodeIndex: -1})
		}
	}
	m.putBuffer(from)
	return out
}

func targetType(v Value) string {
	literal := v.text
	if v.Type == "Reference" {
		literal = v.GetText("reference")
	}
	if strings.HasPrefix(literal, "#") { // Reference.type is ignored, even if the contained resource is missing
		contained, _ := v.Contained(literal)
		return contained.Type
	}
	literal, _, _ = strings.Cut(literal, "/_history/")
	if parts := strings.Split(literal, "/"); len(parts) >= 2 && r4.IsResource(parts[len(parts)-2]) {
		return parts[len(parts)-2]
	}
	if v.Type != "Reference" {
		return ""
	}
	if id, ok := v.Get("identifier"); ok && v.GetText("type") == "" && id.GetText("system") == fhir.NHSNumberSystem {
		return "Patient"
	}
	return v.GetText("type")
}

func (x resolve) static([]Yield, string) ([]Yield, error) {
	return nil, fmt.Errorf("resolve() is allowed only before is")
}

func (resolve) monotone() bool { return false }
