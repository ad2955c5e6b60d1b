package path

import (
	"iter"

	"carerecord/fhir/r4"
)

// Embedded is a resource within another.
type Embedded struct {
	Value
	// Name is the property with the resource as its value: resource, outcome, contained.
	Name string
	// Holder is the object with that property, without a type: a Bundle.entry, a
	// parameter, or the containing resource.
	Holder Value
}

// Embedded yields the resources that v embeds at any depth, except those within another embedded
// resource. Base64 is not decoded.
func (v Value) Embedded() iter.Seq[Embedded] {
	return func(yield func(Embedded) bool) {
		if v.kind == '{' {
			v.doc.yieldEmbedded(v.nodeIndex, yield)
		}
	}
}

func (d *Doc) yieldEmbedded(object int32, yield func(Embedded) bool) bool {
	for i, end := object+1, d.nodes[object].end; i < end; i = d.nodes[i].end {
		first, last := i, d.nodes[i].end
		if d.nodes[i].kind == '[' {
			first++
		}
		for j := first; j < last; j = d.nodes[j].end {
			switch {
			case d.nodes[j].kind != '{':
			case d.isResource(j):
				if !yield(Embedded{d.valueAt(j, r4.Property{Type: "Resource"}), d.nodes[i].name, d.untypedObject(object)}) {
					return false
				}
			case !d.yieldEmbedded(j, yield):
				return false
			}
		}
	}
	return true
}

func (d *Doc) isResource(object int32) bool {
	i := d.findProperty(object, "resourceType")
	return i > 0 && d.nodes[i].kind == '"'
}

// untypedObject makes a Value without a type of an object.
func (d *Doc) untypedObject(i int32) Value { return Value{doc: d, nodeIndex: i, kind: '{'} }

// Objects yields v and every object below it, without types, in the order of the body. It omits
// embedded resources.
func (v Value) Objects() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.kind != '{' {
			return
		}
		d := v.doc
		for i := v.nodeIndex; i < d.nodes[v.nodeIndex].end; {
			if d.nodes[i].kind == '{' {
				if i > v.nodeIndex && d.isResource(i) {
					i = d.nodes[i].end
					continue
				}
				if !yield(d.untypedObject(i)) {
					return
				}
			}
			i++
		}
	}
}

// Member returns the object in a property of an object, without a type.
func (v Value) Member(name string) (Value, bool) {
	if v.kind != '{' {
		return Value{}, false
	}
	if i := v.doc.findProperty(v.nodeIndex, name); i > 0 && v.doc.nodes[i].kind == '{' {
		return v.doc.untypedObject(i), true
	}
	return Value{}, false
}

// Payload is text that may be base64, and its content type if it has one.
type Payload struct{ ContentType, Data string }

// Payloads yields the text of every property whose name is accepted by property, at any depth.
func (d *Doc) Payloads(property func(name string) bool) iter.Seq[Payload] {
	return func(yield func(Payload) bool) {
		var open []int32 // the objects around a node
		for i := range d.nodes {
			n := &d.nodes[i]
			for len(open) > 0 && d.nodes[open[len(open)-1]].end <= int32(i) {
				open = open[:len(open)-1]
			}
			if n.kind == '{' {
				open = append(open, int32(i))
			}
			if n.kind != '"' || !property(n.name) {
				continue
			}
			p := Payload{Data: n.text}
			if c := d.findProperty(open[len(open)-1], "contentType"); c > 0 {
				p.ContentType = d.nodes[c].text
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Systems yields system and value of every object with a system that want accepts, at any depth. It
// omits the identifiers of the resource itself.
func (d *Doc) Systems(want func(system string) bool) iter.Seq2[string, string] {
	return func(yield func(system, value string) bool) {
		found := false
		for i := range d.nodes {
			n := &d.nodes[i]
			if n.name == "system" && n.kind == '"' && want(n.text) {
				found = true
				break
			}
		}
		if !found {
			return
		}
		own := d.findProperty(0, "identifier")
		for i := int32(0); i < int32(len(d.nodes)); i++ {
			if i == own && own > 0 && d.nodes[i].kind == '[' {
				i = d.nodes[i].end - 1
				continue
			}
			if d.nodes[i].kind != '{' {
				continue
			}
			object := d.untypedObject(i)
			if system := object.GetText("system"); want(system) && !yield(system, object.GetText("value")) {
				return
			}
		}
	}
}
