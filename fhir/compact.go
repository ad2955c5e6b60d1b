package fhir

import (
	"bytes"
	"unicode/utf8"
)

// compact checks a body and removes its insignificant white space, in one pass. It returns false
// for anything unusual: then the parser decides, which is slower and finds the text and the path
// of every fault. The parser accepts everything that compact accepts (FuzzCompact).
func compact(body []byte) ([]byte, bool) {
	if !utf8.Valid(body) {
		return nil, false
	}
	c := compactor{src: body, out: make([]byte, 0, len(body))}
	if c.space(); !c.is('{') || !c.object(1) {
		return nil, false
	}
	c.space()
	return c.out, c.i == len(c.src)
}

type compactor struct {
	src   []byte
	i     int
	out   []byte
	names [][]byte // of the objects that are open
}

// mostNames is how many members of one object are compared with each other.
const mostNames = 64

func (c *compactor) space() {
	for c.i < len(c.src) {
		switch c.src[c.i] {
		case ' ', '\t', '\n', '\r':
			c.i++
		default:
			return
		}
	}
}

// is reports whether the next byte is b.
func (c *compactor) is(b byte) bool { return c.i < len(c.src) && c.src[c.i] == b }

// take passes over white space and keeps the next byte, if it is b.
func (c *compactor) take(b byte) bool {
	c.space()
	if !c.is(b) {
		return false
	}
	c.i++
	c.out = append(c.out, b)
	return true
}

// value reads one value; depth is the number of values around it.
func (c *compactor) value(depth int, inArray bool) bool {
	c.space()
	if c.i >= len(c.src) {
		return false
	}
	switch b := c.src[c.i]; b {
	case '{':
		return c.object(depth + 1)
	case '[':
		return !inArray && c.array(depth+1)
	case '"':
		s, escaped := c.text()
		return len(s) > 2 && (!escaped || sound(s))
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return inArray && c.word("null")
	default:
		return c.number()
	}
}

func (c *compactor) object(depth int) bool {
	if depth > MaxDepth || !c.take('{') {
		return false
	}
	outer := len(c.names)
	for {
		c.space()
		if !c.is('"') {
			return false
		}
		name, escaped := c.text()
		if len(name) <= 2 || escaped || len(c.names)-outer == mostNames {
			return false
		}
		for _, n := range c.names[outer:] {
			if bytes.Equal(n, name) {
				return false
			}
		}
		c.names = append(c.names, name)
		if !c.take(':') || !c.value(depth, false) {
			return false
		}
		if !c.take(',') {
			break
		}
	}
	c.names = c.names[:outer]
	return c.take('}')
}

func (c *compactor) array(depth int) bool {
	if depth > MaxDepth || !c.take('[') {
		return false
	}
	for {
		if !c.value(depth, true) {
			return false
		}
		if !c.take(',') {
			return c.take(']')
		}
	}
}

// text keeps a string and returns it with its quotes, nil if it has no end or
// holds a control character, and whether there is an escape in it.
func (c *compactor) text() (s []byte, escaped bool) {
	from := c.i
	for i := from + 1; i < len(c.src); i++ {
		switch b := c.src[i]; {
		case b == '"':
			c.i = i + 1
			s = c.src[from:c.i]
			c.out = append(c.out, s...)
			return s, escaped
		case b == '\\':
			escaped = true
			i++
		case b < ' ':
			return nil, false
		}
	}
	return nil, false
}

// sound reports whether every escape of a string is one of two characters:
// those of six are left to the parser.
func sound(s []byte) bool {
	for i := 0; i < len(s)-1; i++ {
		if s[i] != '\\' {
			continue
		}
		i++
		switch s[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		default:
			return false
		}
	}
	return true
}

func (c *compactor) word(w string) bool {
	if !bytes.HasPrefix(c.src[c.i:], []byte(w)) {
		return false
	}
	c.i += len(w)
	c.out = append(c.out, w...)
	return true
}

// number keeps a number of JSON, up to 300 characters.
func (c *compactor) number() bool {
	from := c.i
	if c.is('-') {
		c.i++
	}
	if c.is('0') {
		c.i++
	} else if !c.digits() {
		return false
	}
	if c.is('.') {
		c.i++
		if !c.digits() {
			return false
		}
	}
	if c.is('e') || c.is('E') {
		c.i++
		if c.is('+') || c.is('-') {
			c.i++
		}
		if !c.digits() {
			return false
		}
	}
	c.out = append(c.out, c.src[from:c.i]...)
	return c.i-from <= 300
}

// digits passes over digits; false if there is none.
func (c *compactor) digits() bool {
	from := c.i
	for c.i < len(c.src) && '0' <= c.src[c.i] && c.src[c.i] <= '9' {
		c.i++
	}
	return c.i > from
}
