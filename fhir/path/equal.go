package path

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// tristate is a boolean of three-valued logic.
type tristate byte

const (
	unknown tristate = iota
	no
	yes
)

func tristateOf(b bool) tristate {
	if b {
		return yes
	}
	return no
}

// items returns the answer as a collection, which is empty for unknown.
func (a tristate) items() []Item {
	if a == unknown {
		return nil
	}
	return []Item{boolItem(a == yes)}
}

// equals evaluates the operator = (FHIRPath 6.1.1).
func (r *runner) equals(a, b []Item) tristate {
	if len(a) == 0 || len(b) == 0 {
		return unknown
	}
	if len(a) != len(b) {
		return no
	}
	all := yes
	for i := range a {
		switch r.equal(a[i], b[i]) {
		case no:
			return no
		case unknown:
			all = unknown
		case yes:
		}
	}
	return all
}

func (r *runner) equal(a, b Item) tristate {
	r.spend(0)
	x, okX := a.systemValue()
	y, okY := b.systemValue()
	switch {
	case a.kind == element && b.kind == element && (a.Value.kind == '{' || b.Value.kind == '{') && !(okX && okY):
		return tristateOf(r.sameNodes(a, b))
	case !okX || !okY:
		return tristateOf(a.kind == element && b.kind == element && a.underscore > 0 && b.underscore > 0 && a.nodeIndex < 0 && b.nodeIndex < 0 && a.doc == b.doc && a.underscore == b.underscore)
	}
	switch {
	case x.numeric() && y.numeric():
		return tristateOf(x.num.Cmp(y.num) == 0)
	case x.temporal() && y.temporal() && (x.kind == timeOfDay) == (y.kind == timeOfDay):
		c, ok := x.moment.compare(y.moment)
		if !ok {
			return unknown
		}
		return tristateOf(c == 0)
	case x.kind == quantity || y.kind == quantity:
		c, ok := compareQuantities(x, y)
		if !ok {
			return unknown
		}
		return tristateOf(c == 0)
	case x.kind != y.kind: // also a date and a time of day
		return no
	case x.kind == boolean:
		return tristateOf(x.boolean == y.boolean)
	}
	return tristateOf(x.text == y.text && x.unit == y.unit)
}

func (it Item) numeric() bool  { return it.kind == integer || it.kind == decimal }
func (it Item) temporal() bool { return it.kind == date || it.kind == dateTime || it.kind == timeOfDay }

// compareQuantities returns false if the units need UCUM conversion.
func compareQuantities(x, y Item) (int, bool) {
	x, y = asQuantity(x), asQuantity(y)
	if x.kind != quantity || y.kind != quantity {
		return 0, false
	}
	if x.unit == y.unit {
		return x.num.Cmp(y.num), true
	}
	a, okA := x.toBaseUnit()
	b, okB := y.toBaseUnit()
	if !okA || !okB || a.unit != b.unit {
		return 0, false
	}
	return a.num.Cmp(b.num), true
}

func asQuantity(it Item) Item {
	if it.numeric() {
		return quantityItem(it.num, "1", false)
	}
	return it
}

// toBaseUnit converts a duration of fixed length into milliseconds, and calendar years and months
// into months. It returns false for any other quantity.
func (it Item) toBaseUnit() (Item, bool) {
	unit := calendarUnit(it.unit)
	if !it.isCalendar {
		unit = ucumUnit(it.unit)
	}
	factor := int64(0)
	switch {
	case unit == "year" && it.isCalendar:
		factor, unit = 12, "month"
	case unit == "month" && it.isCalendar:
		factor = 1
	case unit == "":
		return it, false
	default:
		factor, unit = int64(fixedDuration(unit)/1e6), "millisecond"
	}
	if factor == 0 {
		return it, false
	}
	n := new(apd.Decimal)
	if _, err := decimalContext().Mul(n, it.num, apd.New(factor, 0)); err != nil {
		return it, false
	}
	return quantityItem(n, unit, true), true
}

// sameNodes reports whether two elements have equal JSON, regardless of their types: members in any
// order, numbers by value.
func (r *runner) sameNodes(a, b Item) bool {
	if a.nodeIndex < 0 || b.nodeIndex < 0 {
		return a.nodeIndex == b.nodeIndex && a.underscore == b.underscore
	}
	return r.sameNode(a.doc, a.nodeIndex, b.doc, b.nodeIndex)
}

func (r *runner) sameNode(d *Doc, i int32, e *Doc, j int32) bool {
	r.spend(0)
	a, b := &d.nodes[i], &e.nodes[j]
	switch {
	case d == e && i == j:
		return true
	case a.kind != b.kind:
		return false
	case a.kind == '0':
		x, okX := parseDecimal(a.text)
		y, okY := parseDecimal(b.text)
		return a.text == b.text || okX && okY && x.Cmp(y) == 0
	case a.kind != '{' && a.kind != '[':
		return a.text == b.text
	}
	n, m := 0, 0
	for k := j + 1; k < b.end; k = e.nodes[k].end {
		m++
	}
	other := j + 1
	for k := i + 1; k < a.end; k = d.nodes[k].end {
		at := other
		if a.kind == '{' {
			at = e.findProperty(j, d.nodes[k].name)
		}
		if n++; n > m || at == 0 || !r.sameNode(d, k, e, at) {
			return false
		}
		if a.kind == '[' {
			other = e.nodes[other].end
		}
	}
	return n == m
}

// equivalents evaluates the operator ~, which ignores order (FHIRPath 6.1.2).
func (r *runner) equivalents(a, b []Item) bool {
	if len(a) != len(b) {
		return false
	}
	taken := make([]bool, len(b))
next:
	for _, x := range a {
		for i, y := range b {
			if !taken[i] && r.equivalent(x, y) {
				taken[i] = true
				continue next
			}
		}
		return false
	}
	return true
}

func (r *runner) equivalent(a, b Item) bool {
	r.spend(0)
	x, okX := a.systemValue()
	y, okY := b.systemValue()
	switch {
	case !okX || !okY:
		return r.equal(a, b) == yes
	case x.kind == text && y.kind == text:
		return strings.EqualFold(strings.Join(strings.Fields(x.text), " "), strings.Join(strings.Fields(y.text), " "))
	case x.numeric() && y.numeric():
		return equalRounded(x.num, y.num)
	case x.kind == quantity && y.kind == quantity && x.unit == y.unit:
		return equalRounded(x.num, y.num)
	case x.kind == quantity && y.kind == quantity:
		if _, ok := compareQuantities(x, y); !ok {
			fail(Unsupported, "comparing the units '%s' and '%s' is not supported", x.unit, y.unit)
		}
	}
	return r.equal(x, y) == yes
}

// equalRounded reports whether two numbers are equal at the precision of the less precise one.
func equalRounded(a, b *apd.Decimal) bool {
	least := max(min(a.Exponent, 0), min(b.Exponent, 0))
	return roundHalfUp(a, least).Cmp(roundHalfUp(b, least)) == 0
}

// contains reports whether a collection contains a value that equals it.
func (r *runner) contains(in []Item, it Item) bool {
	for _, other := range in {
		if r.equal(other, it) == yes {
			return true
		}
	}
	return false
}

// distinct returns the values without duplicates, in order.
func (r *runner) distinct(in []Item) []Item {
	var out []Item
	for _, it := range in {
		if !r.contains(out, it) {
			out = append(out, it)
		}
	}
	return out
}
