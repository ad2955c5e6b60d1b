package consent_test

import (
	"testing"

	"carerecord/consent/policy"
	"carerecord/store"
)

// TestNewDependentsOfStaleDocuments: a document changes its owners, and its dependents wait to be rekeyed. A
// new document that depends on one of these, or on another new one, is hidden too (CON-406).
func TestNewDependentsOfStaleDocuments(t *testing.T) {
	entry := func(id, of string) string {
		return listOf(id, 2, func(i int) string { return []string{of, "Patient/G.2"}[i] })
	}
	for name, c := range map[string]struct {
		last  store.Ref  // the document that depends on the Schedule
		waits []string   // what makes it
		news  [][]string // what is written while it waits, commit by commit
	}{
		"a List": {store.Ref{Type: "List", ID: "A.k"}, []string{entry("A.k", "Schedule/A.w")},
			[][]string{{entry("A.n1", "List/A.k")}, {entry("A.n2", "List/A.n1")}, {entry("A.n3", "List/A.n2"), entry("A.n4", "List/A.n3")}}},
		"a List of a List": {store.Ref{Type: "List", ID: "A.l"}, []string{entry("A.k", "Schedule/A.w"), entry("A.l", "List/A.k")},
			[][]string{{entry("A.n1", "List/A.l")}, {entry("A.n2", "List/A.n1"), entry("A.n3", "List/A.n2")}, {entry("A.n4", "List/A.n3")}}},
		"a Provenance": {store.Ref{Type: "List", ID: "A.k"}, []string{entry("A.k", "Schedule/A.w")},
			[][]string{{body("Provenance", "A.n1", `,"target":[`+to("List/A.k")+`]`)}, {entry("A.n2", "List/A.k"), entry("A.n3", "List/A.n2")}, {entry("A.n4", "List/A.n2")}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
			r.mustPut(r.source("G"), body("Patient", "G.1", ""))
			r.mustPut(r.source("G"), body("Patient", "G.2", ""))
			r.mustPut(r.source("G"), optOut("G.c", "G.1"))
			r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Practitioner/G.p")+`]`))
			for _, b := range c.waits {
				r.mustPut(r.source("A"), b)
			}
			if !r.sees(r.staff("G"), c.last.Type, c.last.ID) {
				t.Fatal("it is hidden before: the test tests nothing")
			}
			r.db.set(refuseRekeying, nil)
			r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Patient/G.1")+`]`))
			hidden := func(when string) {
				t.Helper()
				for _, id := range []string{c.last.ID, "A.n1", "A.n2", "A.n3", "A.n4"} {
					for _, typ := range []string{"List", "Provenance"} {
						if r.sees(r.staff("G"), typ, id) {
							t.Errorf("%s: another organisation sees %s/%s", when, typ, id)
						}
					}
				}
			}
			hidden("when the Schedule changed")
			for _, bodies := range c.news {
				r.putAll(r.source("A"), bodies...)
				hidden("while nothing is keyed")
			}
			r.db.set(nil, nil)
			r.caughtUp()
			hidden("when all is keyed")
			r.checked()
			r.verified()
		})
	}
}

// TestNewDependentsHaveAllReasons: a new document depends on two in the backlog, and another new one on it. A
// denial of a person whom either may be about hides both at once, also from staff of their source (CON-406).
func TestNewDependentsHaveAllReasons(t *testing.T) {
	for _, denies := range []string{"G.1", "G.2"} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
		for _, id := range []string{"G.1", "G.2", "G.3"} {
			r.mustPut(r.source("G"), body("Patient", id, ""))
		}
		r.mustPut(r.source("G"), directive("G.c", "denial", to("Patient/"+denies)))
		for _, s := range []string{"A.w1", "A.w2"} {
			r.mustPut(r.source("A"), body("Schedule", s, `,"actor":[`+to("Practitioner/G.p")+`]`))
			r.mustPut(r.source("A"), listOf("A.k"+s[3:], 2, func(i int) string { return []string{"Schedule/" + s, "Patient/G.3"}[i] }))
		}
		r.db.set(refuseRekeying, nil)
		r.mustPut(r.source("A"), body("Schedule", "A.w1", `,"actor":[`+to("Patient/G.1")+`]`))
		r.mustPut(r.source("A"), body("Schedule", "A.w2", `,"actor":[`+to("Patient/G.2")+`]`))
		r.putAll(r.source("A"), listOf("A.d", 2, func(i int) string { return []string{"List/A.k1", "List/A.k2"}[i] }), listOf("A.e", 2, func(i int) string { return []string{"List/A.d", "Patient/G.3"}[i] }))
		for _, id := range []string{"A.d", "A.e"} {
			if r.sees(r.staff("A"), "List", id) {
				t.Errorf("%s denies: staff of the source see %s", denies, id)
			}
		}
		r.db.set(nil, nil)
		r.caughtUp()
		r.checked()
		r.verified()
	}
}
