package path

import (
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"carerecord/fhir/r4"
)

// Item is a value of the full language: an element of a resource, or a computed value of a System
// type.
type Item struct {
	kind kind
	// Of an element. The Value is empty if a primitive has only an id or extensions. underscore is
	// the node of these (the property _name), 0 for none. step is the path of the element.
	Value
	underscore int32
	step       *pathStep
	dynamic    bool // the definition does not determine its elements: a choice, a contained resource, a descendant

	// Of a System value.
	boolean    bool
	num        *apd.Decimal
	moment     moment
	unit       string // of a quantity; the name of a type
	isCalendar bool   // the unit is a calendar word
}

// kind is the kind of an Item.
type kind byte

const (
	element kind = iota
	boolean
	text
	integer
	decimal
	date
	dateTime
	timeOfDay
	quantity
	typeInfo
)

// pathStep is the last part of the path from a resource to an element; up is the part before, nil for
// none.
type pathStep struct {
	up *pathStep
	PathElement
}

// PathElement is one part of the path of an element: a JSON property, and the position in its
// array, or -1 if it is not in one.
type PathElement struct {
	Name  string
	Index int
}

// Path returns the path of an element from the resource, or false for a computed value. It is empty
// for the resource itself.
func (it Item) Path() ([]PathElement, bool) {
	if it.kind != element {
		return nil, false
	}
	var elements []PathElement
	for s := it.step; s != nil; s = s.up {
		elements = append(elements, s.PathElement)
	}
	slices.Reverse(elements)
	return elements, true
}

// TypeName returns the FHIR type of an element, or the System type of a computed value, as in
// "System.String".
func (it Item) TypeName() string {
	if it.kind == element {
		return it.Type
	}
	return "System." + it.kind.name()
}

func (k kind) name() string {
	return [...]string{"", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "TypeInfo"}[k]
}

// String returns a System value, or a primitive element, as text: dates as they
// are written, quantities with their unit. It is empty for every other element.
func (it Item) String() string {
	if it.kind == element {
		if s, ok := it.systemValue(); ok && s.kind != quantity {
			return s.String()
		}
		return it.text
	}
	switch it.kind {
	case boolean:
		if it.boolean {
			return "true"
		}
		return "false"
	case integer, decimal:
		return it.num.Text('f')
	case date, dateTime, timeOfDay:
		return it.moment.String()
	case quantity:
		if it.isCalendar {
			return it.num.Text('f') + " " + it.unit
		}
		return it.num.Text('f') + " '" + it.unit + "'"
	case typeInfo:
		return it.text + "." + it.unit
	case element, text:
	}
	return it.text
}

func boolItem(b bool) Item { return Item{kind: boolean, boolean: b} }

func textItem(s string) Item { return Item{kind: text, Value: Value{text: s, nodeIndex: -1}} }

func intItem(n int) Item { return Item{kind: integer, num: apd.New(int64(n), 0)} }

func decimalItem(d *apd.Decimal) Item { return Item{kind: decimal, num: d} }

func quantityItem(d *apd.Decimal, unit string, isCalendar bool) Item {
	return Item{kind: quantity, num: d, unit: unit, isCalendar: isCalendar}
}

func momentItem(m moment) Item {
	k := dateTime
	switch {
	case m.isTimeOfDay:
		k = timeOfDay
	case m.isDate:
		k = date
	}
	return Item{kind: k, moment: m}
}

// numberItem reads an Integer or, with a point or exponent, a Decimal.
func numberItem(s string) Item {
	d, ok := parseDecimal(s)
	if !ok {
		fail(Execution, "the number %.40s is too large", s)
	}
	if strings.ContainsAny(s, ".eE") {
		return decimalItem(d)
	}
	return Item{kind: integer, num: d}
}

// maxExponent bounds numbers, and with them the time of arithmetic.
const maxExponent = 400

func parseDecimal(s string) (*apd.Decimal, bool) {
	d, _, err := apd.NewFromString(s)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxExponent || d.Exponent < -maxExponent {
		return nil, false
	}
	return d, true
}

// systemValue returns the System value of an element. It returns false for an element that is neither
// a primitive with a value nor a quantity.
func (it Item) systemValue() (Item, bool) {
	if it.kind != element {
		return it, true
	}
	if it.Value.kind == '{' {
		if isA(it.Type, "Quantity") {
			return it.quantity()
		}
		return Item{}, false
	}
	if it.doc == nil {
		return Item{}, false
	}
	switch it.Type {
	case "boolean":
		return boolItem(it.text == "true"), true
	case "integer", "positiveInt", "unsignedInt", "decimal":
		d, ok := parseDecimal(it.text)
		if !ok {
			return Item{}, false
		}
		if it.Type == "decimal" {
			return decimalItem(d), true
		}
		return Item{kind: integer, num: d}, true
	case "date", "dateTime", "instant", "time":
		return temporalItem(it.Type, it.text)
	}
	return textItem(it.text), true
}

func temporalItem(typ, s string) (Item, bool) {
	if typ == "time" {
		s = "T" + s
	}
	m, ok := parseMoment(s)
	if typ == "dateTime" || typ == "instant" {
		m.isDate = false
	}
	return momentItem(m), ok
}

// quantity converts a FHIR Quantity. The unit is its code if that is of UCUM, else its unit, else 1.
func (it Item) quantity() (Item, bool) {
	d, ok := parseDecimal(it.GetText("value"))
	if !ok {
		return Item{}, false
	}
	unit := it.GetText("unit")
	if code := it.GetText("code"); code != "" && it.GetText("system") == "http://unitsofmeasure.org" {
		unit = code
	} else if unit == "" {
		unit = "1"
	}
	return quantityItem(d, unit, false), true
}

// supertypes returns a FHIR type and those it derives from.
func supertypes(typ string) []string {
	out := []string{typ}
	switch typ {
	case "code", "id", "markdown":
		return append(out, "string", "Element")
	case "url", "canonical", "uuid", "oid":
		return append(out, "uri", "Element")
	case "unsignedInt", "positiveInt":
		return append(out, "integer", "Element")
	case "Age", "Count", "Distance", "Duration":
		return append(out, "Quantity", "Element")
	}
	t := r4.TypeOf(typ)
	switch {
	case t == nil:
	case t.Class == r4.Resource && t.Element("text") != nil && t.Element("contained") != nil:
		return append(out, "DomainResource", "Resource")
	case t.Class == r4.Resource:
		return append(out, "Resource")
	case t.Class == r4.Backbone || t.Element("modifierExtension") != nil:
		return append(out, "BackboneElement", "Element")
	}
	return append(out, "Element")
}
