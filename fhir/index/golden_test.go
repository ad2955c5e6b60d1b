package index_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir"
	"carerecord/fhir/index"
)

// every is a resource with a value of every class of key.
var every = map[string]string{
	"Observation": observation,
	"Patient": `{"resourceType":"Patient","meta":{"profile":["http://p/1|2"],"source":"urn:x"},"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}],"active":true,
"name":[{"family":"Alpha Beta","given":["Café"]}],"telecom":[{"system":"phone","value":"0113 496 0000"},{"system":"email","value":"A@b.org"}],"gender":"female","birthDate":"1990-02-03",
"address":[{"postalCode":"LS1 4AP"}],"generalPractitioner":[{"reference":"Practitioner/2/_history/3"},{"reference":"http://other/Practitioner/4"}]}`,
	"Encounter": `{"resourceType":"Encounter","status":"finished","period":{"start":"2024-01-01","end":"2024-01-02T10:00:00Z"},"length":{"value":34.5,"comparator":"<","unit":"hours","system":"http://unitsofmeasure.org","code":"h"}}`,
	"ValueSet":  `{"resourceType":"ValueSet","url":"http://x/vs","description":"` + strings.Repeat("Long text. ", 30) + `"}`,
}

// The keys of some resources, as stores hold them: a change here is a change of
// the grammar and needs a new Version.
func TestKeysStandStill(t *testing.T) {
	x := newIndexer(t)
	var got strings.Builder
	fmt.Fprintf(&got, "version %d\n", index.Version)
	for _, typ := range []string{"Encounter", "Observation", "Patient", "ValueSet"} {
		row, err := x.Index(typ, "1", now, []byte(every[typ]))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "\n%s\n", typ)
		for _, k := range row.Keys {
			fmt.Fprintf(&got, "%x %q\n", string(k[:2]), string(k[2:]))
			if d, ok := index.Decode(k); !ok {
				t.Errorf("%s: %q is not decoded: %+v", typ, string(k), d)
			}
		}
	}
	const golden = "testdata/keys.txt"
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

func TestIndexerIsSafeForConcurrentUse(t *testing.T) {
	x := newIndexer(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				for typ, body := range every {
					if _, err := x.Index(typ, "1", now, []byte(body)); err != nil {
						t.Errorf("%s: %v", typ, err)
					}
				}
				if _, err := x.Predicate(index.Query{Type: "Condition", Name: "code", Values: []string{"x"}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestIndexRefuses(t *testing.T) {
	x := newIndexer(t)
	for name, c := range map[string][2]string{
		"no resource type":     {"Nothing", `{"resourceType":"Nothing"}`},
		"another type":         {"Patient", `{"resourceType":"Observation"}`},
		"no JSON":              {"Patient", `{"resourceType":`},
		"no type in the body":  {"Patient", `{}`},
		"a type of a datatype": {"HumanName", `{"resourceType":"HumanName"}`},
	} {
		if row, err := x.Index(c[0], "1", now, []byte(c[1])); err == nil {
			t.Errorf("%s: got %v", name, row)
		}
	}
	if _, err := index.New(index.Config{Base: "http://h/fhir/"}); err == nil {
		t.Error("a base with a slash at the end is accepted")
	}
}

// Whatever passes fhir.Parse can be indexed, elements of wrong types included.
func FuzzIndex(f *testing.F) {
	for _, body := range every {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"resourceType":"Observation","code":[[1,{"coding":"x"}]],"valueQuantity":{"value":"x"},"effectivePeriod":{"start":1},"subject":"Patient/1","component":[null,3]}`))
	x, err := index.New(index.Config{Base: base})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := fhir.Parse(body)
		if err != nil {
			return
		}
		if _, ok := x.Param(r.Type, "_id"); !ok {
			return
		}
		row, err := x.Index(r.Type, "1", now, r.Body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
		}
		for _, k := range row.Keys {
			if len(k) < 3 {
				t.Errorf("key %x", string(k))
			}
		}
	})
}
