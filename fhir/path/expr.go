package path

import (
	"fmt"
	"slices"
	"sync"

	"carerecord/fhir/r4"
)

// Expr is a compiled expression. It is safe for concurrent use.
type Expr struct {
	source string
	root   expr
}

// String returns the source.
func (x *Expr) String() string { return x.source }

// Compile reads an expression.
func Compile(source string) (x *Expr, err error) {
	tokens, err := scanTokens(source)
	if err != nil {
		return nil, fmt.Errorf("path: %s: %w", source, err)
	}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case parseError:
			x, err = nil, fmt.Errorf("path: %s: unexpected %s", source, string(e))
		default:
			panic(e)
		}
	}()
	p := &parser{tokens: tokens}
	root := p.orExpr()
	if p.tokens[p.pos].kind != 0 {
		p.fail("%q", p.tokens[p.pos].text)
	}
	return &Expr{source, root}, nil
}

// For binds the expression to a resource type. Parts of a union that begin with another type are
// removed. It returns an error if a path does not exist or if no part remains.
func (x *Expr) For(typ string) (*Expr, error) {
	bound := pruneUnions(x.root, typ)
	if bound == nil {
		return nil, fmt.Errorf("path: %s: no part applies to %s", x.source, typ)
	}
	b := &Expr{x.source, bound}
	if _, err := b.Yields(typ); err != nil {
		return nil, err
	}
	return b, nil
}

// pruneUnions removes the parts of unions that begin with another type. It returns nil if none remains.
func pruneUnions(e expr, typ string) expr {
	if u, ok := e.(union); ok {
		left, right := pruneUnions(u.left, typ), pruneUnions(u.right, typ)
		switch {
		case left == nil:
			return right
		case right == nil:
			return left
		}
		return union{left, right}
	}
	if r, ok := firstTerm(e).(root); ok && !r.appliesTo(typ) {
		return nil
	}
	return e
}

// Eval appends the values of the expression for a resource to out.
func (x *Expr) Eval(d *Doc, out []Value) []Value { return x.EvalOn(d.Root(), d.Root(), out) }

// EvalOn appends the values of the expression for a value of a resource to out. Paths are relative
// to the value. The resource is the root of a Doc or contained in it.
func (x *Expr) EvalOn(resource, v Value, out []Value) []Value {
	m := machines.Get().(*machine)
	m.resource[0] = resource
	in := append(m.getBuffer(), v)
	out = x.root.eval(m, in, out)
	m.putBuffer(in)
	m.resource[0] = Value{}
	machines.Put(m)
	return out
}

// Monotone reports whether cutting a value out of a resource can only remove values from the
// result, never change or add one.
func (x *Expr) Monotone() bool { return x.root.monotone() }

// Yield is one kind of value that an expression can have.
type Yield struct {
	Type    string
	Element *r4.Element // nil for a boolean that is computed, and for the root
	// Targets are the target types to which "resolve() is" limits a reference, nil without a
	// limit.
	Targets []string

	typeDef *r4.Type
}

// Yields returns the kinds of values that the expression can have on resources of a type.
func (x *Expr) Yields(typ string) ([]Yield, error) {
	in := []Yield{{Type: typ, typeDef: r4.TypeOf(typ)}}
	out, err := x.root.static(in, typ)
	if err != nil {
		return nil, fmt.Errorf("path: %s on %s: %w", x.source, typ, err)
	}
	return out, nil
}

// YieldsOn returns the kinds of values that the expression can have on values of some kinds, on
// resources of a type.
func (x *Expr) YieldsOn(inputs []Yield, typ string) ([]Yield, error) {
	out, err := x.root.static(inputs, typ)
	if err != nil {
		return nil, fmt.Errorf("path: %s within %s: %w", x.source, typ, err)
	}
	return out, nil
}

// machine is the state of one evaluation: the resource, and buffers for intermediate results.
type machine struct {
	resource [1]Value
	buffers  [][]Value
}

var machines = sync.Pool{New: func() any { return new(machine) }}

func (m *machine) getBuffer() []Value {
	if n := len(m.buffers); n > 0 {
		b := m.buffers[n-1]
		m.buffers = m.buffers[:n-1]
		return b
	}
	return make([]Value, 0, 8)
}

func (m *machine) putBuffer(b []Value) {
	clear(b)
	m.buffers = append(m.buffers, b[:0])
}

// isTrue reports whether a condition has a value other than false.
func (m *machine) isTrue(e expr, focus Value) bool {
	in := append(m.getBuffer(), focus)
	out := e.eval(m, in, m.getBuffer())
	holds := len(out) == 1 && out[0].kind != 'f' || len(out) > 1
	m.putBuffer(in)
	m.putBuffer(out)
	return holds
}

// isA reports whether a type is want or, of a Quantity, derived from it.
func isA(typ, want string) bool {
	return typ == want || want == "Quantity" && slices.Contains([]string{"Age", "Count", "Distance", "Duration"}, typ)
}
