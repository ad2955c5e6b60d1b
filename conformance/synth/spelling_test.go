package synth_test

import (
	"math/rand/v2"
	"testing"
	"time"
	"unicode/utf8"

	"carerecord/conformance/synth"
)

// TestMisspellMakesOneTypingError: a misspelt name differs, has the same first letter and at most one
// letter more or less. Short names stay.
func TestMisspellMakesOneTypingError(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, name := range []string{"Lee", "Anna", "Zoë", "Chloë", "O'Brien", "Wójcik", "Aaaa", "MacDonald"} {
		runes := utf8.RuneCountInString(name)
		for range 200 {
			got := synth.Misspell(rng, name)
			n := utf8.RuneCountInString(got)
			if short := runes < 4; short != (got == name) || got[0] != name[0] || n < runes-1 || n > runes+1 || !utf8.ValidString(got) {
				t.Fatalf("got %q from %q, want one typing error if it has four letters", got, name)
			}
		}
	}
}

// TestTransposeExchangesDayAndMonth: the result is another date before now, or there is none.
func TestTransposeExchangesDayAndMonth(t *testing.T) {
	now := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	for born, want := range map[string]string{"1950-03-11": "1950-11-03", "1950-03-13": "", "1950-03-03": "", "2026-01-05": "2026-05-01", "2026-02-11": ""} {
		at, err := time.Parse(time.DateOnly, born)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := synth.Transpose(at, now)
		if ok != (want != "") || ok && got.Format(time.DateOnly) != want {
			t.Errorf("%s: got %s, %v, want %q", born, got.Format(time.DateOnly), ok, want)
		}
	}
}
