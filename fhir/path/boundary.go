package path

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

// precisionFunctions looks up the functions of precision (FHIRPath 5.10, for trial use).
func precisionFunctions(name string) (function, bool) {
	switch name {
	case "lowBoundary", "highBoundary":
		return function{0, 1, evalBoundary}, true
	case "precision":
		return function{0, 0, func(r *runner, c call) []Item {
			it, ok := r.singleton(c.in)
			switch {
			case !ok:
				return nil
			case it.numeric():
				return []Item{intItem(int(max(0, -it.num.Exponent)))}
			case it.temporal():
				return []Item{intItem(it.moment.precisionDigits())}
			}
			fail(Execution, "precision() is defined for numbers, dates and times, not for a %s", it.TypeName())
			return nil
		}}, true
	case "comparable":
		return function{1, 1, func(r *runner, c call) []Item {
			a, okA := r.singleton(c.in)
			b, okB := r.singleton(c.arg(r, 0))
			if !okA || !okB || a.kind != quantity || b.kind != quantity {
				return nil
			}
			if _, ok := compareQuantities(a, b); !ok {
				fail(Unsupported, "comparing the units '%s' and '%s' is not supported", a.unit, b.unit)
			}
			return yes.items()
		}}, true
	}
	return function{}, false
}

// precisionDigits returns the precision as FHIRPath counts it: 4 for a year, 17 for a date with
// milliseconds.
func (m moment) precisionDigits() int {
	n := 2*m.known + 2
	if m.isTimeOfDay {
		n -= 8
	}
	if m.known == 6 && m.fractionDigits > 0 {
		n += m.fractionDigits
	}
	return n
}

// evalBoundary evaluates lowBoundary and highBoundary: the least or greatest value that the input may
// denote, with a number of digits. It returns nothing if the input cannot have that precision.
func evalBoundary(r *runner, c call) []Item {
	it, ok := r.singleton(c.in)
	if !ok {
		return nil
	}
	high := c.name == "highBoundary"
	places, given := r.singleInteger(c.arg(r, 0))
	switch {
	case it.numeric() || it.kind == quantity:
		if !given {
			places = 8
		}
		if places < 0 || places > 31 {
			return nil
		}
		n := numberBoundary(it.num, high, places)
		if it.kind == quantity {
			return []Item{quantityItem(n, it.unit, it.isCalendar)}
		}
		return []Item{decimalItem(n)}
	case it.temporal():
		if !given {
			places = map[kind]int{date: 8, dateTime: 17, timeOfDay: 9}[it.kind]
		}
		m, ok := it.moment.boundary(high, places)
		if !ok {
			return nil
		}
		it.moment = m
		return []Item{it}
	}
	fail(Execution, "%s() is defined for numbers, dates and times, not for a %s", c.name, it.TypeName())
	return nil
}

// numberBoundary returns n plus or minus half a unit of its last digit, rounded outwards. It returns
// zero if all digits are after the last place, as the official cases require.
func numberBoundary(n *apd.Decimal, high bool, places int) *apd.Decimal {
	wide := decimalContext()
	wide.Precision, wide.Rounding = 2000, apd.RoundFloor
	half := apd.New(5, min(n.Exponent, 0)-1)
	out := new(apd.Decimal)
	step := wide.Sub
	if high {
		wide.Rounding, step = apd.RoundCeiling, wide.Add
	}
	if _, err := step(out, n, half); err != nil {
		return n
	}
	if out.NumDigits()+int64(out.Exponent) < int64(-places) {
		out.SetFinite(0, int32(-places))
		out.Negative = n.Negative
		return out
	}
	if _, err := wide.Quantize(out, out, int32(-places)); err != nil {
		return n
	}
	return out
}

// boundary returns the first or last moment that m may denote, with a number of digits. It returns
// false if m cannot have that precision.
func (m moment) boundary(high bool, places int) (moment, bool) {
	want := places
	if m.isTimeOfDay {
		want += 8
	}
	n := 6
	switch want {
	case 4:
		n = 1
	case 6:
		n = 2
	case 8:
		n = 3
	case 10:
		n = 4
	case 12:
		n = 5
	case 14, 17:
	default:
		return m, false
	}
	if m.isDate && n > 3 || m.isTimeOfDay && n < 4 {
		return m, false
	}
	if m.known == 4 { // FHIR has no hour without a minute, so minute 0 is known
		m.known = 5
	}
	for i := m.known; i < 6; i++ {
		m.parts[i] = [...]int{1, 1, 1, 0, 0, 0}[i]
		if high {
			m.parts[i] = [...]int{9999, 12, 31, 23, 59, 59}[i]
		}
		if i == 2 && high {
			m.parts[2] = time.Date(m.parts[0], time.Month(m.parts[1])+1, 0, 0, 0, 0, 0, time.UTC).Day()
		}
	}
	if m.fractionDigits == 0 && high {
		m.nanos = 999_000_000
	}
	m.known, m.fractionDigits = n, 0
	if want == 17 {
		m.fractionDigits = 3
	}
	if n < 6 || m.fractionDigits == 0 {
		m.nanos = 0
	}
	switch {
	case n < 4:
		m.hasZone, m.zoneMinutes = false, 0
	case !m.hasZone && !m.isTimeOfDay:
		m.hasZone, m.zoneMinutes = true, 14*60
		if high {
			m.zoneMinutes = -12 * 60
		}
	}
	return m, true
}
