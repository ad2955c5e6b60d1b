package path

import (
	"slices"
	"strings"

	"carerecord/fhir/r4"
)

// runner is one evaluation. An error panics with an *Error, which Run recovers.
type runner struct {
	env      Env
	resource []Item
	budget   int
}

// frame has the variables $this, $index and $total of a part of an expression.
type frame struct {
	this  []Item
	index int
	total []Item
}

// withThis returns the frame for a function's argument, with one value as $this.
func (f frame) withThis(it Item, index int) frame {
	return frame{this: []Item{it}, index: index, total: f.total}
}

// spend subtracts n+1 from the budget, which bounds the time of an expression. It fails if nothing is
// left.
func (r *runner) spend(n int) {
	if r.budget -= n + 1; r.budget < 0 {
		fail(Costly, "the expression handles more than %d values", MaxSteps)
	}
}

func (r *runner) eval(t *term, f frame) []Item {
	r.spend(0)
	out := r.evalTerm(t, f)
	r.spend(len(out))
	return out
}

func (r *runner) evalTerm(t *term, f frame) []Item {
	switch t.op {
	case "literal":
		return t.value
	case "group":
		return r.eval(t.args[0], f)
	case "this":
		switch t.name {
		case "index":
			return []Item{intItem(f.index)}
		case "total":
			return f.total
		}
		return f.this
	case "variable":
		return r.variable(t.name)
	case "name":
		return r.name(t, f)
	case "index":
		return r.index(t, f)
	case "unary":
		return r.unary(t.name, r.eval(t.args[0], f))
	case "call":
		base := f.this
		if t.base != nil {
			base = r.eval(t.base, f)
		}
		return r.call(t, base, f)
	case "is", "as":
		return applyTypeOperator(t.op, r.eval(t.args[0], f), typeArg(t.args[1]))
	case "and", "or", "xor", "implies":
		return r.logic(t, f)
	}
	return r.binary(t.op, r.eval(t.args[0], f), r.eval(t.args[1], f))
}

func (r *runner) variable(name string) []Item {
	if v, ok := r.env.Vars[name]; ok {
		return v
	}
	switch name {
	case "context", "resource", "rootResource":
		return r.resource
	case "ucum":
		return []Item{textItem("http://unitsofmeasure.org")}
	case "sct":
		return []Item{textItem("http://snomed.info/sct")}
	case "loinc":
		return []Item{textItem("http://loinc.org")}
	}
	if vs, ok := strings.CutPrefix(name, "vs-"); ok {
		return []Item{textItem("http://hl7.org/fhir/ValueSet/" + vs)}
	}
	if ext, ok := strings.CutPrefix(name, "ext-"); ok {
		return []Item{textItem("http://hl7.org/fhir/StructureDefinition/" + ext)}
	}
	fail(Semantic, "there is no variable %%%s", name)
	return nil
}

// name evaluates a name: an element, or the type of the resource if the expression begins with it.
func (r *runner) name(t *term, f frame) []Item {
	base := f.this
	if t.base != nil {
		base = r.eval(t.base, f)
	} else if len(base) == 1 && base[0].kind == element && slices.Contains(supertypes(base[0].Type), t.name) && base[0].step == nil {
		return base
	}
	var out []Item
	known := len(base) == 0
	for _, it := range base {
		found, ok := it.appendElementItems(t.name, out)
		known = known || ok || it.dynamic
		r.spend(len(found) - len(out))
		out = found
	}
	if !known {
		fail(Semantic, "%s has no %s", base[0].TypeName(), t.name)
	}
	return out
}

