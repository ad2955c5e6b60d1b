package r4

import (
	_ "embed"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Class is the class of a Type.
type Class byte

// The classes of types.
const (
	Primitive Class = 1 + iota
	Complex         // a datatype with elements
	Resource
	Abstract // Resource, DomainResource, Element, BackboneElement
	Backbone // an element of a resource or datatype that has elements itself
)

// Many is the Max of an element without an upper bound.
const Many = -1

// Type is a list of elements with a name.
type Type struct {
	Name     string // "Patient", "HumanName", or a path: "Patient.contact"
	Class    Class
	Elements []*Element // in the order of the definition

	properties map[string]Property
	names      map[string]*Element
}

// Element is one element of a type.
type Element struct {
	Path       string // as the definition writes it: "Observation.value[x]"
	Name       string // last part of the path, without [x]
	Choice     bool   // the name is followed by one of several types
	Types      []TypeRef
	Min, Max   int    // Max is Many for *
	Same       string // path whose content this element repeats, or empty
	Summary    bool
	Modifier   bool
	Strength   string // of the binding, where there is a ValueSet
	ValueSet   string // address without version: required bindings and those of code elements
	Properties []Property
}

// TypeRef is one type that an element may have.
type TypeRef struct {
	Name    string
	Targets []string // resource types of a Reference or canonical; ["Resource"] or nil for any
}

// Property is a JSON property that holds an element.
type Property struct {
	Name    string // "valueQuantity"
	Type    string // "Quantity"; the path for a backbone element
	Element *Element
	Of      *Type // the elements of the value; nil for xhtml and the like only
}

// Element returns the element of that name, without [x], or nil.
func (t *Type) Element(name string) *Element { return t.names[name] }

// Property returns the property of that name.
func (t *Type) Property(name string) (Property, bool) {
	p, ok := t.properties[name]
	return p, ok
}

// TypeOf returns a type by name or path, or nil.
func TypeOf(name string) *Type { return types()[name] }

// IsResource reports whether name is a resource type that has instances.
func IsResource(name string) bool {
	t := types()[name]
	return t != nil && t.Class == Resource
}

// Resources returns the names of all resource types, sorted.
func Resources() []string { return slices.Clone(resources()) }

// ElementAt returns the element at a path ("Patient.contact.name", "Observation.value"), or nil.
// It does not step into datatypes.
func ElementAt(path string) *Element {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return nil
	}
	t := TypeOf(path[:i])
	if t == nil {
		return nil
	}
	return t.Element(strings.TrimSuffix(path[i+1:], "[x]"))
}

//go:embed types_gen.tsv
var typeTable string

var types = sync.OnceValue(parseTypes)

var resources = sync.OnceValue(func() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(types())) {
		if types()[name].Class == Resource {
			names = append(names, name)
		}
	}
	return names
})

func parseTypes() map[string]*Type {
	all := map[string]*Type{}
	var root *Type
	for line := range lines(typeTable) {
		if head, ok := strings.CutPrefix(line, "= "); ok {
			name, class, _ := strings.Cut(head, "\t")
			root = &Type{Name: name, Class: classOf(class)}
			all[name] = root
			continue
		}
		addElement(all, root, fields(line, 6))
	}
	for _, t := range all {
		t.link(all)
	}
	return all
}

func classOf(word string) Class {
	switch word {
	case "resource":
		return Resource
	case "complex-type":
		return Complex
	case "primitive-type":
		return Primitive
	}
	return Abstract
}

func addElement(all map[string]*Type, root *Type, f []string) {
	owner, name := root, f[0]
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		path := root.Name + "." + name[:i]
		name = name[i+1:]
		if owner = all[path]; owner == nil {
			owner = &Type{Name: path, Class: Backbone}
			all[path] = owner
		}
	}
	e := &Element{Path: root.Name + "." + f[0]}
	e.Name, e.Choice = strings.CutSuffix(name, "[x]")
	if same, ok := strings.CutPrefix(f[1], "#"); ok {
		e.Same = same
	} else {
		e.Types = parseRefs(f[1])
	}
	e.Min, _ = strconv.Atoi(f[2])
	e.Max = Many
	if f[3] != "*" {
		e.Max, _ = strconv.Atoi(f[3])
	}
	e.Summary, e.Modifier = strings.Contains(f[4], "s"), strings.Contains(f[4], "m")
	e.Strength, e.ValueSet, _ = strings.Cut(f[5], " ")
	owner.Elements = append(owner.Elements, e)
}

func parseRefs(list string) []TypeRef {
	if list == "" {
		return nil
	}
	var refs []TypeRef
	for part := range strings.SplitSeq(list, ",") {
		name, targets, found := strings.Cut(strings.TrimSuffix(part, ")"), "(")
		r := TypeRef{Name: name}
		if found {
			r.Targets = strings.Split(targets, "|")
		}
		refs = append(refs, r)
	}
	return refs
}

// link makes the properties of a type once all types are known.
func (t *Type) link(all map[string]*Type) {
	t.properties = make(map[string]Property, len(t.Elements))
	t.names = make(map[string]*Element, len(t.Elements))
	for _, e := range t.Elements {
		t.names[e.Name] = e
		path := strings.TrimSuffix(e.Path, "[x]")
		if e.Same != "" {
			path = e.Same
		}
		if of := all[path]; of != nil && of.Class == Backbone {
			e.Properties = []Property{{Name: e.Name, Type: path, Element: e, Of: of}}
		}
		for _, r := range e.Types {
			if e.Properties != nil && !e.Choice {
				break
			}
			p := Property{Name: e.Name, Type: r.Name, Element: e, Of: all[r.Name]}
			if e.Choice {
				p.Name += strings.ToUpper(r.Name[:1]) + r.Name[1:]
			}
			if !slices.ContainsFunc(e.Properties, func(q Property) bool { return q.Name == p.Name }) {
				e.Properties = append(e.Properties, p)
			}
		}
		for _, p := range e.Properties {
			t.properties[p.Name] = p
		}
	}
}
