package law_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/store"
	"carerecord/store/storetest"
)

// streams are questions whose rows may come from what refers to them.
var streams = []string{"_has:Observation:patient:code=one", "_has:Observation:performer:code=two,three", "_has:Appointment:actor:status=booked", "_has:Appointment:patient:status=booked",
	"_has:Patient:link:gender=male", "_has:Observation:subject:_has:Provenance:target:recorded=gt2018-01-01", "_has:Condition:asserter:code=one", "_has:List:subject:item:Observation.code=one",
	"_has:Observation:patient:code=one&_has:Condition:patient:code=two", "_has:Observation:patient:status=final&gender=female", "_has:Provenance:patient:recorded=gt2018-01-01"}

var idIn = regexp.MustCompile(`"fullUrl":"[^"]+/Patient/([^"]+)"`)

// TestStreamsEqualSets: the rows of a _has are the same, in the same order, whether
// they are streamed page by page or come from a set (SRCH-140, 202, 210).
func TestStreamsEqualSets(t *testing.T) {
	n := cases(t, 4_000)
	var c tally
	found := 0
	seeds(t, 7_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) {
			g := newGenerator(seed)
			for _, s := range []store.Store{storetest.NewReference(nil), p} {
				side := serve(t, s)
				populate(t, newGenerator(seed), side)
				for _, q := range streams {
					c.cases++
					want := side.walk(q + "&_total=accurate&_count=50")
					got := side.walk(fmt.Sprintf("%s&_count=%d", q, 1+g.IntN(3)))
					if found += len(want); !slices.Equal(got, want) {
						t.Fatalf("seed %d: %s: streamed %v, as a set %v", seed, q, got, want)
					}
				}
			}
		})
	})
	t.Logf("%d questions, %d rows", c.cases, found)
	if found < c.cases/2 {
		t.Errorf("%d rows are too few to say anything", found)
	}
}

// walk returns the Patients on all pages of a search.
func (w *side) walk(query string) []string {
	w.Helper()
	var ids []string
	next := "/Patient?" + query
	for next != "" {
		r := w.ask(unguarded(clinician("XAC01", "user/*.rs")), question{method: "GET", path: next})
		if r.Code != 200 {
			w.Fatalf("%s: %d %s", next, r.Code, r.Body)
		}
		for _, m := range idIn.FindAllStringSubmatch(r.Body.String(), -1) {
			ids = append(ids, m[1])
		}
		_, link, more := strings.Cut(r.Body.String(), `"relation":"next","url":"`+base)
		if next, _, _ = strings.Cut(link, `"`); !more {
			next = ""
		}
	}
	return ids
}
