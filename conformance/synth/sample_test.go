package synth_test

import (
	"bytes"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/fhir"
)

func TestSampleIsDeterministicAndWhole(t *testing.T) {
	var first [][]byte
	resources := 0
	for b := range synth.Sample(synth.Config{Patients: 20, Seed: 7}) {
		if _, err := fhir.Parse(b.Body); err != nil {
			t.Fatalf("%s %s: %v", b.Source, b.Name, err)
		}
		for _, i := range validate.Resource(b.Body, validate.Strict) {
			t.Errorf("%s %s: got %s at %s: %s", b.Source, b.Name, i.Code, i.Expression, i.Text)
		}
		resources += int(gjson.GetBytes(b.Body, "entry.#").Int())
		first = append(first, b.Body)
	}
	if got := resources / 20; got < 40 {
		t.Errorf("got %d resources a patient, want at least 40", got)
	}
	i := 0
	for b := range synth.Sample(synth.Config{Patients: 20, Seed: 7}) {
		if !bytes.Equal(b.Body, first[i]) {
			t.Fatalf("bundle %d differs in a second run of the same seed", i)
		}
		i++
	}
}

func TestNHSNumbersHaveTheirCheckDigit(t *testing.T) {
	seen := map[string]bool{}
	for n := range 2000 {
		s := synth.NHSNumber(n)
		sum := 0
		for i, d := range s[:9] {
			sum += int(d-'0') * (10 - i)
		}
		check := (11 - sum%11) % 11
		if len(s) != 10 || s[:3] != "999" || int(s[9]-'0') != check || seen[s] {
			t.Fatalf("CON-806: %s is not a number of the test range, or is repeated", s)
		}
		seen[s] = true
	}
}
