package path

import (
	"github.com/cockroachdb/apd/v3"
)

// precision is the number of digits that arithmetic keeps.
const precision = 34

func decimalContext() *apd.Context {
	return &apd.Context{Precision: precision, MaxExponent: 10000, MinExponent: -10000, Rounding: apd.RoundHalfUp}
}

// finiteResult returns the result of an operation. It returns false after a division by zero and for
// a result out of bounds.
func finiteResult(d *apd.Decimal, c apd.Condition, err error) (*apd.Decimal, bool) {
	if err != nil || d.Form != apd.Finite || c.DivisionByZero() || c.Overflow() || d.Exponent > maxExponent || d.Exponent < -maxExponent {
		return nil, false
	}
	return d, true
}

func truncate(d *apd.Decimal) *apd.Decimal {
	whole, fraction := new(apd.Decimal), new(apd.Decimal)
	d.Modf(whole, fraction)
	return whole
}

// roundHalfUp rounds half up to an exponent. It returns a number with a greater exponent unchanged.
func roundHalfUp(d *apd.Decimal, exponent int32) *apd.Decimal {
	if d.Exponent >= exponent {
		return d
	}
	out := new(apd.Decimal)
	wide := decimalContext()
	wide.Precision = 2000
	if _, err := wide.Quantize(out, d, exponent); err != nil {
		return d
	}
	return out
}

// singleton returns the only value of a collection as a System value. It returns false for an empty
// collection and for an element without a System value. It fails for more than one value.
func (r *runner) singleton(in []Item) (Item, bool) {
	switch len(in) {
	case 0:
		return Item{}, false
	case 1:
		return in[0].systemValue()
	}
	fail(Execution, "one value is needed, but there are %d", len(in))
	return Item{}, false
}

func (r *runner) singleInteger(in []Item) (int, bool) {
	it, ok := r.singleton(in)
	if !ok {
		if len(in) == 1 {
			fail(Execution, "an integer is needed, not a %s", in[0].TypeName())
		}
		return 0, false
	}
	if it.kind != integer {
		fail(Execution, "an integer is needed, not a %s", it.TypeName())
	}
	n, err := it.num.Int64()
	if err != nil || n > 1<<31 || n < -1<<31 {
		fail(Execution, "the integer %s is too large", it)
	}
	return int(n), true
}

func (r *runner) singleString(in []Item) (string, bool) {
	it, ok := r.singleton(in)
	if !ok && len(in) == 0 {
		return "", false
	}
	if !ok || it.kind != text {
		fail(Execution, "a string is needed, not a %s", in[0].TypeName())
	}
	r.spend(len(it.text) / 32)
	return it.text, true
}

func (r *runner) unary(sign string, in []Item) []Item {
	it, ok := r.singleton(in)
	if !ok && len(in) == 0 {
		return nil
	}
	if !ok || !it.numeric() && it.kind != quantity {
		fail(Execution, "the sign %s cannot precede a %s", sign, in[0].TypeName())
	}
	if sign == "-" {
		n := new(apd.Decimal)
		n.Neg(it.num)
		it.num = n
	}
	return []Item{it}
}

func (r *runner) binary(op string, a, b []Item) []Item {
	switch op {
	case "=":
		return r.equals(a, b).items()
	case "!=":
		switch r.equals(a, b) {
		case yes:
			return no.items()
		case no:
			return yes.items()
		case unknown:
		}
		return nil
	case "~":
		return []Item{boolItem(r.equivalents(a, b))}
	case "!~":
		return []Item{boolItem(!r.equivalents(a, b))}
	case "|":
		return r.distinct(append(a[:len(a):len(a)], b...))
	case "in", "contains":
		if op == "contains" {
			a, b = b, a
		}
		if len(a) == 0 {
			return nil
		}
		if len(a) > 1 {
			fail(Execution, "the value to search for must be one value, but there are %d", len(a))
		}
		return []Item{boolItem(r.contains(b, a[0]))}
	case "&":
		x, _ := r.singleString(a)
		y, _ := r.singleString(b)
		return []Item{textItem(x + y)}
	}
	x, okX := r.singleton(a)
	y, okY := r.singleton(b)
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	if !okX || !okY {
		fail(Execution, "%s is not defined for a %s and a %s", op, a[0].TypeName(), b[0].TypeName())
	}
	switch op {
	case "<", "<=", ">", ">=":
		return r.compareOperator(op, x, y)
	}
	return r.arithmetic(op, x, y)
}

