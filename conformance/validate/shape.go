package validate

import (
	"fmt"
	"slices"
	"sync"

	"carerecord/fhir/r4"
)

// shape is a type with elements, compiled for the walk.
type shape struct {
	name     string
	resource bool
	props    map[string]*prop
	must     uint64 // marks of the mandatory elements
	needs    []need
	// Of an Extension: the marks of its value and of its extensions (ext-1).
	value, nested uint64
}

// need is a mandatory element.
type need struct {
	mark uint64
	name string
}

// prop is a JSON property of a shape.
type prop struct {
	name    string // of the property: "valueQuantity"
	element string // "value"
	typ     string // "Quantity"
	kind    kind
	of      *shape // the elements of a complex value
	many    bool
	choice  bool
	bare    bool   // takes no extensions: id, url of an extension, narrative
	mark    uint64 // of the element, 0 where nothing asks for it
	bound   *binding
}

// binding is a required one.
type binding struct {
	url string
	set *r4.ValueSet
}

// table holds the shapes of all types.
type table struct {
	resources map[string]*shape
	element   *shape // id and extension: what _x may hold
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

// compiler makes each shape once: types refer to each other and themselves.
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
	marks := 0
	for _, e := range t.Elements {
		var mark uint64
		if e.Min > 0 || e.Choice || t.Name == "Extension" && e.Name == "extension" {
			if mark = 1 << marks; marks == 64 {
				panic(fmt.Sprintf("validate: %s has more than 64 elements to watch", t.Name))
			}
			marks++
		}
		if e.Min > 0 {
			s.must |= mark
			s.needs = append(s.needs, need{mark, e.Name})
		}
		for _, p := range e.Properties {
			s.props[p.Name] = c.prop(t, p, mark)
		}
	}
	if t.Name == "Extension" {
		s.value, s.nested = s.props["valueString"].mark, s.props["extension"].mark
	}
	return s
}

func (c *compiler) prop(t *r4.Type, p r4.Property, mark uint64) *prop {
	e := p.Element
	out := &prop{name: p.Name, element: e.Name, typ: p.Type, many: e.Max != 1, choice: e.Choice, mark: mark,
		bare: p.Name == "id" || t.Name == "Extension" && p.Name == "url" || p.Type == "xhtml"}
	switch i := slices.Index(kindNames[:], p.Type); {
	case i >= 0:
		out.kind = kind(i)
	case p.Type == "Resource":
		out.kind = kindResource
	default:
		out.kind, out.of = kindComplex, c.shape(p.Of)
	}
	if e.Strength == "required" && (out.kind == kindCode || p.Type == "CodeableConcept" || p.Type == "Coding") {
		out.bound = c.binding(e.ValueSet)
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
