package path

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"carerecord/fhir/r4"
)

// maxDepth is the greatest depth of JSON that Parse reads; fhir.Parse allows less.
const maxDepth = 500

// Doc is a parsed resource. It is safe for concurrent reading. Reset reads another resource and
// invalidates all Values of the Doc.
type Doc struct {
	src   string
	nodes []node
	pos   int
	root  Value
}

// node is one JSON value. Nodes are in document order: the children of a node follow it, up to end.
type node struct {
	name string // of the property, empty in arrays
	text string // strings without quotes and escapes, other scalars as written
	kind byte   // one of { [ " 0 t f n
	end  int32  // index after this node and its children
}

// Parse reads a resource. body should have passed fhir.Parse: Parse finds only syntax errors.
func Parse(body []byte) (*Doc, error) {
	d := &Doc{}
	if err := d.Reset(body); err != nil {
		return nil, err
	}
	return d, nil
}

var errSyntax = errors.New("path: not valid JSON")

// Reset reads another resource into the memory of the Doc.
func (d *Doc) Reset(body []byte) error {
	d.src, d.nodes, d.pos, d.root = string(body), d.nodes[:0], 0, Value{}
	d.skipSpace()
	if d.peek() != '{' {
		return fmt.Errorf("%w: not an object", errSyntax)
	}
	if err := d.readValue("", 0); err != nil {
		return err
	}
	if d.skipSpace(); d.pos != len(d.src) {
		return fmt.Errorf("%w: data after the end at byte %d", errSyntax, d.pos)
	}
	d.root = d.valueAt(0, r4.Property{Type: "Resource"})
	return nil
}

// Root returns the resource itself, typed by its resourceType.
func (d *Doc) Root() Value { return d.root }

func (d *Doc) peek() byte {
	if d.pos < len(d.src) {
		return d.src[d.pos]
	}
	return 0
}

func (d *Doc) skipSpace() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

func (d *Doc) readValue(name string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested deeper than %d", errSyntax, maxDepth)
	}
	at, c := len(d.nodes), d.peek()
	d.nodes = append(d.nodes, node{name: name, kind: c})
	var err error
	switch c {
	case '{', '[':
		err = d.readMembers(c == '{', depth)
	case '"':
		d.nodes[at].text, err = d.readString()
	default:
		err = d.readScalar(at)
	}
	d.nodes[at].end = int32(len(d.nodes))
	return err
}

// readMembers reads an object or array from its opening bracket on.
func (d *Doc) readMembers(object bool, depth int) error {
	last := byte(']')
	if object {
		last = '}'
	}
	d.pos++
	if d.skipSpace(); d.peek() == last {
		d.pos++
		return nil
	}
	for {
		var name string
		if d.skipSpace(); object {
			var err error
			if name, err = d.readString(); err != nil {
				return err
			}
			if d.skipSpace(); d.peek() != ':' {
				return fmt.Errorf("%w: byte %d", errSyntax, d.pos)
			}
			d.pos++
			d.skipSpace()
		}
		if err := d.readValue(name, depth+1); err != nil {
			return err
		}
		d.skipSpace()
		c := d.peek()
		d.pos++
		if c == last {
			return nil
		}
		if c != ',' {
			return fmt.Errorf("%w: byte %d", errSyntax, d.pos-1)
		}
	}
}

func (d *Doc) readString() (string, error) {
	if d.peek() != '"' {
		return "", fmt.Errorf("%w: byte %d", errSyntax, d.pos)
	}
	start, escaped := d.pos, false
	for d.pos++; d.pos < len(d.src); d.pos++ {
		switch d.src[d.pos] {
		case '\\':
			escaped = true
			d.pos++
		case '"':
			d.pos++
			if !escaped {
				return d.src[start+1 : d.pos-1], nil
			}
			var s string
			if err := json.Unmarshal([]byte(d.src[start:d.pos]), &s); err != nil {
				return "", fmt.Errorf("%w: string at byte %d", errSyntax, start)
			}
			return s, nil
		}
	}
	return "", fmt.Errorf("%w: string does not end", errSyntax)
}

func (d *Doc) readScalar(at int) error {
	start := d.pos
	for d.pos < len(d.src) && strings.IndexByte(" \t\r\n,]}", d.src[d.pos]) < 0 {
		d.pos++
	}
	text := d.src[start:d.pos]
	kind := byte('0')
	switch text {
	case "true", "false", "null":
		kind = text[0]
	default:
		if text == "" || (text[0] != '-' && (text[0] < '0' || text[0] > '9')) {
			return fmt.Errorf("%w: byte %d", errSyntax, start)
		}
	}
	d.nodes[at].kind, d.nodes[at].text = kind, text
	return nil
}
