package index

import (
	"encoding/binary"
	"fmt"
	"strings"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// composition holds the parts of a composite parameter (SRCH-120).
type composition struct {
	parts []*param
	// unionOf has two parameters for a combo parameter: it has no keys, and its tuples are
	// those of the two.
	unionOf []*param
	// hasPairKeys: pairs have driving keys. Otherwise the parameter of the first part drives.
	hasPairKeys bool
}

// pairType is the type whose composites have driving keys. Composites of other types (mostly
// conformance resources) have few documents.
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

// mendedComponents returns the parts of a composite parameter with two faults of the R4
// definitions corrected: the expressions of DocumentReference relationship are swapped, and
// Observation code-value-date names a type DateTime.
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

// uniteComboParams makes the combo parameters of Observation use the keys of the parameters for
// the root and for the components.
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

// compositeKeys adds the keys of one element of the base expression: a verifying key with the
// keys of all parts, and driving keys of pairs. An element that lacks a part has none.
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

// addKey appends a key to the value of another, after its length.
func (b *builder) addKey(k store.Key) {
	b.buf = binary.AppendUvarint(b.buf, uint64(len(k)))
	b.buf = append(b.buf, k...)
}

// answersWithoutModifier reports whether a key of a part answers a query without a modifier.
// Composites take no other query.
func answersWithoutModifier(k store.Key) bool {
	switch k[2] {
	case classPresent, classExact, classText, classIdentifierType, classLogical, classLogicalValue:
		return false
	}
	return true
}

// pairKeys adds the driving keys of a tuple: the folded code of the first part with each driving
// key of the second, or alone if there is none.
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
