package ucum

import (
	"cmp"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// baseUnits are the base units of UCUM, in the order of Unit.dims.
var baseUnits = [7]string{"m", "s", "g", "rad", "K", "C", "cd"}

// Faults of a code. Parse adds nothing to them: a caller that wants to compare
// the code literally needs no reason.
var (
	errGrammar = errors.New("ucum: not a unit code")
	errUnknown = errors.New("ucum: no such unit")
	errSpecial = errors.New("ucum: a special unit within a product or power")
	errLarge   = errors.New("ucum: unit too large")
)

// maxBits is how large numerator and denominator of a factor may get.
const maxBits = 20_000

// Unit is a unit of measure, made by Parse. The zero Unit is not valid.
type Unit struct {
	dims      [7]int   // exponents of the base units
	arbitrary []power  // of arbitrary units, by code, none of them zero
	factor    *big.Rat // how much of the base units it is
	special   *function
	scale     *big.Rat // of a special unit: 1/10 for dB
}

// power is an arbitrary unit with its exponent.
type power struct {
	code     string
	exponent int
}

// one is the unit 1.
func one() Unit { return Unit{factor: big.NewRat(1, 1)} }

// Dimension returns the dimension of the unit as a product of base and arbitrary units: m-3.g of mg/dL, 1 of a number. Units with the same Dimension are
// commensurable.
func (u Unit) Dimension() string {
	var b strings.Builder
	add := func(code string, exponent int) {
		if exponent == 0 {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(code)
		if exponent != 1 {
			b.WriteString(strconv.Itoa(exponent))
		}
	}
	for i, exponent := range u.dims {
		add(baseUnits[i], exponent)
	}
	for _, p := range u.arbitrary {
		add(p.code, p.exponent)
	}
	if b.Len() == 0 {
		return "1"
	}
	return b.String()
}

// Special reports whether the unit has a function instead of a factor.
func (u Unit) Special() bool { return u.special != nil }

// Falls reports whether the unit decreases in base units: more [pH] is less mol/L.
func (u Unit) Falls() bool { return u.special != nil && u.special.falls }

// times multiplies by a unit raised to an exponent of 1 or -1.
func (u Unit) times(v Unit, exponent int) (Unit, error) {
	if u.special != nil || v.special != nil {
		return u.withSpecial(v, exponent)
	}
	out := Unit{arbitrary: merge(u.arbitrary, v.arbitrary, exponent)}
	for i := range u.dims {
		out.dims[i] = u.dims[i] + exponent*v.dims[i]
	}
	factor := v.factor
	if exponent < 0 {
		factor = new(big.Rat).Inv(factor)
	}
	out.factor = new(big.Rat).Mul(u.factor, factor)
	if out.factor.Num().BitLen() > maxBits || out.factor.Denom().BitLen() > maxBits {
		return Unit{}, errLarge
	}
	return out, nil
}

// withSpecial accepts a special unit whose other factors are all 1.
func (u Unit) withSpecial(v Unit, exponent int) (Unit, error) {
	switch {
	case u.isOne() && exponent == 1:
		return v, nil
	case v.isOne():
		return u, nil
	}
	return Unit{}, errSpecial
}

func (u Unit) isOne() bool {
	return u.special == nil && u.dims == [7]int{} && len(u.arbitrary) == 0 && u.factor.Cmp(big.NewRat(1, 1)) == 0
}

// to raises the unit to an exponent.
func (u Unit) to(exponent int) (Unit, error) {
	if u.special != nil {
		if exponent == 1 {
			return u, nil
		}
		return Unit{}, errSpecial
	}
	if max(u.factor.Num().BitLen(), u.factor.Denom().BitLen())*max(exponent, -exponent) > maxBits {
		return Unit{}, errLarge
	}
	out := Unit{factor: raise(u.factor, exponent), arbitrary: merge(nil, u.arbitrary, exponent)}
	for i := range u.dims {
		out.dims[i] = exponent * u.dims[i]
	}
	return out, nil
}

func raise(r *big.Rat, exponent int) *big.Rat {
	e := big.NewInt(int64(max(exponent, -exponent)))
	num, den := new(big.Int).Exp(r.Num(), e, nil), new(big.Int).Exp(r.Denom(), e, nil)
	if exponent < 0 {
		num, den = den, num
	}
	return new(big.Rat).SetFrac(num, den)
}

// prefixed is the unit with a prefix before it.
func (u Unit) prefixed(by *big.Rat) Unit {
	if u.special != nil {
		u.scale = new(big.Rat).Mul(u.scale, by)
		return u
	}
	u.factor = new(big.Rat).Mul(u.factor, by)
	return u
}

// merge adds exponents, those of b multiplied.
func merge(a, b []power, by int) []power {
	out := slices.Clone(a)
	for _, p := range b {
		i, found := slices.BinarySearchFunc(out, p.code, func(q power, code string) int { return cmp.Compare(q.code, code) })
		if !found {
			out = slices.Insert(out, i, power{p.code, 0})
		}
		out[i].exponent += by * p.exponent
	}
	return slices.DeleteFunc(out, func(p power) bool { return p.exponent == 0 })
}
