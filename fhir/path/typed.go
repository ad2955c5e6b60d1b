package path

import (
	"slices"
	"strings"

	"carerecord/fhir/r4"
)

// typeRef is the name of a type, with its namespace if it has one.
type typeRef struct{ namespace, name string }

// typeArg reads the type that an argument names.
func typeArg(t *term) typeRef {
	for t.op == "group" {
		t = t.args[0]
	}
	if t.op != "name" {
		fail(Semantic, "the name of a type is needed")
	}
	if t.base == nil {
		return typeRef{"", t.name}
	}
	if t.base.op != "name" || t.base.base != nil {
		fail(Semantic, "the name of a type is needed")
	}
	return typeRef{t.base.name, t.name}
}

// known reports whether there is such a type.
func (t typeRef) known() bool {
	system := slices.Contains([]string{"Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity"}, t.name)
	switch t.namespace {
	case "System":
		return true // an unknown System type has no values
	case "FHIR":
		return r4.TypeOf(t.name) != nil || t.name == "xhtml"
	case "":
		return system || r4.TypeOf(t.name) != nil || t.name == "xhtml"
	}
	return false
}

// matches reports whether a value is of the type. With exact, a primitive of a derived type is not.
func (t typeRef) matches(it Item, exact bool) bool {
	if it.kind != element {
		return t.namespace != "FHIR" && it.kind.name() == t.name
	}
	if t.namespace == "System" {
		return false
	}
	if of := r4.TypeOf(t.name); exact && of != nil && of.Class == r4.Primitive {
		return it.Type == t.name
	}
	return slices.Contains(supertypes(it.Type), t.name)
}

// applyTypeOperator evaluates "is", "as" and ofType.
func applyTypeOperator(op string, in []Item, t typeRef) []Item {
	if !t.known() {
		fail(Execution, "there is no type %s", strings.TrimPrefix(t.namespace+"."+t.name, "."))
	}
	if op != "ofType" && len(in) > 1 {
		fail(Execution, "%s is defined for one value, but there are %d", op, len(in))
	}
	var out []Item
	for _, it := range in {
		switch {
		case op == "is":
			out = append(out, boolItem(t.matches(it, false)))
		case t.matches(it, true):
			out = append(out, it)
		}
	}
	return out
}
