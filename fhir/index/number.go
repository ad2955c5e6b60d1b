package index

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// Numbers are encoded in numberWidth bytes that sort like the numbers: three for sign and
// exponent, then 34 digits, two in a byte. Zero is 0x800000 and no digits. A positive number has
// 0x800000 plus its exponent, shifted to be positive. A negative number is the complement of its
// opposite. There are no binary floats (SRCH-084). A number with more digits is an interval
// between two encoded numbers.
const (
	numberWidth  = 20
	numberDigits = 34
	headZero     = 0x800000
	headShift    = 0x3fffff
	maxExponent  = 4_000_000
)

// Ends of the number line.
const (
	lowest  = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	highest = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
)

var errNumber = errors.New("is not a decimal number")

// decimal is a decimal number: 0.DIGITS times ten to the exponent.
type decimal struct {
	negative bool
	digits   string // without zeros at either end; empty for zero
	exponent int
}

// parseDecimal reads a number of JSON, or of a query, which may have a +.
func parseDecimal(s string) (decimal, error) {
	var d decimal
	if s != "" && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	mantissa := s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		e, err := strconv.Atoi(s[i+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) || strings.HasPrefix(s[i+1:], "+-") {
			return d, errNumber
		}
		d.exponent = min(max(e, -1e9), 1e9)
	}
	whole, part, hasPoint := strings.Cut(mantissa, ".")
	if whole == "" || hasPoint && part == "" || !allDigits(whole) || !allDigits(part) {
		return d, errNumber
	}
	d.exponent += len(whole)
	d.digits = whole + part
	trimmed := strings.TrimLeft(d.digits, "0")
	d.exponent -= len(d.digits) - len(trimmed)
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}, nil
	}
	return d, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// encode returns the encoded numbers between which the number lies. They are equal if it has at
// most 34 digits.
func (d decimal) encode() (lo, hi string) {
	switch {
	case d.digits == "":
		lo = positive(0, "")
		return lo, lo
	case d.exponent > maxExponent:
		lo, hi = positive(maxExponent+1, "1"), highest
	case d.exponent < -maxExponent:
		lo, hi = positive(0, ""), positive(-maxExponent, "1")
	case len(d.digits) <= numberDigits:
		lo = positive(d.exponent, d.digits)
		hi = lo
	default:
		lo = positive(d.exponent, d.digits[:numberDigits])
		n, _ := new(big.Int).SetString(d.digits[:numberDigits], 10)
		next := n.Add(n, big.NewInt(1)).String()
		hi = positive(d.exponent+len(next)-numberDigits, next)
	}
	if d.negative {
		lo, hi = complement(hi), complement(lo)
	}
	return lo, hi
}

// positive encodes zero (no digits) and positive numbers.
func positive(exponent int, digits string) string {
	var b [numberWidth]byte
	head := headZero
	if digits != "" {
		head = headZero + headShift + exponent
	}
	b[0], b[1], b[2] = byte(head>>16), byte(head>>8), byte(head)
	for i := 0; i < len(digits) && i < numberDigits; i++ {
		if i%2 == 0 {
			b[3+i/2] = (digits[i] - '0') * 10
		} else {
			b[3+i/2] += digits[i] - '0'
		}
	}
	return string(b[:])
}

func complement(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = ^b[i]
	}
	return string(b)
}

// numberQuery is the number of a query in exact arithmetic: coefficient times ten to the exponent
// of its last written digit.
type numberQuery struct {
	coefficient *big.Int
	exponent    int
	oneDigit    bool // 1e2: one digit with an exponent
}

// maxNumber is the greatest length of a number in a query.
const maxNumber = 300

func parseNumberQuery(s string) (numberQuery, error) {
	if len(s) > maxNumber {
		return numberQuery{}, errNumber
	}
	if _, err := parseDecimal(s); err != nil {
		return numberQuery{}, err
	}
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	whole, part, _ := strings.Cut(mantissa, ".")
	c, ok := new(big.Int).SetString(whole+part, 10)
	if !ok {
		return numberQuery{}, errNumber
	}
	e := 0
	if hasExponent {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil {
			return numberQuery{}, errNumber
		}
	}
	e = min(max(e, -1e9), 1e9) // beyond every number in keys
	return numberQuery{c, e - len(part), hasExponent && len(strings.TrimLeft(whole, "+-"))+len(part) == 1}, nil
}

// shifted returns the encoded number whose coefficient is 10^n times that of the query plus c,
// and whose exponent is less by n, on a scale.
func (a numberQuery) shifted(c *big.Int, n int, on scale) (lo, hi string) {
	scaled := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	scaled.Mul(scaled, a.coefficient)
	return on.encode(scaled.Add(scaled, c), a.exponent-n)
}
