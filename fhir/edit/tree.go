package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"carerecord/fhir"
)

// Node is one JSON value of a tree that keeps the order of members and the bytes of scalars. A tree
// is not safe for concurrent use.
type Node struct {
	Kind  byte     // one of { [ " 0 t f n
	Raw   []byte   // the bytes of a scalar, strings with their quotes
	Names []string // of the members of an object, parallel to Items
	Items []*Node  // the values of an object's members, or the items of an array
}

// ErrDeep is returned by Tree for a value nested deeper than fhir.MaxDepth plus the few levels of
// a patch document.
var ErrDeep = errors.New("edit: nested too deeply")

// Tree reads one strict JSON value of any kind: no repeated member in an object, valid UTF-8,
// no data after its end. It does not retain src.
func Tree(src []byte) (*Node, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(src))
	n, err := readNode(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("edit: data after the end of the value, near byte %d", dec.InputOffset())
	}
	return n, nil
}

func readNode(dec *jsontext.Decoder) (*Node, error) {
	n := &Node{Kind: byte(dec.PeekKind())}
	if n.Kind != '{' && n.Kind != '[' {
		raw, err := dec.ReadValue()
		n.Raw = bytes.Clone(raw)
		return n, err
	}
	if dec.StackDepth() > fhir.MaxDepth+8 {
		return nil, ErrDeep
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		if n.Kind == '{' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			n.Names = append(n.Names, name.String())
		}
		item, err := readNode(dec)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, item)
	}
	_, err := dec.ReadToken()
	return n, err
}

// Text returns a node for a string.
func Text(s string) *Node { return &Node{Kind: '"', Raw: quoteJSON(s)} }

// Append writes the node without white space.
func (n *Node) Append(out []byte) []byte {
	if n.Kind != '{' && n.Kind != '[' {
		return append(out, n.Raw...)
	}
	out = append(out, n.Kind)
	for i, item := range n.Items {
		if i > 0 {
			out = append(out, ',')
		}
		if n.Kind == '{' {
			out = append(append(out, quoteJSON(n.Names[i])...), ':')
		}
		out = item.Append(out)
	}
	return append(out, n.Kind+2)
}

// Find returns the position of a member, or -1.
func (n *Node) Find(name string) int {
	if n == nil || n.Kind != '{' {
		return -1
	}
	return slices.Index(n.Names, name)
}

// Get returns the value of a member, or nil.
func (n *Node) Get(name string) *Node {
	if i := n.Find(name); i >= 0 {
		return n.Items[i]
	}
	return nil
}

// String returns the value of a string, and "" for any other value.
func (n *Node) String() string {
	if n == nil || n.Kind != '"' {
		return ""
	}
	return string(unquote(n.Raw))
}

// Set replaces the member of that name, or appends one.
func (n *Node) Set(name string, value *Node) {
	if i := n.Find(name); i >= 0 {
		n.Items[i] = value
		return
	}
	n.Names, n.Items = append(n.Names, name), append(n.Items, value)
}

// Insert inserts an item, or a member, at position i.
func (n *Node) Insert(i int, name string, value *Node) {
	n.Items = slices.Insert(n.Items, i, value)
	if n.Kind == '{' {
		n.Names = slices.Insert(n.Names, i, name)
	}
}

// Remove removes the item or member at position i.
func (n *Node) Remove(i int) {
	n.Items = slices.Delete(n.Items, i, i+1)
	if n.Kind == '{' {
		n.Names = slices.Delete(n.Names, i, i+1)
	}
}

// Clone returns a deep copy.
func (n *Node) Clone() *Node {
	c := &Node{Kind: n.Kind, Raw: n.Raw, Names: slices.Clone(n.Names)}
	if n.Items != nil {
		c.Items = make([]*Node, len(n.Items))
		for i, item := range n.Items {
			c.Items[i] = item.Clone()
		}
	}
	return c
}

// Size returns the number of levels of the node, 1 for a scalar, and the approximate length of its
// JSON.
func (n *Node) Size() (levels, size int) {
	levels, size = 1, len(n.Raw)+2
	for i, item := range n.Items {
		l, s := item.Size()
		levels, size = max(levels, l+1), size+s
		if n.Kind == '{' {
			size += len(n.Names[i]) + 4
		}
	}
	return levels, size
}
