package ucum

import "math/big"

// Digits is the greatest number of digits of a canonical value.
const Digits = 34

// Number is Coefficient times ten to the Exponent.
type Number struct {
	Coefficient *big.Int
	Exponent    int
}

// Canonical returns the two numbers of at most Digits digits between which a value lies in base
// units. They are equal if the value is such a number. The coefficient of v should have no more than
// some hundred digits.
//
// A value for which a special unit is not defined is replaced by the nearest for which it is. If a
// value is too large to be computed, low or high is nil, which is the end of the number line.
func (u Unit) Canonical(v Number) (low, high *Number) {
	if u.special != nil {
		return u.specially(v)
	}
	r := new(big.Rat).SetInt(v.Coefficient)
	return outward(r.Mul(r, u.factor), v.Exponent)
}

// Ends returns the canonical values of the ends of the number line of the unit,
// nil for those of the base units' own.
func (u Unit) Ends() (least, most *Number) {
	if u.special == nil {
		return nil, nil
	}
	return u.special.ends(u.factor)
}

// outward rounds r times ten to the exponent down and up.
func outward(r *big.Rat, exponent int) (low, high *Number) {
	if r.Sign() == 0 {
		zero := &Number{new(big.Int), 0}
		return zero, zero
	}
	num, den := new(big.Int).Abs(r.Num()), new(big.Int).Set(r.Denom())
	shift := Digits - len(num.Text(10)) + len(den.Text(10)) // the quotient has Digits of digits, or one more
	scale(num, den, shift)
	q, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if len(q.Text(10)) > Digits {
		shift--
		scale(num, den, -1)
		q, rest = q.QuoRem(num, den, rest)
	}
	below := &Number{q, exponent - shift}
	above := below
	if rest.Sign() != 0 {
		above = &Number{new(big.Int).Add(q, big.NewInt(1)), exponent - shift}
	}
	if r.Sign() < 0 {
		below, above = above.negated(), below.negated()
	}
	return below, above
}

// scale multiplies the fraction by ten to the n.
func scale(num, den *big.Int, n int) {
	if n >= 0 {
		num.Mul(num, pow10(n))
	} else {
		den.Mul(den, pow10(-n))
	}
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func (n *Number) negated() *Number { return &Number{new(big.Int).Neg(n.Coefficient), n.Exponent} }
