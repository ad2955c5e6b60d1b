package index_test

import (
	"fmt"
	"testing"
	"time"

	"carerecord/fhir/term"
	"carerecord/store"
)

// TestCodedIn: what has a code of a set (SRCH-051, 052): few codes drive one by
// one, many by their systems, and both find the same; systems of code elements
// are implied (SRCH-043).
func TestCodedIn(t *testing.T) {
	x := newIndexer(t)
	many := make([]string, 3000)
	for i := range many {
		many[i] = fmt.Sprintf("n%d", i)
	}
	const status = "http://hl7.org/fhir/observation-status"
	for _, c := range []struct {
		name, param string
		set         term.Set
		want        bool
	}{
		{"its code", "code", term.Of("http://c", "a", "Low"), true},
		{"in another case", "code", term.Of("http://c", "LOW"), true},
		{"of another system", "code", term.Of("http://d", "low"), false},
		{"system and code of two codings", "code", term.Of("http://c", "mid"), false},
		{"among many", "code", term.Of("http://c", append(many, "LOW")...), true},
		{"not among many", "code", term.Of("http://c", many...), false},
		{"many of another system", "code", term.Of("http://d", append(many, "low")...), false},
		{"a code element", "status", term.Of(status, "final"), true},
		{"a code element, other codes", "status", term.Of(status, "amended"), false},
		{"a code element, another system", "status", term.Of("http://c", "final"), false},
		{"a code element among many", "status", term.Of(status, append(many, "final")...), true},
		{"a code element, case counts", "status", term.Of(status, append(many, "FINAL")...), false},
		{"nothing", "code", term.Of("http://c"), false},
	} {
		row, err := x.Index("Observation", "1", time.Unix(0, 0), []byte(`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://c","code":"Low"},{"system":"http://e","code":"mid"}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		p, err := x.InCodes("Observation", c.param, c.set)
		if err != nil {
			t.Fatal(err)
		}
		if got := store.Match(p, row.Keys); got != c.want {
			t.Errorf("SRCH-051: %s: got %v, want %v", c.name, got, c.want)
		}
	}
}
