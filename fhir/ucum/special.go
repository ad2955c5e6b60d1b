package ucum

import (
	"math/big"

	"github.com/cockroachdb/apd/v3"
)

// function says what a special unit is: from a number of it, times its scale, to
// how much it is of the unit in its definition (UCUM section 2.3, the inverse of
// the functions that the tables there print).
type function struct {
	kind  byte     // + shift, ^ power, 2 square, a arc tangent
	shift *big.Rat // +: what is added
	base  int64    // ^: what is raised, 0 for e
	times *big.Rat // ^: by what the exponent is multiplied, negative where it falls
	falls bool
}

// functions are those of units.tsv, by name.
func functions() map[string]function {
	shift := func(s string) function {
		r, _ := new(big.Rat).SetString(s)
		return function{kind: '+', shift: r}
	}
	power := func(base, num, den int64) function {
		return function{kind: '^', base: base, times: big.NewRat(num, den), falls: num < 0}
	}
	return map[string]function{
		"cel":         shift("273.15"),
		"degf":        shift("459.67"),
		"degre":       shift("218.52"),
		"lg":          power(10, 1, 1),
		"lgtimes2":    power(10, 1, 2),
		"ln":          power(0, 1, 1),
		"ld":          power(2, 1, 1),
		"ph":          power(10, -1, 1),
		"hpx":         power(10, -1, 1),
		"hpc":         power(100, -1, 1),
		"hpm":         power(1000, -1, 1),
		"hpq":         power(50000, -1, 1),
		"sqrt":        {kind: '2'},
		"tantimes100": {kind: 'a'},
	}
}

const (
	// widest is the exponent of the largest and, negated, of the smallest number
	// that a special unit computes with.
	widest = 400
	// highest is the exponent of the largest power that is computed; spare is more
	// than the exponent of any factor.
	highest, spare = 5_000_000, 10_000
	// precision is that of the arithmetic, sure how many of its digits are right.
	precision, sure = 90, 60
)

// specially is Canonical of a special unit.
func (u Unit) specially(v Number) (low, high *Number) {
	if v.Coefficient.Sign() != 0 {
		switch size := len(v.Coefficient.Text(10)) + v.Exponent; {
		case size > widest:
			return u.between(v.Coefficient.Sign() > 0, Number{big.NewInt(int64(v.Coefficient.Sign())), widest})
		case size < -widest:
			zero := u.at(new(big.Rat))
			near := u.at(exactly(Number{big.NewInt(int64(v.Coefficient.Sign())), -widest}))
			return least(zero.low, near.low), most(zero.high, near.high)
		}
	}
	at := u.at(exactly(v))
	return at.low, at.high
}

// between is what lies between a number and the end of the number line.
func (u Unit) between(above bool, v Number) (low, high *Number) {
	at := u.at(exactly(v))
	first, last := u.Ends()
	if above != u.Falls() {
		return at.low, last
	}
	return first, at.high
}

func exactly(v Number) *big.Rat {
	num, den := new(big.Int).Set(v.Coefficient), big.NewInt(1)
	scale(num, den, v.Exponent)
	return new(big.Rat).SetFrac(num, den)
}

type ends struct{ low, high *Number }

// at is the function of a number of the unit, in base units.
func (u Unit) at(v *big.Rat) ends {
	v = new(big.Rat).Mul(v, u.scale)
	switch f := u.special; f.kind {
	case '+':
		v.Add(v, f.shift)
	case '2':
		if v.Sign() < 0 {
			v.SetInt64(0)
		}
		v.Mul(v, v)
	case 'a':
		if v.Sign() != 0 {
			return about(decimalRat(arcTangent(ratDecimal(v.Quo(v, big.NewRat(100, 1))))), u.factor, 0)
		}
	default:
		return f.power(v, u.factor)
	}
	return round(v.Mul(v, u.factor), 0)
}

