package path

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/cockroachdb/apd/v3"
)

// conversionFunctions looks up toX and convertsToX (FHIRPath 5.5), and the functions of types.
func conversionFunctions(name string) (function, bool) {
	switch name {
	case "is", "as", "ofType":
		return function{1, 1, func(_ *runner, c call) []Item { return applyTypeOperator(c.name, c.in, typeArg(c.args[0])) }}, true
	case "type":
		return function{0, 0, func(_ *runner, c call) []Item {
			var out []Item
			for _, it := range c.in {
				space, name := "FHIR", it.Type
				if it.kind != element {
					space, name = "System", it.kind.name()
				}
				out = append(out, Item{kind: typeInfo, Value: Value{text: space, nodeIndex: -1}, unit: name})
			}
			return out
		}}, true
	}
	to, test := strings.CutPrefix(name, "convertsTo")
	if !test {
		var ok bool
		if to, ok = strings.CutPrefix(name, "to"); !ok {
			return function{}, false
		}
	}
	convert := converter(to)
	if convert == nil {
		return function{}, false
	}
	maxArgs := 0
	if to == "Quantity" {
		maxArgs = 1
	}
	return function{0, maxArgs, func(r *runner, c call) []Item {
		in, ok := r.singleton(c.in)
		if len(c.in) == 0 {
			return nil
		}
		var out Item
		if ok {
			out, ok = convert(in)
		}
		if unit, given := r.singleString(c.arg(r, 0)); given {
			ok = ok && out.unit == unit
		}
		switch {
		case test:
			return []Item{boolItem(ok)}
		case !ok:
			return nil
		}
		return []Item{out}
	}}, true
}

// converter returns the conversion to a System type, nil for none.
func converter(to string) func(Item) (Item, bool) {
	switch to {
	case "Boolean":
		return toBoolean
	case "Integer":
		return toInteger
	case "Decimal":
		return toDecimal
	case "String":
		return func(it Item) (Item, bool) { return textItem(it.String()), it.kind != typeInfo }
	case "Date":
		return func(it Item) (Item, bool) { return toMoment(it, date) }
	case "DateTime":
		return func(it Item) (Item, bool) { return toMoment(it, dateTime) }
	case "Time":
		return func(it Item) (Item, bool) { return toMoment(it, timeOfDay) }
	case "Quantity":
		return toQuantity
	}
	return nil
}

func toBoolean(it Item) (Item, bool) {
	switch {
	case it.kind == boolean:
		return it, true
	case it.numeric() && it.num.Cmp(apd.New(1, 0)) == 0:
		return boolItem(true), true
	case it.numeric() && it.num.IsZero():
		return boolItem(false), true
	case it.kind == text:
		switch strings.ToLower(it.text) {
		case "true", "t", "yes", "y", "1", "1.0":
			return boolItem(true), true
		case "false", "f", "no", "n", "0", "0.0":
			return boolItem(false), true
		}
	}
	return it, false
}

func toInteger(it Item) (Item, bool) {
	switch {
	case it.kind == integer:
		return it, true
	case it.kind == boolean && it.boolean:
		return intItem(1), true
	case it.kind == boolean:
		return intItem(0), true
	case it.kind == text && isNumber(it.text, false):
		d, ok := parseDecimal(it.text)
		return Item{kind: integer, num: d}, ok
	}
	return it, false
}

func toDecimal(it Item) (Item, bool) {
	switch {
	case it.numeric():
		return decimalItem(it.num), true
	case it.kind == boolean:
		n, _ := toInteger(it)
		return decimalItem(n.num), true
	case it.kind == text && isNumber(it.text, true):
		d, ok := parseDecimal(it.text)
		return decimalItem(d), ok
	}
	return it, false
}

// isNumber reports whether s is an optional sign and digits, with point also a fraction.
func isNumber(s string, point bool) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-")
	whole, fraction, found := strings.Cut(s, ".")
	return countDigits(whole) == len(whole) && whole != "" && (!found || point && fraction != "" && countDigits(fraction) == len(fraction))
}

func toMoment(it Item, to kind) (Item, bool) {
	m := it.moment
	switch {
	case it.kind == text:
		s := it.text
		if to == timeOfDay {
			s = "T" + strings.TrimPrefix(s, "T")
		}
		var ok bool
		if m, ok = parseMoment(s); !ok {
			return it, false
		}
	case it.kind == to:
		return it, true
	case !it.temporal() || to == timeOfDay || it.kind == timeOfDay:
		return it, false
	}
	switch {
	case m.isTimeOfDay != (to == timeOfDay):
		return it, false
	case to == date && it.kind == text && m.known > 3:
		return it, false
	case to == date:
		m.known, m.nanos, m.fractionDigits, m.hasZone, m.zoneMinutes = min(m.known, 3), 0, 0, false, 0
	}
	m.isDate = to == date
	return momentItem(m), true
}

var quantityForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-zA-Z]+))?$`)
})

func toQuantity(it Item) (Item, bool) {
	switch {
	case it.kind == quantity:
		return it, true
	case it.numeric() || it.kind == boolean:
		d, _ := toDecimal(it)
		return quantityItem(d.num, "1", false), true
	case it.kind != text:
		return it, false
	}
	m := quantityForm().FindStringSubmatch(it.text)
	if m == nil || m[3] != "" && calendarUnit(m[3]) == "" {
		return it, false
	}
	d, ok := parseDecimal(m[1])
	switch {
	case m[3] != "":
		return quantityItem(d, m[3], true), ok
	case m[2] != "":
		return quantityItem(d, m[2], false), ok
	}
	return quantityItem(d, "1", false), ok
}

// trimSpace removes white space at both ends.
func trimSpace(s string) string { return strings.TrimFunc(s, unicode.IsSpace) }
