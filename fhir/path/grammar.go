package path

// maxNesting is the greatest depth of an expression.
const maxNesting = 200

// term is a node of an expression.
type term struct {
	op    string  // "literal", "name", "call", "index", "unary", "this", "variable", or a binary operator
	name  string  // of an element, function, variable or sign
	base  *term   // the input of a name, call or index; nil for the focus
	args  []*term // of a call or operator
	value []Item  // of a literal
}

// fullParser is a recursive descent parser of the full language. It fails like lexer.
type fullParser struct {
	lexemes []lexeme
	pos     int
	depth   int
}

// precedence returns the precedence of a binary operator, or -1 for any other text.
func precedence(op string) int {
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

func (g *fullParser) is(text string) bool {
	w := g.lexemes[g.pos]
	return (w.kind == 'o' || w.kind == 'i') && w.text == text
}

func (g *fullParser) accept(text string) bool {
	if g.is(text) {
		g.pos++
		return true
	}
	return false
}

func (g *fullParser) expect(text string) {
	if !g.accept(text) {
		g.fail(text)
	}
}

func (g *fullParser) fail(want string) {
	w := g.lexemes[g.pos]
	if w.kind == 0 {
		fail(Syntax, "unexpected end, expected %q", want)
	}
	fail(Syntax, "unexpected %q, expected %q, at character %d", w.text, want, w.at+1)
}

func (g *fullParser) expression() *term {
	g.enterLevel()
	defer func() { g.depth-- }()
	return g.operators(g.unary(), 0)
}

func (g *fullParser) enterLevel() {
	if g.depth++; g.depth > maxNesting {
		fail(Syntax, "the expression is nested deeper than %d levels", maxNesting)
	}
}

// operators parses the operators after an operand, by precedence climbing.
func (g *fullParser) operators(left *term, minPrecedence int) *term {
	for {
		own := g.nextPrecedence()
		if own < minPrecedence {
			return left
		}
		op := g.lexemes[g.pos].text
		g.pos++
		if op == "is" || op == "as" {
			left = &term{op: op, args: []*term{left, g.typeName()}}
			continue
		}
		right := g.unary()
		for g.nextPrecedence() > own {
			right = g.operators(right, g.nextPrecedence())
		}
		left = &term{op: op, args: []*term{left, right}}
	}
}

// nextPrecedence returns the precedence of the next lexeme, or -1 if it is not a binary operator.
func (g *fullParser) nextPrecedence() int {
	w := g.lexemes[g.pos]
	if w.kind != 'o' && w.kind != 'i' {
		return -1
	}
	return precedence(w.text)
}

// typeName reads the name of a type after "is" or "as".
func (g *fullParser) typeName() *term {
	t := &term{op: "name", name: g.identifier()}
	if g.accept(".") {
		t = &term{op: "name", name: g.identifier(), base: t}
	}
	return t
}

func (g *fullParser) identifier() string {
	w := g.lexemes[g.pos]
	if w.kind != 'i' && w.kind != '`' {
		g.fail("a name")
	}
	g.pos++
	return w.text
}

func (g *fullParser) unary() *term {
	for _, sign := range []string{"-", "+"} {
		if g.accept(sign) {
			g.enterLevel()
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
func (g *fullParser) invocation(base *term) *term {
	if w := g.lexemes[g.pos]; w.kind == '$' {
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
	checkCall(call)
	return call
}

func (g *fullParser) term() *term {
	w := g.lexemes[g.pos]
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
		return literalTerm(textItem(w.text))
	case w.kind == 'i' && (w.text == "true" || w.text == "false"):
		g.pos++
		return literalTerm(boolItem(w.text == "true"))
	case w.kind == '%':
		g.pos++
		return &term{op: "variable", name: w.text}
	case w.kind == '@':
		g.pos++
		m, ok := parseMoment(w.text)
		if !ok {
			fail(Syntax, "@%s is not a date or time", w.text)
		}
		return literalTerm(momentItem(m))
	case w.kind == 'n':
		g.pos++
		return g.numberLiteral(w.text)
	}
	return g.invocation(nil)
}

// numberLiteral makes the term of a number, or of a quantity if a unit follows.
func (g *fullParser) numberLiteral(text string) *term {
	n := numberItem(text)
	w := g.lexemes[g.pos]
	switch {
	case w.kind == 's':
		g.pos++
		return literalTerm(quantityItem(n.num, w.text, false))
	case w.kind == 'i' && calendarUnit(w.text) != "":
		g.pos++
		return literalTerm(quantityItem(n.num, w.text, true))
	}
	return literalTerm(n)
}

func literalTerm(it Item) *term { return &term{op: "literal", value: []Item{it}} }
