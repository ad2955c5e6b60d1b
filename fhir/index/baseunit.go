package index

import (
	"math/big"
	"strings"
	"sync"

	"carerecord/fhir/ucum"
)

const ucumSystem = "http://unitsofmeasure.org"

// baseAmount is an amount in base units. The dimension is empty if the unit cannot be converted.
type baseAmount struct {
	dimension, lo, hi string
}

// maxUnits bounds unitCache: clients may write any text as a code.
const maxUnits = 10_000

// unitCache caches parsed UCUM codes. It is safe for concurrent use.
type unitCache struct {
	mu    sync.RWMutex
	known map[string]*ucum.Unit // nil for a code that is not a unit
}

// of returns the unit of a UCUM code. It returns false for a code that is compared as written.
func (c *unitCache) of(code string) (ucum.Unit, bool) {
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

// convert returns an amount in base units, each end converted by its own unit.
func (c *unitCache) convert(a amount) baseAmount {
	if a.system != ucumSystem || a.code == "" {
		return baseAmount{}
	}
	low, ok := c.of(a.code)
	if !ok {
		return baseAmount{}
	}
	high := low
	if a.highCode != "" {
		if high, ok = c.of(a.highCode); !ok || high.Dimension() != low.Dimension() || high.Falls() != low.Falls() {
			return baseAmount{}
		}
	}
	lo, lo2 := convertEnd(low, a.lo)
	if a.lo == a.hi && a.highCode == "" {
		return baseAmount{low.Dimension(), lo, lo2}
	}
	hi, hi2 := convertEnd(high, a.hi)
	return baseAmount{low.Dimension(), min(lo, hi), max(lo2, hi2)}
}

// withBase returns an amount with its inBase set.
func (b *builder) withBase(a amount, units *unitCache) amount {
	known := b.lastConverted
	if known.inBase = (baseAmount{}); known != a {
		b.lastConverted = a
		b.lastConverted.inBase = units.convert(a)
	}
	return b.lastConverted
}

// convertEnd converts one encoded end of an amount.
func convertEnd(u ucum.Unit, encoded string) (lo, hi string) {
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
	lo, hi = encodeLimit(least, lowest), encodeLimit(most, highest)
	if (encoded == lowest) != u.Falls() {
		return lo, lo
	}
	return hi, hi
}

func encodeLimit(n *ucum.Number, open string) string {
	if n == nil {
		return open
	}
	lo, _ := scale{}.encode(n.Coefficient, n.Exponent)
	return lo
}

// scale selects whether a query compares a number as written or in base units.
type scale struct {
	unit     ucum.Unit
	converts bool
}

func (s scale) decreases() bool { return s.converts && s.unit.Falls() }

// encode returns the two encoded numbers between which a coefficient times ten to the exponent
// lies.
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

// decimalOf returns a coefficient times ten to the exponent as a decimal.
func decimalOf(coefficient *big.Int, exponent int) decimal {
	text := new(big.Int).Abs(coefficient).Text(10)
	d := decimal{negative: coefficient.Sign() < 0, digits: strings.TrimRight(text, "0"), exponent: exponent + len(text)}
	if coefficient.Sign() == 0 {
		return decimal{}
	}
	return d
}

// decode is the inverse of encode, except for the ends of the number line.
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
