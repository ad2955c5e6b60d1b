package synth

import (
	"math/rand/v2"
	"strings"
	"time"
)

// misspell returns a name with one typing error: two letters are exchanged, one is missing or one is
// repeated. The first letter stays. Names of fewer than four letters are returned unchanged.
func misspell(rng *rand.Rand, name string) string {
	runes := []rune(name)
	if len(runes) < 4 {
		return name
	}
	i := 1 + rng.IntN(len(runes)-2)
	switch rng.IntN(3) {
	case 0:
		if runes[i] != runes[i+1] {
			runes[i], runes[i+1] = runes[i+1], runes[i]
			return string(runes)
		}
		fallthrough
	case 1:
		return string(runes[:i]) + string(runes[i+1:])
	default:
		return string(runes[:i+1]) + string(runes[i:])
	}
}

// asciiNames replaces the accented letters of all names of the region.
var asciiNames = strings.NewReplacer("á", "a", "â", "a", "é", "e", "ë", "e", "í", "i", "ó", "o")

// transpose exchanges the day and the month of a birth date. It returns false if the result would be
// no date, the same date or not before now.
func transpose(born, now time.Time) (time.Time, bool) {
	y, m, d := born.Date()
	if d > 12 || d == int(m) {
		return born, false
	}
	other := time.Date(y, time.Month(d), int(m), 0, 0, 0, 0, time.UTC)
	return other, other.Before(now)
}

// otherBirthDate returns a wrong birth date: day and month exchanged, or a year too early.
func otherBirthDate(rng *rand.Rand, born, now time.Time) time.Time {
	if other, ok := transpose(born, now); ok && rng.IntN(3) > 0 {
		return other
	}
	return time.Date(born.Year()-1, born.Month(), min(born.Day(), 28), 0, 0, 0, 0, time.UTC)
}
