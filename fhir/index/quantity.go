package index

import (
	"strings"

	"github.com/cockroachdb/apd/v3"

	"carerecord/fhir/path"
	"carerecord/store"
)

// amount is a stored number or quantity: a point, whose ends are equal, or an interval, with its
// unit.
type amount struct {
	lo, hi             string
	system, code, text string
	highCode           string // of the upper end, if its unit differs
	inBase             baseAmount
}

// amountOf reads a number, quantity, Range, Money or SampledData.
func amountOf(v path.Value) (amount, bool) {
	switch v.Type {
	case "decimal", "integer", "positiveInt", "unsignedInt":
		d, err := parseDecimal(v.Text())
		if err != nil {
			return amount{}, false
		}
		lo, hi := d.encode()
		return amount{lo: lo, hi: hi}, true
	case "Quantity", "Age", "Count", "Distance", "Duration":
		return quantityOf(v)
	case "Money":
		a, ok := numberIn(v, "value")
		a.code = v.GetText("currency")
		if a.code != "" {
			a.system = "urn:iso:std:iso:4217"
		}
		return a, ok
	case "Range":
		return rangeOf(v)
	case "SampledData":
		return rangeOfSamples(v)
	case "Extension":
		if inner, ok := v.Choice("value"); ok {
			return amountOf(inner)
		}
	}
	return amount{}, false
}

func numberIn(v path.Value, name string) (amount, bool) {
	n, ok := v.Get(name)
	if !ok {
		return amount{}, false
	}
	return amountOf(n)
}

// quantityOf reads a quantity. One with a comparator is an interval that is open on one side
// (SRCH-088).
func quantityOf(v path.Value) (amount, bool) {
	a, ok := numberIn(v, "value")
	switch v.GetText("comparator") {
	case "<", "<=":
		a.lo = lowest
	case ">", ">=":
		a.hi = highest
	}
	a.system, a.code, a.text = v.GetText("system"), v.GetText("code"), v.GetText("unit")
	return a, ok
}

func rangeOf(v path.Value) (amount, bool) {
	a := amount{lo: lowest, hi: highest}
	found := false
	if high, ok := v.Get("high"); ok {
		if q, ok := quantityOf(high); ok {
			a, found = q, true
			a.lo = lowest
		}
	}
	if low, ok := v.Get("low"); ok {
		if q, ok := quantityOf(low); ok {
			q.hi = a.hi
			if q.system == "" && q.code == "" {
				q.system, q.code = a.system, a.code
			} else if a.system == q.system && a.code != q.code {
				q.highCode = a.code
			}
			a, found = q, true
		}
	}
	if a.hi < a.lo && a.highCode == "" {
		a.lo, a.hi = a.hi, a.lo
	}
	return a, found
}

// rangeOfSamples returns the interval from the smallest to the largest sample.
func rangeOfSamples(v path.Value) (amount, bool) {
	origin, ok := v.Get("origin")
	if !ok {
		return amount{}, false
	}
	a, _ := quantityOf(origin)
	a.lo, a.hi = highest, lowest
	zero, factor := apd.New(0, 0), apd.New(1, 0)
	if _, _, err := zero.SetString(origin.GetText("value")); err != nil {
		return amount{}, false
	}
	if f := v.GetText("factor"); f != "" {
		if _, _, err := factor.SetString(f); err != nil {
			return amount{}, false
		}
	}
	arithmetic := apd.BaseContext.WithPrecision(3 * numberDigits)
	for word := range strings.FieldsSeq(v.GetText("data")) {
		sample, _, err := apd.NewFromString(word)
		if err != nil || sample.Form != apd.Finite {
			continue // E, L and U: error, below and above the limits
		}
		_, mulErr := arithmetic.Mul(sample, sample, factor)
		_, addErr := arithmetic.Add(sample, sample, zero)
		d, err := parseDecimal(sample.Text('E'))
		if mulErr != nil || addErr != nil || err != nil {
			continue
		}
		lo, hi := d.encode()
		a.lo, a.hi = min(a.lo, lo), max(a.hi, hi)
	}
	return a, a.lo <= a.hi
}

// numberKeys adds the keys of a number without its unit.
func (b *builder) numberKeys(number uint16, a amount) {
	b.numberKey(number, classNumber, a)
	if a.lo != a.hi {
		b.add(number, classNumberEnd, a.hi, a.lo)
	}
}

