package law_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/store"
	"carerecord/store/storetest"
)

// streamedQueries are searches that the server can answer as a stream, page by page, by type.
var streamedQueries = map[string][]string{
	"Patient": {"_has:Observation:patient:code=one", "_has:Observation:performer:code=two,three", "_has:Appointment:actor:status=booked", "_has:Appointment:patient:status=booked",
		"_has:Patient:link:gender=male", "_has:Observation:subject:_has:Provenance:target:recorded=gt2018-01-01", "_has:Condition:asserter:code=one", "_has:List:subject:item:Observation.code=one",
		"_has:Observation:patient:code=one&_has:Condition:patient:code=two", "_has:Observation:patient:status=final&gender=female",
		"link:Patient.gender=male", "gender=female&_has:Observation:patient:encounter.status=finished", "_has:Observation:patient:performer:Patient.gender=male", "_has:Observation:subject:code:not=one&gender=male"},
	"Observation": {"patient.gender=male", "patient.gender=female&code=one", "subject:Patient.family=ely", "subject:Patient.family=fox&status=final", "subject:Patient.family=fox&_has:Provenance:target:recorded=gt2018-01-01",
		"performer:Patient.gender=male", "performer:Patient.gender=female&status=final", "performer:Patient.family=ely&code=one,two", "performer:Patient.link:Patient.family=gray", "subject:Patient.gender:not=male&status=final", "patient._has:Condition:patient:code=one",
		"patient._has:Observation:performer:code=one", "patient.link:Patient.gender=female", "encounter.status=finished", "encounter.patient.family=ely", "encounter.patient.gender=male&status=final", "has-member:Observation.code=one",
		"has-member:Observation.patient.gender=male", "patient.gender=male&has-member:Observation.status=final", "_has:Provenance:target:recorded=gt2018-01-01", "code=one&_has:List:item:status=current",
		"_filter=patient.gender eq male and not(performer:Patient.family eq ely)", "_filter=code eq one and (patient.family eq ely or performer:Patient.gender eq male)", "_filter=code eq two or patient.family eq fox", "_filter=encounter.status eq finished or (status eq final and not(patient.gender eq male))", "date=gt2019&patient.birthdate=gt2019"},
	"Condition":         {"patient.gender=male", "asserter:Patient.family=ely", "asserter:Patient.gender:not=female&code=one", "code=two&subject:Patient.family=gray"},
	"Encounter":         {"patient.gender=male", "service-provider.name=north", "_has:Observation:encounter:code=one", "patient._has:Observation:subject:status=amended"},
	"MedicationRequest": {"medication.code=one", "patient.family=ely&medication.code=one,two", "status=active&patient.gender=female"},
	"Appointment":       {"actor:Patient.gender=male", "patient.family=fox&status=booked", "actor:Patient._has:Condition:patient:code=one"},
	"List":              {"item:Observation.code=one", "subject:Patient.gender=male", "item:Observation.patient.gender=male"},
	"Provenance":        {"target:Observation.code=one", "target:Observation.patient.gender=female"},
	"Practitioner":      {"_has:Observation:performer:status=final", "_has:Observation:performer:patient.gender=male"},
}

var idIn = regexp.MustCompile(`"fullUrl":"[^"]+/([A-Z][A-Za-z]+/[^"]+)"`)

// TestStreamsEqualSets: a chain or a _has finds the same rows in the same order as a stream and as sets
// (SRCH-130, 140, 202, 210).
func TestStreamsEqualSets(t *testing.T) {
	n := cases(t, 16_000)
	var c tally
	found := map[string]int{} // rows, by question
	seeds(t, 7_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) {
			g := newGenerator(seed)
			for _, s := range []store.Store{storetest.NewReference(nil), p} {
				side := serve(t, s, g.region)
				populate(t, newGenerator(seed), side)
				for _, typ := range slices.Sorted(maps.Keys(streamedQueries)) {
					for _, q := range streamedQueries[typ] {
						c.cases++
						want := side.allPages(typ + "?" + q + "&_total=accurate&_count=50")
						got := side.allPages(fmt.Sprintf("%s?%s&_count=%d", typ, q, 1+g.IntN(3)))
						if found[typ+"?"+q] += len(want); !slices.Equal(got, want) {
							t.Fatalf("seed %d: %s?%s: streamed %v, from sets %v", seed, typ, q, got, want)
						}
					}
				}
			}
		})
	})
	for q, rows := range found {
		if t.Logf("%5d rows of %s", rows, q); rows == 0 && c.cases >= 16_000 {
			t.Errorf("no search finds a row of %s", q)
		}
	}
}

// allPages returns the addresses of the rows on all pages of a search, in order.
func (w *side) allPages(query string) []string {
	w.Helper()
	var ids []string
	next := "/" + strings.ReplaceAll(query, " ", "%20")
	for next != "" {
		r := w.do(unguarded(staffMember("XAC01", "user/*.rs")), question{method: "GET", path: next})
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
