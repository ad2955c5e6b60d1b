package path

import (
	"iter"
	"strings"

	"carerecord/fhir/r4"
)

// Value is a value of a Doc with its FHIR type, or a computed boolean or string.
type Value struct {
	// Type is the FHIR type: "Quantity", "code", "Patient", or the path of a
	// backbone element.
	Type string
	// Element is the definition of the element, nil at the root.
	Element *r4.Element

	typeDef   *r4.Type
	doc       *Doc
	nodeIndex int32
	kind      byte // of the node
	text      string
}

func computed(b bool) Value {
	if b {
		return Value{Type: "boolean", kind: 't', text: "true", nodeIndex: -1}
	}
	return Value{Type: "boolean", kind: 'f', text: "false", nodeIndex: -1}
}

// Text returns a primitive as text: strings without quotes and escapes,
// numbers as they are written, true and false. It is empty for anything else.
func (v Value) Text() string { return v.text }

// isString reports whether the JSON value is a string, and not a number or boolean.
func (v Value) isString() bool { return v.kind == '"' }

// Valued reports whether the value is a primitive, or an element with more than an id and extensions.
func (v Value) Valued() bool {
	if v.kind != '{' {
		return true
	}
	for i := v.nodeIndex + 1; i < v.doc.nodes[v.nodeIndex].end; i = v.doc.nodes[i].end {
		switch name := v.doc.nodes[i].name; name {
		case "id", "extension", "modifierExtension":
		default:
			if !strings.HasPrefix(name, "_") {
				return true
			}
		}
	}
	return false
}

// valueAt returns the Value of a node that is the value of a property.
func (d *Doc) valueAt(i int32, p r4.Property) Value {
	n := &d.nodes[i]
	v := Value{Type: p.Type, Element: p.Element, typeDef: p.Of, doc: d, nodeIndex: i, kind: n.kind, text: n.text}
	if p.Type == "Resource" && n.kind == '{' {
		if t := d.findProperty(i, "resourceType"); t > 0 {
			v.Type = d.nodes[t].text
			v.typeDef = r4.TypeOf(v.Type)
		}
	}
	return v
}

// findProperty returns the node of a property of an object, or 0.
func (d *Doc) findProperty(object int32, name string) int32 {
	nodes := d.nodes
	for i, end := object+1, nodes[object].end; i < end; i = nodes[i].end {
		if nodes[i].name == name {
			return i
		}
	}
	return 0
}

// Get returns the first value of a JSON property, such as "system" or
// "valueString".
func (v Value) Get(property string) (Value, bool) {
	for w := range v.All(property) {
		return w, true
	}
	return Value{}, false
}

// GetText returns the text of a primitive property, or "" if it has none.
func (v Value) GetText(property string) string {
	if v.kind != '{' {
		return ""
	}
	if i := v.doc.findProperty(v.nodeIndex, property); i > 0 {
		return v.doc.nodes[i].text
	}
	return ""
}

// All yields the values of a JSON property in order.
func (v Value) All(property string) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != '{' || v.typeDef == nil {
			return
		}
		if p, ok := v.typeDef.Property(property); ok {
			if i := v.doc.findProperty(v.nodeIndex, property); i > 0 {
				v.doc.yieldValues(i, p, yield)
			}
		}
	}
}

// Contained returns the contained resource to which a reference of the same document refers: # and
// its id.
func (v Value) Contained(reference string) (Value, bool) {
	id, ok := strings.CutPrefix(reference, "#")
	if !ok || id == "" || v.doc == nil {
		return Value{}, false
	}
	for c := range v.doc.Root().All("contained") {
		if c.GetText("id") == id {
			return c, c.Type != ""
		}
	}
	return Value{}, false
}

// Choice returns the first value of a choice element, such as "value" of an
// Extension.
func (v Value) Choice(name string) (Value, bool) {
	var buf [1]Value
	if found := v.appendElement(name, buf[:0]); len(found) > 0 {
		return found[0], true
	}
	return Value{}, false
}

// yieldValues yields a node, or the items of an array, as values of a property.
func (d *Doc) yieldValues(i int32, p r4.Property, yield func(Value) bool) bool {
	switch d.nodes[i].kind {
	case 'n':
		return true
	case '[':
		for j, end := i+1, d.nodes[i].end; j < end; j = d.nodes[j].end {
			if d.nodes[j].kind != 'n' && !yield(d.valueAt(j, p)) {
				return false
			}
		}
		return true
	}
	return yield(d.valueAt(i, p))
}

// appendElement appends the values of an element from any of its properties.
func (v Value) appendElement(name string, out []Value) []Value {
	if v.kind != '{' || v.typeDef == nil {
		return out
	}
	e := v.typeDef.Element(name)
	if e == nil {
		return out
	}
	if !e.Choice {
		if i := v.doc.findProperty(v.nodeIndex, name); i > 0 && len(e.Properties) > 0 {
			out = v.doc.appendValues(i, e.Properties[0], out)
		}
		return out
	}
	nodes := v.doc.nodes
	for i, end := v.nodeIndex+1, nodes[v.nodeIndex].end; i < end; i = nodes[i].end {
		if !strings.HasPrefix(nodes[i].name, name) { // avoids most look-ups
			continue
		}
		if p, ok := v.typeDef.Property(nodes[i].name); ok && p.Element == e {
			out = v.doc.appendValues(i, p, out)
		}
	}
	return out
}

func (d *Doc) appendValues(i int32, p r4.Property, out []Value) []Value {
	switch d.nodes[i].kind {
	case 'n':
	case '[':
		for j, end := i+1, d.nodes[i].end; j < end; j = d.nodes[j].end {
			if d.nodes[j].kind != 'n' {
				out = append(out, d.valueAt(j, p))
			}
		}
	default:
		out = append(out, d.valueAt(i, p))
	}
	return out
}

// Strings yields the text of every string property of that name, at any depth,
// contained resources and extensions included.
func (d *Doc) Strings(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range d.nodes {
			n := &d.nodes[i]
			if n.kind == '"' && n.name == name && !yield(n.text) {
				return
			}
		}
	}
}

// Identifiers yields system and value of every Reference.identifier, at any
// depth, contained resources and extensions included. It omits lists of identifiers, which identify
// the resource itself.
func (d *Doc) Identifiers() iter.Seq2[string, string] {
	return func(yield func(system, value string) bool) {
		for i := range d.nodes {
			if n := &d.nodes[i]; n.kind != '{' || n.name != "identifier" {
				continue
			}
			text := func(name string) string {
				if at := d.findProperty(int32(i), name); at > 0 {
					return d.nodes[at].text
				}
				return ""
			}
			if !yield(text("system"), text("value")) {
				return
			}
		}
	}
}