// unitKeys adds the keys of a quantity with its unit: a driving key in base units, and verifying
// keys. A unit that is converted has no key of system and code.
func (b *builder) unitKeys(number uint16, a amount) {
	if c := a.inBase; c.dimension != "" {
		b.numberKey(number, classCanonical, amount{lo: c.lo, hi: c.hi}, c.dimension)
		if c.lo != c.hi {
			b.add(number, classCanonicalEnd, c.dimension, "\x00", c.hi, c.lo)
		}
	}
	number |= verifies
	if a.system != "" {
		b.numberKey(number, classUnitSystem, a, a.system)
	}
	if a.system != "" && a.code != "" && a.inBase.dimension == "" {
		b.numberKey(number, classUnit, a, a.system, a.code)
	}
	if a.code != "" {
		b.numberKey(number, classUnitText, a, a.code)
	}
	if a.text != "" && a.text != a.code {
		b.numberKey(number, classUnitText, a, a.text)
	}
}

const (
	pointMark    = "p"
	intervalMark = "v"
)

// numberKey adds one key: each name and a zero byte, then p and the point, or v and both ends.
func (b *builder) numberKey(number uint16, class byte, a amount, names ...string) {
	b.begin(number, class)
	for _, name := range names {
		b.buf = append(append(b.buf, name...), 0)
	}
	if a.lo == a.hi {
		b.buf = append(append(b.buf, pointMark...), a.lo...)
	} else {
		b.buf = append(append(append(b.buf, intervalMark...), a.lo...), a.hi...)
	}
	b.end()
}

// quantityPred compares numbers and quantities.
func (x *Indexer) quantityPred(p *param, value string) (store.Pred, error) {
	parts, err := splitBars(value)
	if err != nil {
		return nil, err
	}
	if len(parts) != 1 && (len(parts) != 3 || p.Kind != Quantity) {
		return nil, fault("value", "%s: %q is not a number%s.", p.Code, value, map[bool]string{true: ", or number|system|code"}[p.Kind == Quantity])
	}
	op, text := comparator(parts[0])
	n, err := parseNumberQuery(text)
	if err != nil {
		return nil, fault("value", "%s: %q %s.", p.Code, text, err)
	}
	if len(parts) == 3 && parts[1] == ucumSystem {
		if unit, ok := x.units.of(parts[2]); ok {
			return p.canonicalSpans(unit.Dimension(), n.bounds(op, false, scale{unit, true})), nil // SRCH-087
		}
	}
	limits := n.bounds(op, p.integersOnly, scale{})
	drive := p.numberSpans(limits)
	if len(parts) == 1 || parts[1] == "" && parts[2] == "" {
		return drive, nil
	}
	return store.And{drive, p.unitSpans(parts[1], parts[2], limits)}, nil
}

// unitSpans verifies a value with its unit as written.
func (p *param) unitSpans(system, code string, limits []bounds) store.Pred {
	number := p.number | verifies
	var under store.Key
	switch {
	case code == "":
		under = prefix(number, classUnitSystem) + store.Key(system+"\x00")
	case system == "":
		under = prefix(number, classUnitText) + store.Key(code+"\x00")
	default:
		under = prefix(number, classUnit) + store.Key(system+"\x00"+code+"\x00")
	}
	verify := make([]store.Pred, len(limits))
	for i, l := range limits {
		verify[i] = l.span(under, numberWidth, nil)
	}
	return anyOf(verify...)
}

func (p *param) numberSpans(limits []bounds) store.Pred {
	return intervalPreds(prefix(p.number, classNumber), prefix(p.number, classNumberEnd), limits)
}

func (p *param) canonicalSpans(dimension string, limits []bounds) store.Pred {
	of := store.Key(dimension + "\x00")
	return intervalPreds(prefix(p.number, classCanonical)+of, prefix(p.number, classCanonicalEnd)+of, limits)
}

// intervalPreds returns the predicate that one of some bounds holds, over keys with p and a point
// or v and an interval, and over the keys of intervals by their end.
func intervalPreds(under, byEnd store.Key, limits []bounds) store.Pred {
	preds := make([]store.Pred, len(limits))
	for i, b := range limits {
		low, high := max(b.loMin, b.hiMin), b.loMax
		if b.hiMax != "" && (high == "" || b.hiMax < high) {
			high = b.hiMax
		}
		preds[i] = b.span(under, numberWidth, []store.Range{
			rangeUnder(under+pointMark, numberWidth, low, high),
			b.intervals(under+intervalMark, byEnd, numberWidth),
		})
	}
	return anyOf(preds...)
}
