package search

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"carerecord/fhir"
	"carerecord/fhir/search/join"
)

// filterParser reads the value of _filter (SRCH-158, search_filter.html), for one
// type:
//
//	filter = unit (("and" | "or") unit)*            left to right, no precedence
//	unit   = "(" filter ")" | "not" "(" filter ")" | test
//	test   = path SP operator SP value
//	path   = name [":" Type] [["[" filter "]"] "." path]
//	value  = JSON string | characters up to white space, ")" or "]"
//
// The type after a name is an extension of this server: a chain over several types needs it. Values are
// written as in parameters.
type filterParser struct {
	planner *planner
	text    string
	at      int
	depth   int // brackets that are open
	tests   int
}

const (
	maxBrackets = 50
	maxTests    = 200 // as many as a query may have parameters
)

// expression reads _filter for all types.
func (p *planner) expression(param Param) error {
	if param.Modifier != "" {
		return NotSupported(param, "is not supported")
	}
	allAffirm := true
	for i, part := range p.query.Types {
		e := &filterParser{planner: p, text: param.Value}
		n, err := e.filter(part.Type, 0)
		if err != nil {
			return err
		}
		if e.space(); e.at < len(e.text) {
			return e.fault("expected and, or, or the end")
		}
		p.add(i, n)
		allAffirm = allAffirm && n.Affirms()
	}
	p.query.filters++
	p.query.countable, p.query.affirmative = false, p.query.affirmative || allAffirm
	p.query.Used = append(p.query.Used, param)
	return nil
}

func (e *filterParser) fault(what string) error {
	return fhir.Fault(400, "value", "_filter: %s at character %d.", what, utf8.RuneCountInString(e.text[:e.at])+1)
}

func (e *filterParser) space() {
	for e.at < len(e.text) {
		r, n := utf8.DecodeRuneInString(e.text[e.at:])
		if !unicode.IsSpace(r) {
			return
		}
		e.at += n
	}
}

// next consumes a character and reports whether it was there.
func (e *filterParser) next(c byte) bool {
	if e.at < len(e.text) && e.text[e.at] == c {
		e.at++
		return true
	}
	return false
}

const nameChars = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

// word consumes the characters of a name.
func (e *filterParser) word() string {
	rest := e.text[e.at:]
	w := rest[:len(rest)-len(strings.TrimLeft(rest, nameChars))]
	e.at += len(w)
	return w
}

// filter parses units and the operators between them.
func (e *filterParser) filter(typ string, links int) (join.Node, error) {
	left, err := e.unit(typ, links)
	for err == nil {
		e.space()
		was := e.at
		var right join.Node
		switch e.word() {
		case "and":
			right, err = e.unit(typ, links)
			left = join.All{left, right}
		case "or":
			right, err = e.unit(typ, links)
			left = join.Any{left, right}
		default:
			e.at = was
			return left, nil
		}
	}
	return nil, err
}

func (e *filterParser) unit(typ string, links int) (join.Node, error) {
	e.space()
	was := e.at
	not := e.word() == "not"
	if e.space(); e.at < len(e.text) && e.text[e.at] == '(' && (not || e.at == was) {
		n, err := e.bracketed(typ, links, '(', ')')
		if err == nil && not {
			n = join.Not{Node: n}
		}
		return n, err
	}
	e.at = was
	return e.test(typ, links)
}

// bracketed parses a filter in brackets.
func (e *filterParser) bracketed(typ string, links int, opening, closing byte) (join.Node, error) {
	e.next(opening)
	if e.depth++; e.depth > maxBrackets {
		return nil, fhir.Fault(400, "too-costly", "_filter has more than %d nested brackets.", maxBrackets)
	}
	n, err := e.filter(typ, links)
	if err != nil {
		return nil, err
	}
	e.depth--
	if e.space(); !e.next(closing) {
		return nil, e.fault("expected " + string(closing))
	}
	return n, nil
}

