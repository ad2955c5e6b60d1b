package synth_test

import (
	"strings"
	"testing"

	"carerecord/conformance/synth"
)

// TestCodesHaveTheirCheckDigits: SNOMED CT and dm+d identifiers end in their Verhoeff digit, LOINC
// codes in their Luhn digit. Nine of ten invented codes fail this test.
func TestCodesHaveTheirCheckDigits(t *testing.T) {
	seen := map[string]bool{}
	checked := map[string]int{}
	for _, shape := range []synth.Shape{synth.OnePatient, synth.PatientPerSource} {
		for b := range synth.Region(synth.Config{Patients: 400, Seed: 1, Shape: shape}) {
			for _, part := range strings.Split(string(b.Body), `"system":"`)[1:] {
				system, rest, _ := strings.Cut(part, `","code":"`)
				code, _, _ := strings.Cut(rest, `"`)
				if strings.Contains(system, `"`) || seen[system+code] {
					continue
				}
				seen[system+code] = true
				ok := true
				switch system {
				case "http://snomed.info/sct", "https://dmd.nhs.uk":
					ok = verhoeff(code)
				case "http://loinc.org":
					ok = luhn(strings.ReplaceAll(code, "-", ""))
				}
				checked[system]++
				if !ok {
					t.Errorf("%s %s has a wrong check digit", system, code)
				}
			}
		}
	}
	t.Logf("codes: %v", checked)
	if checked["http://snomed.info/sct"] < 60 || checked["http://loinc.org"] < 35 || checked["https://dmd.nhs.uk"] < 15 {
		t.Errorf("got %v codes, want most of those in use", checked)
	}
}

// TestChangedDigitsFail: verhoeff and luhn detect a changed digit.
func TestChangedDigitsFail(t *testing.T) {
	if !verhoeff("22298006") || verhoeff("22298007") || !luhn("7187") || luhn("7188") {
		t.Error("a wrong check digit is accepted")
	}
}

// verhoeff reports whether the Verhoeff check digit of s is correct. It computes the products of the
// dihedral group of order ten instead of using its table: digits above 4 are reflections.
func verhoeff(s string) bool {
	times := func(a, b int) int {
		switch {
		case a < 5 && b < 5:
			return (a + b) % 5
		case a < 5:
			return (a+b-5)%5 + 5
		case b < 5:
			return (a-5-b+5)%5 + 5
		}
		return (a - b + 5) % 5
	}
	shift := [10]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if d < 0 || d > 9 {
			return false
		}
		for range i % 8 {
			d = shift[d]
		}
		sum = times(sum, d)
	}
	return sum == 0 && len(s) >= 6
}

func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}