// power raises the base, and multiplies by a factor.
func (f *function) power(v, factor *big.Rat) ends {
	v.Mul(v, f.times)
	if v.IsInt() && f.base != 0 && v.Num().BitLen() < 12 {
		return round(new(big.Rat).Mul(raise(big.NewRat(f.base, 1), int(v.Num().Int64())), factor), 0)
	}
	if v.Sign() == 0 {
		return round(factor, 0)
	}
	c := apd.BaseContext.WithPrecision(precision)
	ten, exponent, whole := apd.New(10, 0), new(apd.Decimal), new(apd.Decimal)
	must(c.Mul(exponent, ratDecimal(v), f.lg(c)))
	must(c.Floor(whole, exponent))
	n, err := whole.Int64()
	if err != nil || n > highest || n < -highest {
		if exponent.Negative {
			return ends{&Number{new(big.Int), 0}, &Number{big.NewInt(1), spare - highest}}
		}
		return ends{&Number{big.NewInt(1), highest - spare}, nil}
	}
	fraction := new(apd.Decimal)
	must(c.Sub(fraction, exponent, whole))
	must(c.Pow(fraction, ten, fraction))
	return about(decimalRat(fraction), factor, int(n))
}

// lg is the logarithm of the base to ten.
func (f *function) lg(c *apd.Context) *apd.Decimal {
	out := new(apd.Decimal)
	if f.base == 0 {
		must(c.Ln(out, apd.New(10, 0)))
		must(c.Quo(out, apd.New(1, 0), out))
		return out
	}
	must(c.Log10(out, apd.New(f.base, 0)))
	return out
}

// ends are the values of the function at the ends of the number line.
func (f *function) ends(factor *big.Rat) (least, most *Number) {
	zero := &Number{new(big.Int), 0}
	switch {
	case f.kind == '2', f.kind == '^':
		return zero, nil
	case f.kind == 'a':
		right := about(decimalRat(arcTangent(apd.New(1, 0))), new(big.Rat).Mul(factor, big.NewRat(2, 1)), 0)
		return right.high.negated(), right.high
	}
	return nil, nil
}

// arcTangent halves the angle until the series is short.
func arcTangent(x *apd.Decimal) *apd.Decimal {
	c := apd.BaseContext.WithPrecision(precision)
	one, halvings, sum, square := apd.New(1, 0), 12, new(apd.Decimal), new(apd.Decimal)
	x = new(apd.Decimal).Set(x)
	for range halvings {
		root := new(apd.Decimal)
		must(c.Mul(root, x, x))
		must(c.Add(root, root, one))
		must(c.Sqrt(root, root))
		must(c.Add(root, root, one))
		must(c.Quo(x, x, root))
	}
	must(c.Mul(square, x, x))
	power, term := new(apd.Decimal).Set(x), new(apd.Decimal)
	for n := int64(1); n < 40; n += 2 {
		must(c.Quo(term, power, apd.New(n, 0)))
		if n%4 == 3 {
			term.Negative = !term.Negative
		}
		must(c.Add(sum, sum, term))
		must(c.Mul(power, power, square))
	}
	must(c.Mul(sum, sum, apd.New(1<<halvings, 0)))
	return sum
}

// must is for arithmetic that cannot fail with the numbers that reach it.
func must(_ apd.Condition, err error) {
	if err != nil {
		panic("ucum: " + err.Error())
	}
}

func round(r *big.Rat, exponent int) ends {
	low, high := outward(r, exponent)
	return ends{low, high}
}

// about rounds a computed number outward by more than its error.
func about(r, factor *big.Rat, exponent int) ends {
	r = new(big.Rat).Mul(r, factor)
	margin := new(big.Rat).SetFrac(big.NewInt(1), pow10(sure))
	margin.Mul(margin, new(big.Rat).Abs(r))
	low, _ := outward(new(big.Rat).Sub(r, margin), exponent)
	_, high := outward(new(big.Rat).Add(r, margin), exponent)
	return ends{low, high}
}

func decimalRat(d *apd.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.Text('E'))
	if !ok {
		panic("ucum: arithmetic made no number")
	}
	return r
}

// ratDecimal gives a rational number precision digits.
func ratDecimal(r *big.Rat) *apd.Decimal {
	num, den := apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(r.Num()), 0), apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(r.Denom()), 0)
	out := new(apd.Decimal)
	must(apd.BaseContext.WithPrecision(precision).Quo(out, num, den))
	return out
}

func least(a, b *Number) *Number { return pick(a, b, -1) }
func most(a, b *Number) *Number  { return pick(a, b, 1) }

func pick(a, b *Number, sign int) *Number {
	if exactly(*a).Cmp(exactly(*b)) == sign {
		return a
	}
	return b
}
