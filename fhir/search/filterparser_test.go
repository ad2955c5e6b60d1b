package search_test

import (
	"regexp"
	"strings"
	"testing"

	"carerecord/fhir"
	"carerecord/fhir/search"
)

// FuzzFilter: whatever _filter is, it is planned or refused; where the syntax is at
// fault, the place lies within the text or right behind it (SRCH-158).
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{`name co "pet"`, `given eq "peter" and birthdate ge 2014-10-10`, `subject:Patient.name co "a\u00e9"`, `not(a eq b)`, `patient[gender eq male].name eq x`,
		`((`, `a[b`, `é`, `code in http://v or code ss a|b`, `date po 2024`, `"`, `code eq "\`} {
		f.Add(seed)
	}
	x := indexer(f)
	place := regexp.MustCompile(`at character (\d+)\.$`)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		_, err := search.New(x, []string{"Observation"}, []search.Param{{Name: "_filter", Value: text}}, search.Options{Limits: search.DefaultLimits()})
		if err == nil {
			return
		}
		e, ok := fhir.AsError(err)
		if !ok || e.Status != 400 {
			t.Fatalf("SRCH-158: %q: %v", text, err)
		}
		if m := place.FindStringSubmatch(e.Error()); m != nil && (len(m[1]) > 6 || number(m[1]) < 1 || number(m[1]) > len([]rune(text))+1) {
			t.Fatalf("SRCH-158: %q is said to be wrong at %s", text, m[1])
		}
	})
}

func number(s string) int {
	n := 0
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}
