package path

import (
	"iter"
	"strings"

	"carerecord/fhir/r4"
)

// Primitives yields every primitive at and below a value, in document order, with its type and element
// in R4, also those of extensions. It omits properties that R4 does not define, and contained resources.
func (v Value) Primitives() iter.Seq[Value] {
	return func(yield func(Value) bool) { v.yieldPrimitives(yield) }
}

func (v Value) yieldPrimitives(yield func(Value) bool) bool {
	if v.kind != '{' {
		return yield(v)
	}
	if v.typeDef == nil {
		return true
	}
	below := func(w Value) bool { return w.yieldPrimitives(yield) }
	nodes := v.doc.nodes
	for i, end := v.nodeIndex+1, nodes[v.nodeIndex].end; i < end; i = nodes[i].end {
		p, known := v.typeDef.Property(nodes[i].name)
		if name, underscore := strings.CutPrefix(nodes[i].name, "_"); underscore {
			if p, known = v.typeDef.Property(name); known {
				p = r4.Property{Type: "Element", Of: r4.TypeOf("Element")}
			}
		}
		if known && nodes[i].name != "contained" && !v.doc.yieldValues(i, p, below) {
			return false
		}
	}
	return true
}
