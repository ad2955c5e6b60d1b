package edit

import (
	"math/big"
	"strings"
)

// SameJSON reports whether two values are equal in the sense of RFC 6902, section 4.6: strings by
// their characters, numbers by value, arrays item by item, objects member by member in any order.
func SameJSON(a, b *Node) bool {
	if a.Kind != b.Kind || len(a.Items) != len(b.Items) {
		return false
	}
	switch a.Kind {
	case '"':
		return string(unquote(a.Raw)) == string(unquote(b.Raw))
	case '0':
		return sameNumber(string(a.Raw), string(b.Raw))
	}
	for i, item := range a.Items {
		other := b.Items[i]
		if a.Kind == '{' && a.Names[i] != b.Names[i] {
			if other = b.Get(a.Names[i]); other == nil {
				return false
			}
		}
		if !SameJSON(item, other) {
			return false
		}
	}
	return true
}

// sameNumber reports whether two JSON numbers have one value, without a limit of digits or exponent.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	negA, digitsA, expA := splitNumber(a)
	negB, digitsB, expB := splitNumber(b)
	if digitsA != digitsB {
		return false
	}
	return digitsA == "" || negA == negB && expA.Cmp(expB) == 0
}

// splitNumber returns a number as 0.digits times ten to the exponent. The digits have no zeros at
// either end; the number zero has no digits.
func splitNumber(s string) (negative bool, digits string, exponent *big.Int) {
	s, negative = strings.CutPrefix(s, "-")
	exponent = new(big.Int)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent.SetString(strings.TrimPrefix(s[i+1:], "+"), 10)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	exponent.Add(exponent, big.NewInt(int64(len(whole))))
	digits = whole + fraction
	trimmed := strings.TrimLeft(digits, "0")
	exponent.Sub(exponent, big.NewInt(int64(len(digits)-len(trimmed))))
	return negative, strings.TrimRight(trimmed, "0"), exponent
}
