package index_test

import (
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// ratios are what units are of another, by definitions outside of package ucum;
// shifts are added first.
var ratios = []struct {
	kind, code, ratio, shift string
}{
	{"mass", "g", "1", "0"}, {"mass", "mg", "1/1000", "0"}, {"mass", "kg", "1000", "0"}, {"mass", "[lb_av]", "45359237/100000", "0"}, {"mass", "[oz_av]", "45359237/1600000", "0"},
	{"length", "mm", "1", "0"}, {"length", "[Ch]", "1/3", "0"}, {"length", "[in_i]", "254/10", "0"}, {"length", "[ft_us]", "1200000/3937", "0"},
	{"temperature", "K", "1", "0"}, {"temperature", "Cel", "1", "273.15"}, {"temperature", "[degF]", "5/9", "459.67"}, {"temperature", "mK", "1/1000", "0"},
	{"count", "[iU]/L", "1", "0"}, {"count", "[IU]/mL", "1000", "0"},
}

// SRCH-020 for quantities with units (SRCH-087, 080, 082, 085, 088): the stored value and the
// ends of the range are converted by rational numbers here.
func TestUnitsAgainstTheRules(t *testing.T) {
	x := newIndexer(t)
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(ratios).Draw(t, "stored unit"), rapid.SampledFrom(ratios).Draw(t, "asked unit")
		rat := func(s string) *big.Rat {
			r, ok := new(big.Rat).SetString(s)
			if !ok {
				t.Fatalf("%q", s)
			}
			return r
		}
		value := rapid.OneOf(rapid.StringMatching(`-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?`), rapid.SampledFrom([]string{"98.6", "37", "37.0", "2.5", "1.5", "0.5", "16", "32", "212", "100"}))
		text, asked := value.Draw(t, "stored"), value.Draw(t, "asked")
		if rapid.Bool().Draw(t, "as the other") && from.kind == to.kind { // the same in the other unit, where that is a decimal
			v := rat(asked)
			v.Add(v, rat(to.shift)).Mul(v, rat(to.ratio)).Quo(v, rat(from.ratio)).Sub(v, rat(from.shift))
			if n, exact := v.FloatPrec(); exact {
				text = v.FloatString(n)
			}
		}
		comparator := rapid.SampledFrom([]string{"", "", "", "<", ">="}).Draw(t, "comparator")
		// Compared in the unit that is asked for.
		v := rat(text)
		v.Add(v, rat(from.shift)).Mul(v, rat(from.ratio)).Quo(v, rat(to.ratio)).Sub(v, rat(to.shift))
		lo, hi := new(big.Rat).Set(v), new(big.Rat).Set(v)
		body := fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s,"system":"http://unitsofmeasure.org","code":%q}}`, text, from.code)
		switch comparator {
		case "<":
			lo = rat("-1e12")
		case ">=":
			hi = rat("1e12")
		}
		if comparator != "" {
			body = fmt.Sprintf(`{"resourceType":"Observation","valueQuantity":{"value":%s,"comparator":%q,"system":"http://unitsofmeasure.org","code":%q}}`, text, comparator, from.code)
		}
		op := rapid.SampledFrom(comparators).Draw(t, "op")
		want := from.kind == to.kind && holds(op, lo, hi, rat(asked), halfUnit(asked))
		agree(t, x, body, "value-quantity", op, asked+"|http://unitsofmeasure.org|"+to.code, want)
	})
}

// halfUnit is half a unit of the last written digit.
func halfUnit(asked string) *big.Rat {
	half := big.NewRat(1, 2)
	for i := len(asked) - 1; i >= 0; i-- {
		if asked[i] == '.' {
			for range len(asked) - 1 - i {
				half.Quo(half, big.NewRat(10, 1))
			}
		}
	}
	return half
}

// holds compares an interval with a number by SRCH-080 to 088.
func holds(op string, lo, hi, v, half *big.Rat) bool {
	eq := lo.Cmp(new(big.Rat).Sub(v, half)) >= 0 && hi.Cmp(new(big.Rat).Add(v, half)) < 0
	switch op {
	case "ne":
		return !eq
	case "gt":
		return hi.Cmp(v) > 0
	case "ge":
		return hi.Cmp(v) >= 0
	case "lt":
		return lo.Cmp(v) < 0
	case "le":
		return lo.Cmp(v) <= 0
	case "sa":
		return lo.Cmp(v) > 0
	case "eb":
		return hi.Cmp(v) < 0
	case "ap":
		tenth := new(big.Rat).Quo(new(big.Rat).Abs(v), big.NewRat(10, 1))
		return lo.Cmp(new(big.Rat).Add(v, tenth)) <= 0 && hi.Cmp(new(big.Rat).Sub(v, tenth)) >= 0
	}
	return eq
}
