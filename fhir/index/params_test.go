package index_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// What is not served is a list that is read when it changes (SRCH-019): no
// parameter is silently empty.
func TestUnservedParameters(t *testing.T) {
	x := newIndexer(t)
	var got strings.Builder
	served := 0
	for _, typ := range r4.Resources() {
		served += len(x.Params(typ))
		for _, def := range r4.SearchParams(typ) {
			// The common ones are listed once.
			if strings.HasPrefix(def.Code, "_") && typ != "Patient" {
				continue
			}
			if p, ok := x.Param(typ, def.Code); !ok || !p.Indexed {
				_, err := x.Predicate(index.Query{Type: typ, Name: def.Code, Values: []string{"x"}})
				fmt.Fprintf(&got, "%s %s: %v\n", typ, def.Code, err)
			}
		}
	}
	t.Logf("%d parameters of %d types are served", served, len(r4.Resources()))
	const golden = "testdata/unserved.txt"
	if index.Rewriting() {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

func TestParam(t *testing.T) {
	x := newIndexer(t)
	for _, c := range []struct {
		typ, code string
		kind      index.Kind
		targets   string
		monotone  bool
	}{
		{"Observation", "patient", index.Reference, "Patient", true},
		{"Observation", "subject", index.Reference, "Device Group Location Patient", true},
		{"AllergyIntolerance", "patient", index.Reference, "Patient", true},
		{"Patient", "general-practitioner", index.Reference, "Organization Practitioner PractitionerRole", true},
		{"Encounter", "practitioner", index.Reference, "Practitioner", true},
		{"Patient", "deceased", index.Token, "", false},
		{"Patient", "phone", index.Token, "", true},
		{"Patient", "birthdate", index.DateTime, "", true},
		{"Patient", "_id", index.Token, "", true},
		{"List", "item", index.Reference, strings.Join(r4.LookupSearchParam("List", "item").Targets, " "), true},
	} {
		p, ok := x.Param(c.typ, c.code)
		if !ok || !p.Indexed || p.Kind != c.kind || strings.Join(p.Targets, " ") != c.targets || p.Monotone != c.monotone {
			t.Errorf("%s:%s: got %+v (found %v), want %+v", c.typ, c.code, p, ok, c)
		}
	}
	if p, ok := x.Param("Patient", "phonetic"); !ok || p.Indexed {
		t.Errorf("phonetic: got %+v, %v; want known and not indexed", p, ok)
	}
	if _, ok := x.Param("Observation", "nope"); ok {
		t.Error("an unknown parameter is known")
	}
	if x.Params("Nothing") != nil {
		t.Error("no type has parameters")
	}
}
