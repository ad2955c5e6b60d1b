package path

import (
	"errors"
	"fmt"
	"time"
)

// Class says at what stage an expression failed.
type Class byte

// The classes of errors of the full language.
const (
	Syntax      Class = iota // it is not FHIRPath, or names no function
	Semantic                 // it asks for what its context cannot have
	Execution                // it went wrong on this resource
	Costly                   // it needs more steps than are given to it
	Unsupported              // it is FHIRPath that is not done here
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

// caught turns the panic of fail into an error, in a deferred call.
func caught(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

// MaxSource is the longest expression that Full reads, in bytes.
const MaxSource = 8 << 10

// MaxSteps is how many values an evaluation may handle.
const MaxSteps = 2_000_000

// Program is an expression of the full language. It is immutable.
type Program struct {
	source string
	root   *term
}

// Full reads an expression of the full language. The error is an *Error.
func Full(source string) (p *Program, err error) {
	defer caught(&err)
	if len(source) > MaxSource {
		fail(Syntax, "an expression has at most %d bytes", MaxSource)
	}
	g := &grammar{words: lex(source)}
	root := g.expression()
	if g.words[g.pos].kind != 0 {
		g.fail("the end")
	}
	return &Program{source, root}, nil
}

// String returns the source.
func (p *Program) String() string { return p.source }

// Env is what an expression is evaluated with.
type Env struct {
	// Now is what now() and today() return; an expression that asks for them
	// without it fails.
	Now time.Time
	// Vars are further variables, by name without %.
	Vars map[string][]Item
}

// Run evaluates the expression on a resource; nil for none at all. The error is
// an *Error. The Doc must not be changed while the Items are in use.
func (p *Program) Run(d *Doc, env Env) (out []Item, err error) {
	defer caught(&err)
	r := &runner{env: env, steps: MaxSteps}
	var focus []Item
	if d != nil {
		focus = []Item{{Value: d.Root()}}
		r.resource = focus
	}
	return r.eval(p.root, frame{this: focus, outer: true}), nil
}

// Calls reports whether the expression calls a function of that name anywhere.
func (p *Program) Calls(function string) bool {
	found := false
	p.root.walk(func(t *term) { found = found || t.op == "call" && t.name == function })
	return found
}

// Plain reports whether the expression is a path alone: names, and positions
// written as numbers. Whatever else it holds reads values on its way.
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

// Split takes the last name off an expression that ends in one: "Patient.name"
// is what "Patient" yields and "name". False for any other expression.
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
