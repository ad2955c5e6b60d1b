package term_test

import (
	"cmp"
	"testing"

	"carerecord/fhir/term"
)

// TestCompareVersions: business versions compare by their parts, and the order is one
// (SRCH-051).
func TestCompareVersions(t *testing.T) {
	rising := [][]string{ // those of one line are equal
		{""},
		{"0"},
		{"0.9", "v0.9"},
		{"1.0.0-alpha"},
		{"1.0.0-alpha.2"},
		{"1.0.0-alpha.10"},
		{"1.0.0-beta"},
		{"1", "1.0", "1.0.0", "V1.0.0+build.7", "01.0"},
		{"1.0.1"},
		{"1.2"},
		{"1.9"},
		{"1.10"},
		{"2"},
		{"4.0.1"},
		{"10.0"},
		{"2024-09-30", "2024-9-30"},
		{"2024-10-01"},
		{"2024-10-01.2"},
		{"20240101"},
		{"20241231"},
		{"99999999999999999999"},
		{"100000000000000000000"},
		{"STU3"},
	}
	for i, line := range rising {
		for j, other := range rising {
			for _, a := range line {
				for _, b := range other {
					if got, want := term.CompareVersions(a, b), cmp.Compare(i, j); got != want {
						t.Errorf("SRCH-051: %q to %q: got %d, want %d", a, b, got, want)
					}
				}
			}
		}
	}
}
