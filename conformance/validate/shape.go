package validate

import (
	"fmt"
	"slices"
	"sync"

	"carerecord/fhir/r4"
)

// shape is a type with elements, compiled for the walk.
type shape struct {
	name              string
	resource          bool
	props             map[string]*prop
	mandatory         uint64 // bits of the mandatory elements
	mandatoryElements []mandatoryElement
	// Of an Extension: the bits of its value and of its extensions (ext-1).
	valueBit, extensionBit uint64
}

// mandatoryElement is a mandatory element.
type mandatoryElement struct {
	bit  uint64
	name string
}

// prop is a JSON property of a shape.
type prop struct {
	name         string // of the property: "valueQuantity"
	element      string // "value"
	typ          string // "Quantity"
	kind         kind
	shape        *shape // the elements of a complex value
	repeats      bool
	choice       bool
	noExtensions bool   // has no twin: id, url of an extension, narrative
	bit          uint64 // of the element; 0 if no rule needs to know whether it is present
	binding      *binding
}

// binding is a required binding.
type binding struct {
	url string
	set *r4.ValueSet
}

// table holds the shapes of all types.
type table struct {
	resources map[string]*shape
	element   *shape // the members of a twin: id and extension
}

var tables = sync.OnceValue(compile)

func compile() *table {
	c := compiler{shapes: map[*r4.Type]*shape{}, bindings: map[string]*binding{}}
	t := &table{resources: map[string]*shape{}, element: c.shape(r4.TypeOf("Element"))}
	for _, name := range r4.Resources() {
		t.resources[name] = c.shape(r4.TypeOf(name))
	}
	return t
}

// compiler makes each shape once, since types refer to each other and to themselves.
type compiler struct {
	shapes   map[*r4.Type]*shape
	bindings map[string]*binding
}

func (c *compiler) shape(t *r4.Type) *shape {
	if s := c.shapes[t]; s != nil {
		return s
	}
	s := &shape{name: t.Name, resource: t.Class == r4.Resource, props: map[string]*prop{}}
	c.shapes[t] = s
	bits := 0
	for _, e := range t.Elements {
		var bit uint64
		if e.Min > 0 || e.Choice || t.Name == "Extension" && e.Name == "extension" {
			if bit = 1 << bits; bits == 64 {
				panic(fmt.Sprintf("validate: %s has more than 64 elements with a bit", t.Name))
			}
			bits++
		}
		if e.Min > 0 {
			s.mandatory |= bit
			s.mandatoryElements = append(s.mandatoryElements, mandatoryElement{bit, e.Name})
		}
		for _, p := range e.Properties {
			s.props[p.Name] = c.prop(t, p, bit)
		}
	}
	if t.Name == "Extension" {
		s.valueBit, s.extensionBit = s.props["valueString"].bit, s.props["extension"].bit
	}
	return s
}

func (c *compiler) prop(t *r4.Type, p r4.Property, bit uint64) *prop {
	e := p.Element
	out := &prop{name: p.Name, element: e.Name, typ: p.Type, repeats: e.Max != 1, choice: e.Choice, bit: bit,
		noExtensions: p.Name == "id" || t.Name == "Extension" && p.Name == "url" || p.Type == "xhtml"}
	switch i := slices.Index(kindNames[:], p.Type); {
	case i >= 0:
		out.kind = kind(i)
	case p.Type == "Resource":
		out.kind = kindResource
	default:
		out.kind, out.shape = kindComplex, c.shape(p.Of)
	}
	if e.Strength == "required" && (out.kind == kindCode || p.Type == "CodeableConcept" || p.Type == "Coding") {
		out.binding = c.binding(e.ValueSet)
	}
	return out
}

func (c *compiler) binding(url string) *binding {
	b := c.bindings[url]
	if b == nil {
		if b = (&binding{url: url, set: r4.ValueSetOf(url)}); b.set == nil {
			panic("validate: the tables have no value set " + url)
		}
		c.bindings[url] = b
	}
	return b
}
