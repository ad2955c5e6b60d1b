package index_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir/index"
	"carerecord/store"
)

// CON-1510: a predicate that names a hidden patient is replaced by one of the same form
// that nothing satisfies.
func TestUnsatisfiable(t *testing.T) {
	x := newIndexer(t)
	pred := func(typ, name, value string) store.Pred {
		p, err := x.Predicate(index.Query{Type: typ, Name: name, Values: []string{value}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	row, err := x.Index("Patient", "1", now, []byte(`{"resourceType":"Patient","identifier":[{"system":"s","value":"v1"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	named := pred("Patient", "identifier", "s|v1")
	if got := index.ValueOf(named); got != "v1" {
		t.Errorf("value: got %q, want v1", got)
	}
	if !store.Match(named, row.Keys) || store.Match(index.Unsatisfiable(named, "v1"), row.Keys) {
		t.Error("the predicate must hold, and its replacement must not")
	}
	other := store.And{pred("Patient", "gender", "male"), store.Or{named, store.Not{Pred: named}}}
	if diff := cmp.Diff(store.Pred(other), index.Unsatisfiable(other, "v2")); diff != "" {
		t.Errorf("another value (-want +got):\n%s", diff)
	}
	if got := index.ValueOf(store.And{}); got != "" {
		t.Errorf("value of no key: got %q", got)
	}
}
