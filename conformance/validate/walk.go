package validate

import (
	"bytes"
	"fmt"
	"strings"

	"carerecord/fhir"
)

// resource walks a resource. The reader is at its opening brace.
func (w *walker) resource() {
	typ, found := w.resourceType()
	s := w.table.resources[string(typ)]
	if w.root == "" && s != nil {
		w.root = s.name
	}
	if s != nil {
		w.object(s)
		return
	}
	text := "resourceType is not the name of a resource type of FHIR R4."
	if !found {
		text = "The resource has no resourceType that is a string."
	}
	w.faultBelow("resourceType", "structure", text)
	w.skip()
}

// resourceType finds the property at any position, without moving the reader.
func (w *walker) resourceType() ([]byte, bool) {
	r := w.reader
	r.pos++
	for n := 0; r.next(n, '}'); n++ {
		if string(r.name()) == "resourceType" && r.peek() == '"' {
			raw, escaped := r.text()
			if escaped {
				raw = unescape(raw)
			}
			return raw, true
		}
		r.skip()
	}
	return nil, false
}

// object walks the members of an object. The reader is at its opening brace.
func (w *walker) object(s *shape) {
	if len(w.path) > fhir.MaxDepth {
		w.fault("structure", fmt.Sprintf("The resource is nested deeper than %d levels.", fhir.MaxDepth))
		w.stop()
		return
	}
	from := w.pos
	var seen uint64
	var first *prop
	paired := false // there is a twin, or an array with nulls
	n := 0
	w.pos++
	for ; w.next(n, '}'); n++ {
		name := w.name()
		if w.broken {
			return
		}
		p := s.props[string(name)]
		if p == nil {
			bit, twin := w.otherMember(s, name)
			seen, paired = seen|bit, paired || twin
			continue
		}
		if p.choice && seen&p.bit != 0 {
			w.faultBelow(p.element, "structure", "More than one variant of "+p.element+"[x] is given: one is allowed.")
		}
		seen |= p.bit
		if n == 0 {
			first = p
		}
		if w.property(p) {
			paired = true
		}
	}
	switch {
	case w.broken:
		return
	case n == 0:
		w.fault("structure", "The object is empty: leave the element out.")
	case n == 1 && first != nil && first.name == "id" && !s.resource && s != w.table.element: // pair tests twins
		w.fault("invariant", "The element has an id and nothing else (ele-1).")
	}
	if paired {
		w.pair(s, from)
	}
	w.checkComplete(s, seen)
}

// checkComplete tests the rules that need all members of an object: mandatory elements and ext-1.
func (w *walker) checkComplete(s *shape, seen uint64) {
	if missing := s.mandatory &^ seen; missing != 0 {
		for _, need := range s.mandatoryElements {
			if missing&need.bit != 0 {
				w.path = append(w.path, pathElement{need.name, -1})
				w.faultOrWarning("required", s.name+"."+need.name+" is mandatory and missing.")
				w.pop()
			}
		}
	}
	if s.valueBit != 0 {
		switch value, nested := seen&s.valueBit != 0, seen&s.extensionBit != 0; {
		case value && nested:
			w.fault("invariant", "The extension has both a value and extensions: it must have only one of them (ext-1).")
		case !value && !nested:
			w.fault("invariant", "The extension has neither a value nor extensions (ext-1).")
		}
	}
}

// otherMember reads a member that is not a property of the shape: a twin, the resourceType, or an
// unknown member, which is a fault. For a twin it returns the bit of the element.
func (w *walker) otherMember(s *shape, name []byte) (bit uint64, twin bool) {
	if base, ok := bytes.CutPrefix(name, []byte("_")); ok {
		if p := s.props[string(base)]; p != nil && p.kind < kindComplex && !p.noExtensions {
			w.twin(p)
			return p.bit, true
		}
	}
	if s.resource && string(name) == "resourceType" {
		if w.peek() != '"' {
			w.faultBelow("resourceType", "structure", "resourceType must be a string, in quotes.")
		}
		w.skip()
		return 0, false
	}
	w.faultBelow(shorten(string(name)), "structure", w.unknownText(s, shorten(string(name))))
	w.skip()
	return 0, false
}