func (r *runner) compareOperator(op string, x, y Item) []Item {
	c, ok := 0, true
	switch {
	case x.numeric() && y.numeric():
		c = x.num.Cmp(y.num)
	case x.kind == text && y.kind == text:
		switch {
		case x.text < y.text:
			c = -1
		case x.text > y.text:
			c = 1
		}
	case x.temporal() && y.temporal() && (x.kind == timeOfDay) == (y.kind == timeOfDay):
		c, ok = x.moment.compare(y.moment)
	case x.kind == quantity && (y.kind == quantity || y.numeric()), y.kind == quantity && x.numeric():
		c, ok = compareQuantities(x, y)
	default:
		fail(Execution, "a %s cannot be compared with a %s", x.TypeName(), y.TypeName())
	}
	if !ok {
		return nil
	}
	switch op {
	case "<":
		return []Item{boolItem(c < 0)}
	case "<=":
		return []Item{boolItem(c <= 0)}
	case ">":
		return []Item{boolItem(c > 0)}
	}
	return []Item{boolItem(c >= 0)}
}

func (r *runner) arithmetic(op string, x, y Item) []Item {
	switch {
	case op == "+" && x.kind == text && y.kind == text:
		r.spend((len(x.text) + len(y.text)) / 32)
		return []Item{textItem(x.text + y.text)}
	case (op == "+" || op == "-") && x.temporal() && y.kind == quantity:
		return shiftMoment(op, x, y)
	case x.numeric() && y.numeric():
		n, ok := calculate(op, x.num, y.num)
		if !ok {
			return nil
		}
		if op == "div" || op != "/" && x.kind == integer && y.kind == integer {
			return []Item{{kind: integer, num: n}}
		}
		return []Item{decimalItem(n)}
	case x.kind == quantity && y.kind == quantity && (op == "+" || op == "-"):
		if x.unit != y.unit {
			return nil
		}
		if n, ok := calculate(op, x.num, y.num); ok {
			return []Item{quantityItem(n, x.unit, x.isCalendar)}
		}
		return nil
	case (x.kind == quantity || x.numeric()) && (y.kind == quantity || y.numeric()) && (op == "*" || op == "/"):
		return scale(op, x, y)
	}
	fail(Execution, "%s is not defined for a %s and a %s", op, x.TypeName(), y.TypeName())
	return nil
}

// scale multiplies or divides quantities if the result needs no new unit.
func scale(op string, x, y Item) []Item {
	unit, isCalendar := x.unit, x.isCalendar
	a, b := asQuantity(x).unit, asQuantity(y).unit
	switch {
	case op == "/" && a == b:
		unit, isCalendar = "1", false
	case b == "1":
	case a == "1" && op == "*":
		unit, isCalendar = y.unit, y.isCalendar
	default:
		fail(Unsupported, "the unit of '%s' %s '%s' is not supported", a, op, b)
	}
	if n, ok := calculate(op, x.num, y.num); ok {
		return []Item{quantityItem(n, unit, isCalendar)}
	}
	return nil
}

func shiftMoment(op string, x, y Item) []Item {
	unit, sign := ucumUnit(y.unit), 1
	if op == "-" {
		sign = -1
	}
	if unit == "" {
		fail(Execution, "'%s' cannot be added to a date", y.unit)
	}
	m, ok := x.moment.add(y.num, unit, sign)
	if !ok {
		return nil
	}
	it := x
	it.moment = m
	return []Item{it}
}

func calculate(op string, a, b *apd.Decimal) (*apd.Decimal, bool) {
	out, c := new(apd.Decimal), decimalContext()
	var cond apd.Condition
	var err error
	switch op {
	case "+":
		cond, err = c.Add(out, a, b)
	case "-":
		cond, err = c.Sub(out, a, b)
	case "*":
		cond, err = c.Mul(out, a, b)
	default:
		if b.IsZero() {
			return nil, false
		}
		switch op {
		case "/":
			cond, err = c.Quo(out, a, b)
			out.Reduce(out)
		case "div":
			cond, err = c.QuoInteger(out, a, b)
		default:
			cond, err = c.Rem(out, a, b)
		}
	}
	return finiteResult(out, cond, err)
}