// test parses a path, an operator and a value.
func (e *filterParser) test(typ string, links int) (join.Node, error) {
	name := e.word()
	if name == "" {
		return nil, e.fault("expected a name")
	}
	target, typed := "", e.next(':')
	if typed {
		target = e.word()
	}
	if e.at < len(e.text) && (e.text[e.at] == '.' || e.text[e.at] == '[') {
		return e.link(typ, name, target, typed, links+1)
	}
	if typed {
		return nil, e.fault("expected . or [ after the type")
	}
	if e.tests++; e.tests > maxTests {
		return nil, fhir.Fault(400, "too-costly", "_filter has more than %d tests.", maxTests)
	}
	if _, known := e.planner.x.Param(typ, name); !known {
		return nil, fhir.Fault(400, "not-supported", "%s has no search parameter %s.", typ, name)
	}
	was := e.at
	if e.space(); e.at == was {
		return nil, e.fault("expected a space and an operator")
	}
	op := e.word()
	if op == "" {
		return nil, e.fault("expected an operator")
	}
	was = e.at
	if e.space(); e.at == was {
		return nil, e.fault("expected a space and a value")
	}
	value, err := e.value()
	if err != nil {
		return nil, err
	}
	return e.planner.test(typ, name, op, value)
}

// link parses the text after a reference parameter: a filter for its target, and the rest of the path.
func (e *filterParser) link(typ, name, target string, typed bool, links int) (join.Node, error) {
	p := e.planner
	if links > p.opt.Limits.ChainDepth {
		return nil, fhir.Fault(400, "too-costly", "A chain has more than %d links.", p.opt.Limits.ChainDepth)
	}
	def, err := p.reference(typ, name)
	if err != nil {
		return nil, err
	}
	target, err = p.targetOf(typ, name, def, firstName(e.text[e.at+1:]), target, typed)
	if err != nil {
		return nil, err
	}
	p.noteJoined(target)
	var inner join.All
	if e.text[e.at] == '[' {
		n, err := e.bracketed(target, links, '[', ']')
		if err != nil {
			return nil, err
		}
		inner = append(inner, n)
	}
	if !e.next('.') {
		return nil, e.fault("expected .")
	}
	n, err := e.test(target, links)
	if err != nil {
		return nil, err
	}
	return join.Chain{Type: typ, Param: name, Target: target, Inner: append(inner, n)}, nil
}

// firstName skips the brackets and the not before the first test of a filter.
func firstName(text string) string {
	for {
		text = strings.TrimLeft(text, " (")
		rest, not := strings.CutPrefix(text, "not")
		if rest = strings.TrimLeft(rest, " "); !not || !strings.HasPrefix(rest, "(") {
			return text
		}
		text = rest
	}
}

// value parses the value of a test.
func (e *filterParser) value() (string, error) {
	rest := e.text[e.at:]
	if !strings.HasPrefix(rest, `"`) {
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == ')' || r == ']' })
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return "", e.fault("expected a value")
		}
		e.at += end
		return rest[:end], nil
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			var value string
			if json.Unmarshal([]byte(rest[:i+1]), &value) != nil || value == "" {
				return "", e.fault("expected a JSON string that is not empty")
			}
			e.at += i + 1
			return value, nil
		}
	}
	return "", e.fault("a string without a closing quote")
}

// test returns the node of one test.
func (p *planner) test(typ, name, op, value string) (join.Node, error) {
	if modifier := map[string]string{"in": "in", "ni": "not-in", "ss": "below", "sb": "above"}[op]; modifier != "" {
		n, err := p.terms(typ, name, modifier, []string{value})
		if n != nil || err != nil {
			return n, err
		}
	}
	pred, err := p.x.Compare(typ, name, op, value)
	if err != nil {
		return nil, asFault(err, Param{Name: name})
	}
	return join.Leaf{Pred: pred, Drives: op != "pr" && op != "ne" && op != "co"}, nil
}
