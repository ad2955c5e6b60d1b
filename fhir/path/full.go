package path

import (
	"errors"
	"fmt"
	"time"
)

// Class is the stage at which an expression failed.
type Class byte

// The classes of errors of the full language.
const (
	Syntax      Class = iota // the text is not FHIRPath, or calls an unknown function
	Semantic                 // a name is not an element of its context
	Execution                // the evaluation on this resource failed
	Costly                   // the evaluation needs more than MaxSteps
	Unsupported              // a part of FHIRPath that is not implemented
)

// Error is the error of Full and Run. Its text may be shown to the client.
type Error struct {
	Class Class
	Text  string
}

// Error returns the text.
func (e *Error) Error() string { return "FHIRPath: " + e.Text }

func fail(class Class, format string, args ...any) {
	panic(&Error{class, fmt.Sprintf(format, args...)})
}

// recoverError, deferred, converts the panic of fail into an error.
func recoverError(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

// MaxSource is the greatest length of an expression of Full, in bytes.
const MaxSource = 8 << 10

// MaxSteps is the greatest number of values that an evaluation may handle.
const MaxSteps = 2_000_000

// Program is an expression of the full language. It is immutable.
type Program struct {
	source string
	root   *term
}

// Full reads an expression of the full language. The error is an *Error.
func Full(source string) (p *Program, err error) {
	defer recoverError(&err)
	if len(source) > MaxSource {
		fail(Syntax, "an expression has at most %d bytes", MaxSource)
	}
	g := &fullParser{lexemes: lex(source)}
	root := g.expression()
	if g.lexemes[g.pos].kind != 0 {
		g.fail("the end")
	}
	return &Program{source, root}, nil
}

// String returns the source.
func (p *Program) String() string { return p.source }

// Env has the inputs of an evaluation.
type Env struct {
	// Now is the instant of now() and today(). An expression that calls them fails if it is
	// zero.
	Now time.Time
	// Vars are further variables, by name without %.
	Vars map[string][]Item
}

// Run evaluates the expression on a resource. A nil Doc is an empty input. The error is an *Error.
// The Doc must not be changed while the Items are in use.
func (p *Program) Run(d *Doc, env Env) (out []Item, err error) {
	defer recoverError(&err)
	r := &runner{env: env, budget: MaxSteps}
	var focus []Item
	if d != nil {
		focus = []Item{{Value: d.Root()}}
		r.resource = focus
	}
	return r.eval(p.root, frame{this: focus}), nil
}

// Calls reports whether the expression calls a function of that name anywhere.
func (p *Program) Calls(function string) bool {
	found := false
	p.root.walk(func(t *term) { found = found || t.op == "call" && t.name == function })
	return found
}

// Plain reports whether the expression consists of names and literal positions only. Any other
// expression may read values to find its result.
func (p *Program) Plain() bool {
	plain := true
	p.root.walk(func(t *term) {
		switch t.op {
		case "name", "index", "group":
		case "literal":
			plain = plain && len(t.value) == 1 && t.value[0].kind == integer
		default:
			plain = false
		}
	})
	return plain && p.root.op != "literal"
}

func (t *term) walk(f func(*term)) {
	if t == nil {
		return
	}
	f(t)
	t.base.walk(f)
	for _, arg := range t.args {
		arg.walk(f)
	}
}

// ClassOf returns the class of an error of Full or Run.
func ClassOf(err error) (Class, bool) {
	var e *Error
	ok := errors.As(err, &e)
	if !ok {
		return 0, false
	}
	return e.Class, true
}

// Split removes the last name of an expression: "Patient.name" becomes "Patient" and "name". It
// returns false for an expression that does not end in a name.
func (p *Program) Split() (base *Program, name string, ok bool) {
	t := p.root
	for t.op == "group" {
		t = t.args[0]
	}
	if t.op != "name" {
		return nil, "", false
	}
	base = &Program{p.source, t.base}
	if t.base == nil {
		base.root = &term{op: "this", name: "this"}
	}
	return base, t.name, true
}
