package pebble

import (
	"fmt"
	"testing"

	"carerecord/store"
)

func TestPlan(t *testing.T) {
	eq := func(k store.Key) store.Pred { return store.Eq{Key: k} }
	wide := make(store.Or, 20)
	for i := range wide {
		wide[i] = eq(store.Key(fmt.Sprintf("w%02d", i)))
	}
	span := store.Interval{Prefix: "s", Width: 1, Scan: []store.Range{{Low: "s1", High: "s2"}}}
	for _, c := range []struct {
		name  string
		where store.Pred
		want  string
		exact bool
	}{
		{"an equality drives", eq("a"), `posting("a")`, true},
		{"a verifying key does not drive", eq("\x80a"), `verify(all)`, false},
		{"the empty key does not drive", eq(""), `verify(all)`, false},
		{"nothing asked is the whole type", store.And{}, `all`, true},
		{"nothing allowed is nothing", store.Or{}, `union()`, true},
		{"equalities meet, also nested ones", store.And{eq("a"), store.And{eq("b"), store.And{eq("c")}}}, `intersection(posting("a"), posting("b"), posting("c"))`, true},
		{"the same equality drives once", store.And{eq("a"), eq("a")}, `posting("a")`, true},
		{"what does not drive is verified", store.And{eq("a"), store.Not{Pred: eq("b")}}, `verify(posting("a"))`, false},
		{"a range drives alone", store.WithPrefix("a"), `collect("a":"b")`, true},
		{"a range does not drive beside an equality", store.And{store.WithPrefix("a"), eq("b")}, `verify(posting("b"))`, false},
		{"of two ranges the smaller drives", store.And{store.WithPrefix("a"), store.WithPrefix("b")}, `verify(cheapest(collect("a":"b"), collect("b":"c")))`, false},
		{"a range into verifying keys does not drive", store.Range{Low: "a", High: "\x81"}, `verify(all)`, false},
		{"a range without an upper bound does not drive", store.Range{Low: "a"}, `verify(all)`, false},
		{"a range from the empty key does not drive", store.Range{High: "b"}, `verify(all)`, false},
		{"a span drives by its scan and is verified", span, `verify(collect("s1":"s2"))`, false},
		{"a span without a scan does not drive", store.Interval{Prefix: "s", Width: 1}, `verify(all)`, false},
		{"alternatives are merged", store.Or{eq("a"), eq("b")}, `union(posting("a"), posting("b"))`, true},
		{"one alternative that cannot drive stops all", store.Or{eq("a"), eq("\x80b")}, `verify(all)`, false},
		{"alternatives meet the rest", store.And{eq("a"), store.Or{eq("b"), eq("c")}}, `intersection(posting("a"), union(posting("b"), posting("c")))`, true},
		{"an alternative that is a conjunction is verified", store.Or{store.And{eq("a"), store.Not{Pred: eq("b")}}, eq("c")}, `union(verify(posting("a")), posting("c"))`, false},
		{"a negation does not drive", store.Not{Pred: eq("a")}, `verify(all)`, false},
		{"a verify-only predicate does not drive", store.VerifyOnly{Pred: eq("a")}, `verify(all)`, false},
		{"a verify-only member is verified", store.And{store.VerifyOnly{Pred: eq("a")}, eq("b")}, `verify(posting("b"))`, false},
		{"a set does not drive", store.In{Prefix: "a"}, `verify(all)`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := planOf(store.Query{Type: "T", Where: c.where})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.String(); got != c.want {
				t.Errorf("plan of %#v:\n got %s\nwant %s", c.where, got, c.want)
			}
			if got := p.exact(); got != c.exact {
				t.Errorf("plan of %#v is exact: %v, want %v", c.where, got, c.exact)
			}
		})
	}
	if pl, ok := planTyped(wide).(collected); !ok || len(pl.ranges) != len(wide) || !pl.exact() {
		t.Errorf("plan of 20 alternatives: got %s, want them collected", planTyped(wide))
	}
}
