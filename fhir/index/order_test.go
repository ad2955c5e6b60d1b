package index

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// number draws decimals of many sizes, near each other often enough to collide.
func drawNumber(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?`),
		rapid.StringMatching(`-?[1-9](\.[0-9]{1,40})?([eE][+-]?[1-9][0-9]?)?`),
		rapid.SampledFrom([]string{"0", "-0", "0.00", "0e5", "1", "-1", "1.0", "10", "99", "99.99", "1e-30", "1E30", "-1e30"}),
	).Draw(t, label)
}

func rational(t *rapid.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r
}

// SRCH-084: the bytes of numbers are ordered as the numbers are.
func TestNumbersAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawNumber(t, "a"), drawNumber(t, "b")
		da, errA := parseDecimal(a)
		db, errB := parseDecimal(b)
		if errA != nil || errB != nil {
			t.Fatalf("%q %v, %q %v", a, errA, b, errB)
		}
		loA, hiA := da.encode()
		loB, hiB := db.encode()
		switch rational(t, a).Cmp(rational(t, b)) {
		case 0:
			if loA != loB || hiA != hiB {
				t.Errorf("%s and %s are equal, their keys are not", a, b)
			}
		case -1:
			if loA > loB || hiA > hiB || loA == hiA && loB == hiB && loA == loB {
				t.Errorf("%s < %s, but [%x %x] and [%x %x]", a, b, loA, hiA, loB, hiB)
			}
		case 1:
			if loA < loB || hiA < hiB {
				t.Errorf("%s > %s, but [%x %x] and [%x %x]", a, b, loA, hiA, loB, hiB)
			}
		}
		for _, end := range []string{loA, hiA} {
			if len(end) != numberWidth || end < lowest || end > highest {
				t.Errorf("%s has an end %x", a, end)
			}
		}
	})
}

// What equals a number as it was written is within half a unit of its last
// digit, computed here with rationals.
func TestNearIsHalfAUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asked := rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?`).Draw(t, "asked")
		stored := rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,6})?`).Draw(t, "stored")
		half := big.NewRat(1, 2)
		if _, part, ok := strings.Cut(asked, "."); ok {
			half.Quo(half, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(part))), nil)))
		}
		v, s := rational(t, asked), rational(t, stored)
		want := s.Cmp(new(big.Rat).Sub(v, half)) >= 0 && s.Cmp(new(big.Rat).Add(v, half)) < 0
		a, err := parseNumberQuery(asked)
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseDecimal(stored)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := d.encode()
		below, above := a.halfDigitAround(scale{})
		if got := lo >= below && hi < above; got != want {
			t.Errorf("asked %s, stored %s: got %v, want %v", asked, stored, got, want)
		}
	})
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e400", "1e-999999999", "99999999999999999999999999999999999", "1.e", "+-1", "1e+-1", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDecimal(s)
		if err != nil {
			return
		}
		if lo, hi := d.encode(); lo > hi || len(lo) != numberWidth || len(hi) != numberWidth {
			t.Errorf("%q: ends %x %x", s, lo, hi)
		}
		if a, err := parseNumberQuery(s); err == nil {
			lo, hi := a.point(scale{})
			below, above := a.halfDigitAround(scale{})
			if below > lo || above < hi {
				t.Errorf("%q lies outside of what is near it", s)
			}
			a.tenthAround(scale{})
		}
	})
}

func drawDate(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.StringMatching(`(19|20)[0-9]{2}`),
		rapid.StringMatching(`20[0-2][0-9]-(0[1-9]|1[0-2])`),
		rapid.StringMatching(`2024-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])`),
		rapid.StringMatching(`2024-(03-3|10-2)1T0[0-3]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]0[0-9]:00)?`),
		rapid.SampledFrom([]string{"0001", "9999-12-31", "2024-02-29", "2024-12-31T23:59:60Z"}),
	).Draw(t, label)
}

// SRCH-066: the bytes of moments are ordered as the moments are, and a date's
// end is never before its start, nor further than its unit's slack.
func TestDatesAreOrdered(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, errA := parseDate(drawDate(t, "a"), zone)
		b, errB := parseDate(drawDate(t, "b"), zone)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.lo.before(b.lo) != (a.lo.String() < b.lo.String()) || a.hi.before(b.hi) != (a.hi.String() < b.hi.String()) {
			t.Errorf("%v and %v: the order of the bytes is not that of the moments", a, b)
		}
		if !a.lo.before(a.hi) || a.lo.String() < momentBefore(a.hi.String(), a.unit.slack()) {
			t.Errorf("%v: ends are in the wrong order or too far apart", a)
		}
		if a.hi.before(forever()) != (a.hi.String() < forever().String()) || (moment{}).String() > a.lo.String() {
			t.Errorf("%v is not between the ends of time", a)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2024", "2024-02-29", "2024-10-27T01:30:00", "2024-01-01T00:00:00.123456789012Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60-14:00", "2024-", "2024-01-01T1"} {
		f.Add(s)
	}
	zone := time.FixedZone("", 3600)
	f.Fuzz(func(t *testing.T, s string) {
		sp, err := parseDate(s, zone)
		if err != nil {
			return
		}
		if !sp.lo.before(sp.hi) || len(sp.lo.String()) != dateWidth || sp.lo.sec <= 0 || !sp.hi.before(forever()) {
			t.Errorf("%q: %v", s, sp)
		}
	})
}

// SRCH-030: folding what is folded changes nothing, or a stored text could not
// be found by itself.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"Café", "STRASSE ß", "ŉ½ﬃ", "a-b/c\u00ad.d", "İıΐ", "\u1e9b\u0323", "  x  "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := fold(s)
		if twice := fold(once); twice != once {
			t.Errorf("%q folds to %q and that to %q", s, once, twice)
		}
		if strings.TrimSpace(once) != once || strings.Contains(once, "  ") {
			t.Errorf("%q folds to %q", s, once)
		}
		if c := cutText(once); !strings.HasPrefix(once, c) || len(c) > maxText {
			t.Errorf("%q is cut to %q", once, c)
		}
	})
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Straße": "strasse", "Ærø": "ærø", "ﬁn": "fin", "Ⅳ": "iv", "ΣΊΣΥΦΟΣ": "σισυφοσ", "Smith-Jones": "smith jones", "a\u2013b": "a b",
		"Mac\u00a0Donald": "mac donald", "n/a": "n a", "(x)": "x", "a_b": "ab", "５": "5", "½": "1 2", "": "", "-": "", "日本": "日本",
	} {
		if got := fold(in); got != want {
			t.Errorf("fold(%q): got %q, want %q", in, got, want)
		}
	}
}
