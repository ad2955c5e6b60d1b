package index_test

import (
	"strings"
	"testing"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Whatever is asked of values with units, of tuples and of places is an *Error or
// an answer, and what matches is proposed.
func FuzzValues(f *testing.F) {
	x, err := index.New(index.Config{Base: base})
	if err != nil {
		f.Fatal(err)
	}
	type target struct {
		typ, name string
		keys      []store.Key
	}
	var targets []target
	for _, c := range [][2]string{
		{"Observation component-code-value-quantity", pressure}, {"Observation combo-code-value-quantity", pressure}, {"Observation combo-value-quantity", pressure},
		{"Location near", `Location "position":{"longitude":-1.5518,"latitude":53.8018}`},
		{"MolecularSequence chromosome-variant-coordinate", `MolecularSequence "referenceSeq":{"chromosome":{"coding":[{"code":"1"}]}},"variant":[{"start":12,"end":13}]`},
	} {
		typ, name, _ := strings.Cut(c[0], " ")
		_, body, _ := strings.Cut(c[1], " ")
		row, err := x.Index(typ, "1", now, []byte(`{"resourceType":"`+typ+`",`+body+"}"))
		if err != nil {
			f.Fatal(err)
		}
		targets = append(targets, target{typ, name, row.Keys})
	}
	for _, q := range []string{"8480-6$gt100", "8480-6$107|http://unitsofmeasure.org|mm[Hg]", "s|$ne1||mmHg", "107|http://unitsofmeasure.org|[pH]", "1e400|http://unitsofmeasure.org|Cel", "53.8|-1.5|3|km", "1$ap12$13", `a\$b$1`} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, c := range targets {
			p, err := x.Predicate(index.Query{Type: c.typ, Name: c.name, Values: []string{value}})
			if err != nil {
				if e, ok := err.(*index.Error); !ok || e.Code != "value" {
					t.Errorf("%s %q: %v", c.name, value, err)
				}
				continue
			}
			store.Match(p, c.keys)
			if missed := unproposed(p, c.keys); missed != nil {
				t.Errorf("%s %q proposes nothing: %+v", c.name, value, missed)
			}
		}
	})
}
