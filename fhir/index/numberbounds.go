package index

import "math/big"

// bounds returns the bounds of which a stored interval lo..hi must satisfy one (SRCH-080, 082,
// 083, 085, 088). A zero byte is appended to an upper bound that is included. On a decreasing
// scale, greater values have smaller keys.
func (a numberQuery) bounds(op string, whole bool, on scale) []bounds {
	if on.decreases() {
		return a.decreasingBounds(op, on)
	}
	lo, hi := a.point(on)
	switch op {
	case "ap":
		below, above := a.tenthAround(on)
		return []bounds{{loMax: above + "\x00", hiMin: below}}
	case "eq", "ne":
		below, above := a.halfDigitAround(on)
		if whole {
			below, above = lo, hi+"\x00"
		}
		if op == "ne" {
			return []bounds{{loMax: below}, {hiMin: above}}
		}
		return []bounds{{loMin: below, hiMax: above}}
	}
	return boundsOf(op, lo, hi)
}

// decreasingBounds returns the bounds for a decreasing unit ([pH] and others). Equal values lie
// in [v-h, v+h), whose ends are swapped in the keys.
func (a numberQuery) decreasingBounds(op string, on scale) []bounds {
	switch op {
	case "ap":
		below, above := a.tenthAround(on)
		return []bounds{{loMax: above + "\x00", hiMin: below}}
	case "eq", "ne":
		half := a.halfDigit()
		_, first := a.shifted(half, 2, on)
		_, last := a.shifted(new(big.Int).Neg(half), 2, on)
		if op == "ne" {
			return []bounds{{loMax: first + "\x00"}, {hiMin: last + "\x00"}}
		}
		return []bounds{{loMin: first + "\x00", hiMax: last + "\x00"}}
	}
	lo, hi := a.point(on)
	return boundsOf(map[string]string{"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "sa": "eb", "eb": "sa"}[op], lo, hi)
}

// boundsOf returns the bounds of the prefixes that compare with the exact number.
func boundsOf(op, lo, hi string) []bounds {
	switch op {
	case "gt":
		return []bounds{{hiMin: hi + "\x00"}}
	case "ge":
		return []bounds{{hiMin: lo}}
	case "lt":
		return []bounds{{loMax: lo}}
	case "le":
		return []bounds{{loMax: hi + "\x00"}}
	case "sa":
		return []bounds{{loMin: hi + "\x00"}}
	}
	return []bounds{{hiMax: lo}} // eb
}

// point returns the number itself.
func (a numberQuery) point(on scale) (lo, hi string) { return a.shifted(new(big.Int), 0, on) }

// halfDigit returns half a unit of the last written digit in hundredths of that unit, or in
// tenths of it for one digit with an exponent (SRCH-080).
func (a numberQuery) halfDigit() *big.Int {
	if a.oneDigit {
		return big.NewInt(5)
	}
	return big.NewInt(50)
}

// halfDigitAround returns the ends of the values that equal the number as precisely as it was
// written: half a unit of its last digit either side (SRCH-080).
func (a numberQuery) halfDigitAround(on scale) (below, above string) {
	half := a.halfDigit()
	below, _ = a.shifted(new(big.Int).Neg(half), 2, on)
	lo, hi := a.shifted(half, 2, on)
	if on.converts {
		return below, hi
	}
	return below, upperBound(lo, hi)
}

// tenthAround returns the ends of the values within a tenth of the number (SRCH-085).
func (a numberQuery) tenthAround(on scale) (below, above string) {
	tenth := new(big.Int).Abs(a.coefficient)
	lo, hi := a.shifted(new(big.Int).Neg(tenth), 1, on)
	lo2, hi2 := a.shifted(tenth, 1, on)
	if on.decreases() {
		return lo2, hi
	}
	return lo, max(hi2, upperBound(lo2, hi2))
}

// upperBound returns the exclusive end of a range below a number. It includes the number if it
// was rounded.
func upperBound(lo, hi string) string {
	if lo != hi {
		return hi + "\x00"
	}
	return hi
}
