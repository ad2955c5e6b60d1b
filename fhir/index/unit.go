package index

import (
	"math/big"
	"strings"
	"sync"

	"carerecord/fhir/ucum"
)

const ucumSystem = "http://unitsofmeasure.org"

// canonical is an amount in the base units of what its unit measures; the
// dimension is empty where there is no such unit.
type canonical struct {
	dimension, lo, hi string
}

// maxUnits is how many codes unitCodes remembers. What clients write into codes
// is not bounded.
const maxUnits = 10_000

// unitCodes remembers what codes of units were parsed to. It is safe for
// concurrent use.
type unitCodes struct {
	mu    sync.RWMutex
	known map[string]*ucum.Unit // nil for what is no unit
}

// of returns the unit of a UCUM code; false for a code that is compared
// literally.
func (c *unitCodes) of(code string) (ucum.Unit, bool) {
	c.mu.RLock()
	u, found := c.known[code]
	c.mu.RUnlock()
	if !found {
		if parsed, err := ucum.Parse(code); err == nil {
			u = &parsed
		}
		c.mu.Lock()
		if len(c.known) < maxUnits {
			c.known[strings.Clone(code)] = u
		}
		c.mu.Unlock()
	}
	if u == nil {
		return ucum.Unit{}, false
	}
	return *u, true
}

// convert returns an amount in base units, both ends by their own unit.
func (c *unitCodes) convert(a amount) canonical {
	if a.system != ucumSystem || a.code == "" {
		return canonical{}
	}
	low, ok := c.of(a.code)
	if !ok {
		return canonical{}
	}
	high := low
	if a.highCode != "" {
		if high, ok = c.of(a.highCode); !ok || high.Dimension() != low.Dimension() || high.Falls() != low.Falls() {
			return canonical{}
		}
	}
	lo, lo2 := end(low, a.lo)
	if a.lo == a.hi && a.highCode == "" {
		return canonical{low.Dimension(), lo, lo2}
	}
	hi, hi2 := end(high, a.hi)
	return canonical{low.Dimension(), min(lo, hi), max(lo2, hi2)}
}

// converted is an amount with its canonical one.
func (b *builder) converted(a amount, units *unitCodes) amount {
	known := b.last
	if known.canonical = (canonical{}); known != a {
		b.last = a
		b.last.canonical = units.convert(a)
	}
	return b.last
}

// end converts one encoded end of an amount.
func end(u ucum.Unit, encoded string) (lo, hi string) {
	on := scale{unit: u, converts: true}
	if encoded != lowest && encoded != highest {
		d := decode(encoded)
		n, ok := new(big.Int).SetString("0"+d.digits, 10)
		if !ok {
			panic("index: an encoded number without digits")
		}
		if d.negative {
			n.Neg(n)
		}
		return on.encode(n, d.exponent-len(d.digits))
	}
	least, most := u.Ends()
	lo, hi = encodeEnd(least, lowest), encodeEnd(most, highest)
	if (encoded == lowest) != u.Falls() {
		return lo, lo
	}
	return hi, hi
}

func encodeEnd(n *ucum.Number, open string) string {
	if n == nil {
		return open
	}
	lo, _ := scale{}.encode(n.Coefficient, n.Exponent)
	return lo
}

// scale says how a number of a query is held in keys: as it is, or in base units.
type scale struct {
	unit     ucum.Unit
	converts bool
}

func (s scale) falls() bool { return s.converts && s.unit.Falls() }

// encode returns the encoded numbers that a coefficient times ten to the exponent
// lies between.
func (s scale) encode(coefficient *big.Int, exponent int) (lo, hi string) {
	if !s.converts {
		return decimalOf(coefficient, exponent).encode()
	}
	low, high := s.unit.Canonical(ucum.Number{Coefficient: coefficient, Exponent: exponent})
	lo, hi = lowest, highest
	if low != nil {
		lo, _ = decimalOf(low.Coefficient, low.Exponent).encode()
	}
	if high != nil {
		_, hi = decimalOf(high.Coefficient, high.Exponent).encode()
	}
	return lo, hi
}

// decimalOf makes a decimal of a coefficient times ten to the exponent.
func decimalOf(coefficient *big.Int, exponent int) decimal {
	text := new(big.Int).Abs(coefficient).Text(10)
	d := decimal{negative: coefficient.Sign() < 0, digits: strings.TrimRight(text, "0"), exponent: exponent + len(text)}
	if coefficient.Sign() == 0 {
		return decimal{}
	}
	return d
}

// decode is the opposite of encode, for what is not an end of the number line.
func decode(s string) decimal {
	negative := s[0] < headZero>>16
	if negative {
		s = complement(s)
	}
	head := int(s[0])<<16 | int(s[1])<<8 | int(s[2])
	if head == headZero {
		return decimal{}
	}
	digits := make([]byte, 0, numberDigits)
	for i := 3; i < numberWidth; i++ {
		digits = append(digits, '0'+s[i]/10, '0'+s[i]%10)
	}
	return decimal{negative, strings.TrimRight(string(digits), "0"), head - headZero - headShift}
}
