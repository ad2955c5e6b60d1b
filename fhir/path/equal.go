package path

import (
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// answer is a boolean of three-valued logic.
type answer byte

const (
	unknown answer = iota
	no
	yes
)

func answered(b bool) answer {
	if b {
		return yes
	}
	return no
}

// items returns the answer as a collection, which is empty for unknown.
func (a answer) items() []Item {
	if a == unknown {
		return nil
	}
	return []Item{boolItem(a == yes)}
}

// equals compares two collections as = does (FHIRPath 6.1.1).
func (r *runner) equals(a, b []Item) answer {
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

func (r *runner) equal(a, b Item) answer {
	r.spend(0)
	x, okX := a.system()
	y, okY := b.system()
	switch {
	case a.kind == element && b.kind == element && (a.Value.kind == '{' || b.Value.kind == '{') && !(okX && okY):
		return answered(r.sameNodes(a, b))
	case !okX || !okY:
		return answered(a.kind == element && b.kind == element && a.twin > 0 && b.twin > 0 && a.at < 0 && b.at < 0 && a.doc == b.doc && a.twin == b.twin)
	}
	switch {
	case x.numeric() && y.numeric():
		return answered(x.num.Cmp(y.num) == 0)
	case x.temporal() && y.temporal() && (x.kind == clock) == (y.kind == clock):
		c, ok := x.moment.compare(y.moment)
		if !ok {
			return unknown
		}
		return answered(c == 0)
	case x.kind == quantity || y.kind == quantity:
		c, ok := compareQuantities(x, y)
		if !ok {
			return unknown
		}
		return answered(c == 0)
	case x.kind != y.kind: // a time of day is never a date
		return no
	case x.kind == boolean:
		return answered(x.truth == y.truth)
	}
	return answered(x.text == y.text && x.unit == y.unit)
}

func (it Item) numeric() bool  { return it.kind == integer || it.kind == decimal }
func (it Item) temporal() bool { return it.kind == date || it.kind == dateTime || it.kind == clock }

// compareQuantities returns false if the units need UCUM conversion.
func compareQuantities(x, y Item) (int, bool) {
	x, y = asQuantity(x), asQuantity(y)
	if x.kind != quantity || y.kind != quantity {
		return 0, false
	}
	if x.unit == y.unit {
		return x.num.Cmp(y.num), true
	}
	a, okA := x.length()
	b, okB := y.length()
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

// length turns a duration into milliseconds, or calendar years into months.
func (it Item) length() (Item, bool) {
	unit := calendar(it.unit)
	if !it.word {
		unit = definite(it.unit)
	}
	factor := int64(0)
	switch {
	case unit == "year" && it.word:
		factor, unit = 12, "month"
	case unit == "month" && it.word:
		factor = 1
	case unit == "":
		return it, false
	default:
		factor, unit = int64(lengthOf(unit)/1e6), "millisecond"
	}
	if factor == 0 {
		return it, false
	}
	n := new(apd.Decimal)
	if _, err := decimals().Mul(n, it.num, apd.New(factor, 0)); err != nil {
		return it, false
	}
	return quantityItem(n, unit, true), true
}

// sameNodes compares two elements ignoring their types: members in any order,
// numbers by value.
func (r *runner) sameNodes(a, b Item) bool {
	if a.at < 0 || b.at < 0 {
		return a.at == b.at && a.twin == b.twin
	}
	return r.sameNode(a.doc, a.at, b.doc, b.at)
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
			at = e.find(j, d.nodes[k].name)
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

// equivalents compares two collections as ~ does: in any order (FHIRPath 6.1.2).
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
	x, okX := a.system()
	y, okY := b.system()
	switch {
	case !okX || !okY:
		return r.equal(a, b) == yes
	case x.kind == text && y.kind == text:
		return strings.EqualFold(strings.Join(strings.Fields(x.text), " "), strings.Join(strings.Fields(y.text), " "))
	case x.numeric() && y.numeric():
		return roughly(x.num, y.num)
	case x.kind == quantity && y.kind == quantity && x.unit == y.unit:
		return roughly(x.num, y.num)
	case x.kind == quantity && y.kind == quantity:
		if _, ok := compareQuantities(x, y); !ok {
			fail(Unsupported, "comparing the units '%s' and '%s' is not supported", x.unit, y.unit)
		}
	}
	return r.equal(x, y) == yes
}

// roughly compares two numbers to the precision of the one with less.
func roughly(a, b *apd.Decimal) bool {
	least := max(min(a.Exponent, 0), min(b.Exponent, 0))
	return rounded(a, least).Cmp(rounded(b, least)) == 0
}

// find reports whether a collection holds a value.
func (r *runner) find(in []Item, it Item) bool {
	for _, other := range in {
		if r.equal(other, it) == yes {
			return true
		}
	}
	return false
}

// distinct returns the values without doubles, in order.
func (r *runner) distinct(in []Item) []Item {
	var out []Item
	for _, it := range in {
		if !r.find(out, it) {
			out = append(out, it)
		}
	}
	return out
}