// unknownText returns the text for an unknown property. It suggests a correction.
func (w *walker) unknownText(s *shape, name string) string {
	base := strings.TrimPrefix(name, "_")
	p := s.props[base]
	switch {
	case name == "":
		return "A property has an empty name."
	case p != nil && p.noExtensions:
		return fmt.Sprintf("%s.%s cannot have extensions.", s.name, base)
	case p != nil:
		return fmt.Sprintf("%s.%s is not a primitive: its extensions belong inside it, not in %s.", s.name, base, name)
	}
	for _, p := range s.props {
		switch {
		case strings.EqualFold(p.name, base):
			return fmt.Sprintf("%s has no element %s: names are case sensitive. Did you mean %s?", s.name, base, p.name)
		case p.choice && p.element == base:
			return fmt.Sprintf("%s.%s[x] is a choice: its name ends in its type, like %s.", s.name, base, s.exampleVariant(base))
		}
	}
	return fmt.Sprintf("%s has no element %s. Use an extension for data that the standard does not define.", s.name, base)
}

// exampleVariant returns the first property, by name, of a choice.
func (s *shape) exampleVariant(element string) string {
	best := ""
	for name, p := range s.props {
		if p.element == element && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// property reads the value of a property. It reports whether the value is an array with nulls.
func (w *walker) property(p *prop) (nulls bool) {
	w.path = append(w.path, pathElement{p.element, -1})
	switch isArray := w.peek() == '['; {
	case isArray && !p.repeats:
		w.fault("structure", fmt.Sprintf("%s does not repeat: it must not be an array.", p.name))
		nulls = w.array(p)
	case isArray:
		nulls = w.array(p)
	case p.repeats && w.peek() != 'n':
		w.fault("structure", fmt.Sprintf("%s may repeat: it must be an array, even with one value.", p.name))
		w.single(p)
	default:
		w.single(p)
	}
	w.pop()
	return nulls
}

// array reads the values of an array.
func (w *walker) array(p *prop) (nulls bool) {
	at := len(w.path) - 1
	w.pos++
	n := 0
	for ; w.next(n, ']'); n++ {
		w.path[at].index = n
		if w.peek() == 'n' && p.kind < kindComplex && p.repeats {
			nulls = true
			w.null()
			continue
		}
		if w.peek() == '[' {
			w.fault("structure", "FHIR has no arrays within arrays.")
			w.skip()
			continue
		}
		w.single(p)
	}
	w.path[at].index = -1
	if n == 0 {
		w.fault("structure", "The array is empty: leave the element out.")
	}
	return nulls
}

// single reads a single value.
func (w *walker) single(p *prop) {
	c := w.peek()
	switch {
	case c == 'n':
		w.fault("structure", "FHIR allows no null here: leave the element out.")
		w.null()
	case p.kind < kindComplex:
		w.primitive(p, c)
	case c != '{':
		w.fault("structure", fmt.Sprintf("%s must be a JSON object.", w.nameWithType(p)))
		w.skip()
	case p.kind == kindResource && w.envelope:
		w.skip()
	case p.kind == kindResource:
		w.resource()
	default:
		from := w.pos
		w.object(p.shape)
		if p.binding != nil && !w.broken {
			w.concept(p, w.src[from:w.pos])
		}
	}
}

// nameWithType returns the name and the type of a property, for an error text.
func (w *walker) nameWithType(p *prop) string {
	if strings.Contains(p.typ, ".") {
		return p.name
	}
	return p.name + " (" + p.typ + ")"
}

// null reads the literal null.
func (w *walker) null() {
	if string(w.bareToken()) != "null" {
		w.stop()
	}
}
