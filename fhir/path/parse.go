package path

import (
	"fmt"
	"strconv"
	"strings"
)

// token is a token of an expression.
type token struct {
	kind byte // i identifier, s string, n number, % variable, o operator, 0 end
	text string
}

func scanTokens(src string) ([]token, error) {
	var list []token
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case isLetter(c) || c == '%':
			j := i + 1
			for j < len(src) && (isLetter(src[j]) || isDigit(src[j])) {
				j++
			}
			if c == '%' {
				list = append(list, token{'%', src[i+1 : j]})
			} else {
				list = append(list, token{'i', src[i:j]})
			}
			i = j
		case isDigit(c):
			j := i + 1
			for j < len(src) && isDigit(src[j]) {
				j++
			}
			list = append(list, token{'n', src[i:j]})
			i = j
		case c == '\'':
			j := strings.IndexByte(src[i+1:], '\'')
			if j < 0 || strings.IndexByte(src[i+1:i+1+j], '\\') >= 0 {
				return nil, fmt.Errorf("the string at byte %d does not end or has an escape", i)
			}
			list = append(list, token{'s', src[i+1 : i+1+j]})
			i += j + 2
		case strings.HasPrefix(src[i:], "!="):
			list = append(list, token{'o', "!="})
			i += 2
		case strings.IndexByte(".()[]|=", c) >= 0:
			list = append(list, token{'o', src[i : i+1]})
			i++
		default:
			return nil, fmt.Errorf("unexpected character %q at byte %d", c, i)
		}
	}
	return append(list, token{}), nil
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// parser is a recursive descent parser with one method for each precedence. An error panics with a
// parseError, which Compile recovers.
type parser struct {
	tokens []token
	pos    int
}

type parseError string

func (p *parser) fail(format string, args ...any) {
	panic(parseError(fmt.Sprintf(format, args...)))
}

func (p *parser) is(text string) bool {
	t := p.tokens[p.pos]
	return (t.kind == 'o' || t.kind == 'i') && t.text == text
}

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail("unexpected %q, expected %q", p.tokens[p.pos].text, text)
	}
}

func (p *parser) name() string {
	t := p.tokens[p.pos]
	if t.kind != 'i' {
		p.fail("unexpected %q, expected a name", t.text)
	}
	p.pos++
	return t.text
}

func (p *parser) orExpr() expr {
	e := p.andExpr()
	for p.accept("or") {
		e = logic{e, p.andExpr(), true}
	}
	return e
}

func (p *parser) andExpr() expr {
	e := p.equality()
	for p.accept("and") {
		e = logic{e, p.equality(), false}
	}
	return e
}

func (p *parser) equality() expr {
	e := p.union()
	switch {
	case p.accept("="):
		return equal{e, p.union(), false}
	case p.accept("!="):
		return equal{e, p.union(), true}
	}
	return e
}

func (p *parser) union() expr {
	e := p.typeOperator()
	for p.accept("|") {
		e = union{e, p.typeOperator()}
	}
	return e
}

func (p *parser) typeOperator() expr {
	e := p.invocation()
	switch {
	case p.accept("as"):
		return as{e, p.name()}
	case p.accept("is"):
		return is{e, p.name()}
	}
	return e
}

func (p *parser) invocation() expr {
	e := p.term()
	for {
		switch {
		case p.accept("."):
			e = p.nameOrFunction(e)
		case p.accept("["):
			n, err := strconv.Atoi(p.tokens[p.pos].text)
			if err != nil {
				p.fail("unexpected %q, expected an index", p.tokens[p.pos].text)
			}
			p.pos++
			p.expect("]")
			e = elementAt{e, n}
		default:
			return e
		}
	}
}

func (p *parser) term() expr {
	t := p.tokens[p.pos]
	switch {
	case p.accept("("):
		e := p.orExpr()
		p.expect(")")
		return e
	case t.kind == 's':
		p.pos++
		return literal{Value{Type: "string", kind: '"', text: t.text, nodeIndex: -1}}
	case t.kind == '%':
		if t.text != "resource" {
			p.fail("variable %%%s", t.text)
		}
		p.pos++
		return resource{}
	case t.kind == 'i' && (t.text == "true" || t.text == "false"):
		p.pos++
		return literal{computed(t.text == "true")}
	case t.kind == 'i' && p.tokens[p.pos+1].text != "(" && t.text[0] >= 'A' && t.text[0] <= 'Z':
		p.pos++
		return root{t.text}
	case t.kind == 'i':
		return p.nameOrFunction(focus{})
	}
	p.fail("unexpected %q, expected a term", t.text)
	return nil
}

// nameOrFunction reads a name or a function after a dot.
func (p *parser) nameOrFunction(base expr) expr {
	name := p.name()
	if !p.accept("(") {
		if b, ok := base.(elementPath); ok {
			return elementPath{b.base, append(b.names[:len(b.names):len(b.names)], name)}
		}
		return elementPath{base, []string{name}}
	}
	e := p.function(base, name)
	p.expect(")")
	return e
}

func (p *parser) function(base expr, name string) expr {
	switch name {
	case "where":
		return where{base, p.orExpr()}
	case "exists":
		if !p.is(")") {
			base = where{base, p.orExpr()}
		}
		return exists{base}
	case "first":
		return elementAt{base, 0}
	case "as", "ofType":
		return as{base, p.name()}
	case "is":
		return is{base, p.name()}
	case "resolve":
		return resolve{base}
	case "extension":
		return extension{base, p.urlLiteral()}
	case "hasExtension":
		return exists{extension{base, p.urlLiteral()}}
	}
	p.fail("function %s", name)
	return nil
}

func (p *parser) urlLiteral() string {
	t := p.tokens[p.pos]
	if t.kind != 's' {
		p.fail("unexpected %q, expected the URL of an extension", t.text)
	}
	p.pos++
	return t.text
}