// appendElementItems appends the values of an element. It returns false if the type has no such element.
func (it Item) appendElementItems(name string, out []Item) ([]Item, bool) {
	if it.kind == typeInfo {
		switch name {
		case "namespace":
			return append(out, textItem(it.text)), true
		case "name":
			return append(out, textItem(it.unit)), true
		}
	}
	if it.kind != element || it.doc == nil {
		return out, false
	}
	at, of, up := it.memberNode()
	if of == nil {
		return out, false
	}
	e := of.Element(name)
	if e == nil {
		return out, false
	}
	if at < 0 {
		return out, true
	}
	for _, p := range e.Properties {
		out = it.doc.appendPaired(p, it.doc.findProperty(at, p.Name), it.doc.findProperty(at, "_"+p.Name), up, it.dynamic || e.Choice || isResource(p), out)
	}
	return out, true
}

func isResource(p r4.Property) bool {
	return p.Of != nil && p.Of.Class == r4.Abstract && p.Type != "Element"
}

// memberNode returns the node with the members of an element, their type and the path to them. For a
// primitive it is the node of the id and extensions. The node is -1 if there are no members.
func (it Item) memberNode() (int32, *r4.Type, *pathStep) {
	if it.Value.kind == '{' {
		return it.nodeIndex, it.typeDef, it.step
	}
	of := it.typeDef
	if of == nil || of.Class == r4.Primitive {
		of = r4.TypeOf("Element")
	}
	if it.underscore == 0 {
		return -1, of, nil
	}
	s := *it.step
	s.Name = "_" + s.Name
	return it.underscore, of, &s
}

// appendPaired appends the values of a property and of its _property.
func (d *Doc) appendPaired(p r4.Property, value, underscore int32, up *pathStep, open bool, out []Item) []Item {
	if value == 0 && underscore == 0 {
		return out
	}
	values, list := d.arrayNodes(value)
	underscores, underscoreList := d.arrayNodes(underscore)
	for i := range max(len(values), len(underscores)) {
		it := Item{step: &pathStep{up, PathElement{p.Name, -1}}, dynamic: open}
		if list || underscoreList {
			it.step.Index = i
		}
		if i < len(underscores) && d.nodes[underscores[i]].kind == '{' {
			it.underscore = underscores[i]
		}
		switch {
		case i < len(values) && d.nodes[values[i]].kind != 'n':
			it.Value = d.valueAt(values[i], p)
		case it.underscore > 0:
			it.Value = Value{Type: p.Type, Element: p.Element, typeDef: p.Of, doc: d, nodeIndex: -1}
		default:
			continue
		}
		out = append(out, it)
	}
	return out
}

// arrayNodes returns the nodes of an array, or the one node.
func (d *Doc) arrayNodes(i int32) (nodes []int32, list bool) {
	if i == 0 {
		return nil, false
	}
	if d.nodes[i].kind != '[' {
		return []int32{i}, false
	}
	for j, end := i+1, d.nodes[i].end; j < end; j = d.nodes[j].end {
		nodes = append(nodes, j)
	}
	return nodes, true
}

// hasOwnValue reports whether an element has a value of its own, as hasValue() does.
func (it Item) hasOwnValue() bool {
	return it.kind != element || it.nodeIndex >= 0 && it.Value.kind != '{'
}

// appendChildItems appends the values of all elements of it, in document order.
func (it Item) appendChildItems(out []Item) []Item {
	if it.kind != element || it.doc == nil {
		return out
	}
	at, of, up := it.memberNode()
	if at < 0 || of == nil {
		return out
	}
	d := it.doc
	for i, end := at+1, d.nodes[at].end; i < end; i = d.nodes[i].end {
		name := d.nodes[i].name
		base, isUnderscore := strings.CutPrefix(name, "_")
		p, ok := of.Property(base)
		if !ok || isUnderscore && d.findProperty(at, base) > 0 {
			continue
		}
		if isUnderscore {
			out = d.appendPaired(p, 0, i, up, true, out)
		} else {
			out = d.appendPaired(p, i, d.findProperty(at, "_"+name), up, true, out)
		}
	}
	return out
}

func (r *runner) index(t *term, f frame) []Item {
	base := r.eval(t.base, f)
	at, ok := r.singleInteger(r.eval(t.args[0], f))
	if !ok || at < 0 || at >= len(base) {
		return nil
	}
	return base[at : at+1]
}
