package path

// maxNesting bounds how deep an expression may be nested.
const maxNesting = 200

// term is a node of an expression.
type term struct {
	op    string  // "literal", "name", "call", "index", "unary", "this", "variable", or a binary operator
	name  string  // of an element, function, variable or sign
	base  *term   // the input of a name, call or index; nil for the focus
	args  []*term // of a call or operator
	value []Item  // of a literal
}

// grammar is a recursive descent over lexemes; faults as in lexer.
type grammar struct {
	words []lexeme
	pos   int
	depth int
}

// level returns how tightly a binary operator binds, or -1 for what is none.
func level(op string) int {
	switch op {
	case "implies":
		return 0
	case "or", "xor":
		return 1
	case "and":
		return 2
	case "in", "contains":
		return 3
	case "=", "~", "!=", "!~":
		return 4
	case "<=", "<", ">", ">=":
		return 5
	case "|":
		return 6
	case "is", "as":
		return 7
	case "+", "-", "&":
		return 8
	case "*", "/", "div", "mod":
		return 9
	}
	return -1
}

func (g *grammar) is(text string) bool {
	w := g.words[g.pos]
	return (w.kind == 'o' || w.kind == 'i') && w.text == text
}

func (g *grammar) accept(text string) bool {
	if g.is(text) {
		g.pos++
		return true
	}
	return false
}

func (g *grammar) expect(text string) {
	if !g.accept(text) {
		g.fail(text)
	}
}

func (g *grammar) fail(want string) {
	w := g.words[g.pos]
	if w.kind == 0 {
		fail(Syntax, "unexpected end, expected %q", want)
	}
	fail(Syntax, "unexpected %q, expected %q, at character %d", w.text, want, w.at+1)
}

func (g *grammar) expression() *term {
	g.deeper()
	defer func() { g.depth-- }()
	return g.operators(g.unary(), 0)
}

func (g *grammar) deeper() {
	if g.depth++; g.depth > maxNesting {
		fail(Syntax, "it is nested deeper than %d levels", maxNesting)
	}
}

// operators parses the operators after an operand, by precedence climbing.
func (g *grammar) operators(left *term, least int) *term {
	for {
		at := g.levelOf()
		if at < least {
			return left
		}
		op := g.words[g.pos].text
		g.pos++
		if op == "is" || op == "as" {
			left = &term{op: op, args: []*term{left, g.typeName()}}
			continue
		}
		right := g.unary()
		for g.levelOf() > at {
			right = g.operators(right, g.levelOf())
		}
		left = &term{op: op, args: []*term{left, right}}
	}
}

// levelOf returns the level of the operator that comes next, or -1.
func (g *grammar) levelOf() int {
	w := g.words[g.pos]
	if w.kind != 'o' && w.kind != 'i' {
		return -1
	}
	return level(w.text)
}

// typeName reads the name of a type after is and as.
func (g *grammar) typeName() *term {
	t := &term{op: "name", name: g.identifier()}
	if g.accept(".") {
		t = &term{op: "name", name: g.identifier(), base: t}
	}
	return t
}

func (g *grammar) identifier() string {
	w := g.words[g.pos]
	if w.kind != 'i' && w.kind != '`' {
		g.fail("a name")
	}
	g.pos++
	return w.text
}

func (g *grammar) unary() *term {
	for _, sign := range []string{"-", "+"} {
		if g.accept(sign) {
			g.deeper()
			defer func() { g.depth-- }()
			return &term{op: "unary", name: sign, args: []*term{g.unary()}}
		}
	}
	t := g.term()
	for {
		switch {
		case g.accept("."):
			t = g.invocation(t)
		case g.accept("["):
			t = &term{op: "index", base: t, args: []*term{g.expression()}}
			g.expect("]")
		default:
			return t
		}
	}
}

// invocation reads a name, function or special word; base is nil for the focus.
func (g *grammar) invocation(base *term) *term {
	if w := g.words[g.pos]; w.kind == '$' {
		if base != nil {
			g.fail("a name")
		}
		g.pos++
		switch w.text {
		case "this", "index", "total":
			return &term{op: "this", name: w.text}
		}
		fail(Syntax, "there is no $%s", w.text)
	}
	name := g.identifier()
	if !g.accept("(") {
		return &term{op: "name", name: name, base: base}
	}
	call := &term{op: "call", name: name, base: base}
	for !g.accept(")") {
		if len(call.args) > 0 {
			g.expect(",")
		}
		call.args = append(call.args, g.expression())
	}
	check(call)
	return call
}

func (g *grammar) term() *term {
	w := g.words[g.pos]
	switch {
	case g.accept("("):
		t := g.expression()
		g.expect(")")
		return &term{op: "group", args: []*term{t}}
	case g.accept("{"):
		g.expect("}")
		return &term{op: "literal"}
	case w.kind == 's':
		g.pos++
		return constant(textItem(w.text))
	case w.kind == 'i' && (w.text == "true" || w.text == "false"):
		g.pos++
		return constant(boolItem(w.text == "true"))
	case w.kind == '%':
		g.pos++
		return &term{op: "variable", name: w.text}
	case w.kind == '@':
		g.pos++
		m, ok := parseMoment(w.text)
		if !ok {
			fail(Syntax, "@%s is not a date or time", w.text)
		}
		return constant(momentItem(m))
	case w.kind == 'n':
		g.pos++
		return g.number(w.text)
	}
	return g.invocation(nil)
}

// number reads a number, with a unit where one follows.
func (g *grammar) number(text string) *term {
	n := numberItem(text)
	w := g.words[g.pos]
	switch {
	case w.kind == 's':
		g.pos++
		return constant(quantityItem(n.num, w.text, false))
	case w.kind == 'i' && calendar(w.text) != "":
		g.pos++
		return constant(quantityItem(n.num, w.text, true))
	}
	return constant(n)
}

func constant(it Item) *term { return &term{op: "literal", value: []Item{it}} }
