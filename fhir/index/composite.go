package index

import (
	"encoding/binary"
	"fmt"
	"strings"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// composition is what a composite parameter has in place of values of its own
// (SRCH-120).
type composition struct {
	parts []*param
	// unionOf are the two parameters whose tuples together are this one's, which
	// then has no keys.
	unionOf []*param
	// hasPairKeys says that the pairs have driving keys, first part first. Without them
	// the parameter of the first part drives.
	hasPairKeys bool
}

// pairType is the type whose composites have driving keys: the others are of
// conformance resources and of a few more, which are not many.
const pairType = "Observation"

// compose compiles the parts of a composite parameter.
func (p *param) compose(typ string, def *r4.SearchParam) error {
	c := &composition{hasPairKeys: typ == pairType}
	for i, part := range mendedComponents(def) {
		of := r4.SearchParamByURL(part.Definition)
		if of == nil {
			return fmt.Errorf("%s is not known", part.Definition)
		}
		q := &param{Param: Param{Code: of.Code, URL: of.URL, Kind: Kind(of.Type)}, number: uint16(i + 1)}
		expr, err := path.Compile(part.Expression)
		if err != nil {
			return err
		}
		q.expr = expr
		if q.yields, err = expr.YieldsOn(p.yields, typ); err != nil {
			return err
		}
		if q.readTypes(of); !q.hasKeys() {
			return fmt.Errorf("the values of %s have no keys", of.Code)
		}
		p.Monotone = p.Monotone && expr.Monotone()
		c.parts = append(c.parts, q)
	}
	p.composition = c
	return nil
}

// mendedComponents are the parts of a composite parameter. Two faults of the definitions of
// 4.0.1 are mended: DocumentReference relationship has the expressions of its two
// parts crossed, and Observation code-value-date asks for a type DateTime.
func mendedComponents(def *r4.SearchParam) []r4.Component {
	parts := append([]r4.Component(nil), def.Components...)
	if def.Code == "relationship" && len(parts) == 2 {
		parts[0].Expression, parts[1].Expression = parts[1].Expression, parts[0].Expression
	}
	for i := range parts {
		parts[i].Expression = strings.ReplaceAll(parts[i].Expression, "as(DateTime)", "as(dateTime)")
	}
	return parts
}

// uniteComboParams lets the combo parameters of Observation, whose tuples are those of the
// root and those of the components, do without keys of their own.
func (ti *typeIndex) uniteComboParams() {
	for code, p := range ti.params {
		rest, ok := strings.CutPrefix(code, "combo-code-")
		if !ok || p.composition == nil {
			continue
		}
		root, component := ti.params["code-"+rest], ti.params["component-code-"+rest]
		if root != nil && component != nil && root.Indexed && component.Indexed {
			p.composition.unionOf = []*param{root, component}
		}
	}
}

// compositeKeys makes the keys of one element of the base expression: a verifying
// one with the keys of all parts, and the driving ones of pairs. An element that
// lacks a part has none.
func (x *Indexer) compositeKeys(w *scratch, b *builder, p *param, of, base path.Value) {
	w.tuple.reset()
	w.tuple.lastConverted = b.lastConverted
	defer func() { b.lastConverted = w.tuple.lastConverted }()
	for _, part := range p.composition.parts {
		before := len(w.tuple.ends)
		w.partValues = part.expr.EvalOn(of, base, w.partValues[:0])
		for _, v := range w.partValues {
			x.valueKeys(&w.tuple, part, v)
		}
		clear(w.partValues)
		if len(w.tuple.ends) == before {
			return
		}
	}
	keys := w.tuple.keys()
	b.begin(p.number|verifies, classTuple)
	for _, k := range keys {
		if answersWithoutModifier(k) {
			b.addKey(k)
		}
	}
	b.end()
	if p.composition.hasPairKeys {
		b.pairKeys(p.number, keys)
	}
}

// addKey puts a key into the value of another, behind its length.
func (b *builder) addKey(k store.Key) {
	b.buf = binary.AppendUvarint(b.buf, uint64(len(k)))
	b.buf = append(b.buf, k...)
}

// answersWithoutModifier reports whether a key of a part answers a query without modifiers: the
// only kind that composites take.
func answersWithoutModifier(k store.Key) bool {
	switch k[2] {
	case classPresent, classExact, classText, classIdentifierType, classLogical, classLogicalValue:
		return false
	}
	return true
}

// pairKeys makes the driving keys of a tuple: the code of the first part, folded, and
// each driving key of the second; the code alone where it has none.
func (b *builder) pairKeys(number uint16, keys []store.Key) {
	for _, first := range keys {
		if first[1] != 1 || !first.Driving() || first[2] != classCode && first[2] != classFolded {
			continue
		}
		code, paired := foldCode(string(first[3:])), false
		for _, second := range keys {
			if second[1] == 2 && second.Driving() && second[2] != classSystem && answersWithoutModifier(second) {
				b.add(number, classPair, code, "\x00", string(second[2:]))
				paired = true
			}
		}
		if !paired {
			b.add(number, classPair, code, "\x00")
		}
	}
}
