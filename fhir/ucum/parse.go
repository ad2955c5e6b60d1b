package ucum

import (
	"math/big"
	"strconv"
	"strings"
)

const (
	// maxCode is how long a code may be, maxDepth how deep its parentheses,
	// maxExponent how high an exponent: far beyond every unit in use.
	maxCode, maxDepth, maxExponent = 256, 16, 99
)

// Parse reads a code. An error means that the code is not a unit, or cannot be converted, and has to
// be compared literally.
func Parse(code string) (Unit, error) {
	t := units()
	return parse(code, t.prefixes, t.atom)
}

func parse(code string, prefixes map[string]*big.Rat, atoms func(string) (atom, error)) (Unit, error) {
	if len(code) > maxCode {
		return Unit{}, errLarge
	}
	p := &parser{text: code, prefixes: prefixes, atoms: atoms}
	inverse := p.accept('/')
	u, err := p.term(inverse)
	if err != nil {
		return Unit{}, err
	}
	if p.pos != len(code) {
		return Unit{}, errGrammar
	}
	return u, nil
}

// parser walks a code. The methods are the rules of the grammar of UCUM (section
// 2.1), with annotations also after numbers and parentheses, as units in use
// have them: /100{WBC}, g/(8.h){shift}.
type parser struct {
	text     string
	pos      int
	depth    int
	prefixes map[string]*big.Rat
	atoms    func(string) (atom, error)
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) accept(c byte) bool {
	if p.peek() == c && c != 0 {
		p.pos++
		return true
	}
	return false
}

// term reads components joined by . and /, from left to right.
func (p *parser) term(inverse bool) (Unit, error) {
	u := one()
	for exponent := map[bool]int{false: 1, true: -1}[inverse]; ; {
		c, err := p.component()
		if err != nil {
			return Unit{}, err
		}
		if u, err = u.times(c, exponent); err != nil {
			return Unit{}, err
		}
		switch {
		case p.accept('.'):
			exponent = 1
		case p.accept('/'):
			exponent = -1
		default:
			return u, nil
		}
	}
}

func (p *parser) component() (u Unit, err error) {
	switch c := p.peek(); {
	case c == '{':
		return one(), p.annotation()
	case c == '(':
		u, err = p.group()
	case isDigit(c) && !strings.HasPrefix(p.text[p.pos:], "10*") && !strings.HasPrefix(p.text[p.pos:], "10^"):
		u, err = p.number()
	default:
		u, err = p.simple()
	}
	if err == nil && p.peek() == '{' {
		err = p.annotation()
	}
	return u, err
}

func (p *parser) group() (Unit, error) {
	p.pos++
	if p.depth++; p.depth > maxDepth {
		return Unit{}, errLarge
	}
	u, err := p.term(false)
	if err == nil && !p.accept(')') {
		err = errGrammar
	}
	p.depth--
	return u, err
}

func (p *parser) number() (Unit, error) {
	n, _ := new(big.Rat).SetString(p.digits())
	if n.Sign() == 0 {
		return Unit{}, errGrammar
	}
	return Unit{factor: n}, nil
}

func (p *parser) digits() string {
	start := p.pos
	for isDigit(p.peek()) {
		p.pos++
	}
	return p.text[start:p.pos]
}

// annotation skips text in braces.
func (p *parser) annotation() error {
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '}':
			p.pos++
			return nil
		case c == '{' || c < ' ' || c > '~':
			return errGrammar
		}
	}
	return errGrammar
}

// simple reads a symbol with its prefix and exponent.
func (p *parser) simple() (Unit, error) {
	symbol, err := p.symbol()
	if err != nil {
		return Unit{}, err
	}
	u, err := p.lookUp(symbol)
	if err != nil {
		return Unit{}, err
	}
	start := p.pos
	if p.peek() == '-' || p.peek() == '+' {
		p.pos++
	}
	digits := p.digits()
	if digits == "" {
		if p.pos != start {
			return Unit{}, errGrammar
		}
		return u, nil
	}
	exponent, err := strconv.Atoi(p.text[start:p.pos])
	if err != nil || exponent > maxExponent || exponent < -maxExponent {
		return Unit{}, errLarge
	}
	return u.to(exponent)
}

// symbol reads up to what cannot be of a symbol; within brackets all can.
func (p *parser) symbol() (string, error) {
	start := p.pos
	if isDigit(p.peek()) {
		p.pos += len("10*")
		return p.text[start:p.pos], nil
	}
	for c := p.peek(); c > ' ' && c <= '~' && !isDigit(c) && strings.IndexByte(`"()+-./={}]`, c) < 0; c = p.peek() {
		if c == '[' {
			n := strings.IndexByte(p.text[p.pos:], ']')
			if n < 0 {
				return "", errGrammar
			}
			p.pos += n
		}
		p.pos++
	}
	if p.pos == start {
		return "", errGrammar
	}
	return p.text[start:p.pos], nil
}

// lookUp finds a symbol as it is, or else after a prefix.
func (p *parser) lookUp(symbol string) (Unit, error) {
	if a, err := p.atoms(symbol); err == nil {
		return a.unit, nil
	}
	for n := 2; n > 0; n-- {
		if len(symbol) <= n || p.prefixes[symbol[:n]] == nil {
			continue
		}
		if a, err := p.atoms(symbol[n:]); err == nil && a.metric {
			return a.unit.prefixed(p.prefixes[symbol[:n]]), nil
		}
	}
	return Unit{}, errUnknown
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
