package consent_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"carerecord/consent/policy"
	"carerecord/store"
)

// TestBacklogOrder: documents depend on two that change, through others. No dependent is visible before all that
// it depends on are rekeyed, whoever processes the backlog and whatever else changes (CON-406).
func TestBacklogOrder(t *testing.T) {
	const n = 220
	one := func(int) string { return "A.y" }
	each := func(i int) string { return fmt.Sprintf("A.y%d", i) }
	for name, c := range map[string]struct {
		row    func(i int) string // on which the Lists depend beside the Schedule
		before int                // of these change before the Schedule does, and the others
		beside bool               // change between pages
	}{
		"one row changes before":        {one, 1, false},
		"rows change between the pages": {each, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
			for _, id := range []string{"G.1", "G.2", "G.3"} {
				r.mustPut(r.source("G"), body("Patient", id, ""))
			}
			r.mustPut(r.source("G"), optOut("G.c", "G.1"))
			r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Practitioner/G.p")+`]`))
			var refs []store.Ref
			list := func(id string, members ...string) {
				r.mustPut(r.source("A"), listOf(id, len(members), func(i int) string { return members[i] }))
			}
			for i := range n {
				first, second, third, follower := fmt.Sprintf("A.j%d", i), fmt.Sprintf("A.k%d", i), fmt.Sprintf("A.l%d", i), fmt.Sprintf("A.m%d", i)
				r.mustPut(r.source("A"), observation(c.row(i), "G.2", ""))
				list(first, "Schedule/A.w", "Patient/G.2")
				list(second, "List/"+first)
				list(third, "List/"+second, "Observation/"+c.row(i))
				list(follower, "List/"+third)
				if i < 60 && i%5 == 0 {
					refs = append(refs, store.Ref{Type: "List", ID: follower})
				}
			}
			r.caughtUp()
			for _, ref := range refs {
				if !r.sees(r.staff("G"), ref.Type, ref.ID) {
					t.Fatalf("%s is hidden before: the test tests nothing", ref)
				}
			}
			for i := range c.before {
				r.mustPut(r.source("A"), observation(c.row(i), "G.3", ""))
			}
			r.hiddenWhile(r.staff("G"), func() {
				r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Patient/G.1")+`]`))
				changed := 0
				err := r.guard.CatchUp(context.Background(), func(context.Context, int) error {
					for i := 0; i < 10 && c.beside && changed < n; i++ {
						r.mustPut(r.source("A"), observation(c.row(changed), "G.3", ""))
						changed++
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}, refs...)
			r.checked()
		})
	}
}

// TestDependentsOfAFailureWait: documents that cannot be rekeyed block their dependents, and no others
// (CON-406).
func TestDependentsOfAFailureWait(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	r.mustPut(r.source("G"), body("Patient", "G.2", ""))
	r.mustPut(r.source("G"), optOut("G.c", "G.1"))
	entry := func(id, of string) string {
		return listOf(id, 2, func(i int) string { return []string{of, "Patient/G.2"}[i] })
	}
	for _, s := range []string{"A.w", "A.v"} {
		r.mustPut(r.source("A"), body("Schedule", s, `,"actor":[`+to("Practitioner/G.p")+`]`))
	}
	for _, b := range []string{entry("A.k", "Schedule/A.w"), entry("A.l", "List/A.k"), entry("A.m", "List/A.l"), entry("A.other", "Schedule/A.v")} {
		r.mustPut(r.source("A"), b)
	}
	failing := func(b store.Batch) error {
		for _, w := range b.Writes {
			if w.Rekey && w.Doc.Ref.ID == "A.k" {
				return store.ErrUnavailable
			}
		}
		return nil
	}
	r.db.set(refuseRekeying, nil)
	for _, s := range []string{"A.w", "A.v"} {
		r.mustPut(r.source("A"), body("Schedule", s, `,"actor":[`+to("Patient/G.1")+`]`))
	}
	r.db.set(failing, nil)
	for range 2 {
		if err := r.guard.CatchUp(t.Context(), func(context.Context, int) error { return nil }); err == nil {
			t.Error("documents that could not be rekeyed are not reported")
		}
		for _, id := range []string{"A.k", "A.l", "A.m"} {
			if r.sees(r.staff("G"), "List", id) {
				t.Errorf("another organisation sees %s, which follows from what could not be keyed", id)
			}
		}
	}
	if names := r.ownersOf("List", "A.other"); len(names) != 2 {
		t.Errorf("what follows from nothing that failed is about %v, want two", names)
	}
	r.db.set(nil, nil)
	r.caughtUp()
	r.checked()
	r.verified()
}

// refuseRekeying refuses commits that rekey documents.
func refuseRekeying(b store.Batch) error {
	if slices.ContainsFunc(b.Writes, func(w store.Write) bool { return w.Rekey }) {
		return store.ErrUnavailable
	}
	return nil
}

// TestCyclesOfDocuments: documents that inherit from each other in a cycle, and many paths to one document, make
// no documents of other sources stale (LIM-002).
func TestCyclesOfDocuments(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	r.mustPut(r.source("G"), body("Patient", "G.2", ""))
	r.mustPut(r.source("G"), observation("G.o", "G.2", ""))
	r.mustPut(r.source("G"), body("Provenance", "G.v", `,"target":[`+to("Observation/G.o")+`]`))
	r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Practitioner/G.p")+`]`))
	entries := func(id string, of ...string) {
		r.mustPut(r.source("A"), listOf(id, len(of), func(i int) string { return of[i] }))
	}
	entries("A.a", "Schedule/A.w", "List/A.b", "Patient/G.2")
	entries("A.b", "List/A.a", "List/A.b")
	for i := range 6 { // twice as many ways with each
		entries(fmt.Sprintf("A.c%d", i), fmt.Sprintf("List/A.c%d", i-1), "List/A.a", "List/A.b")
	}
	r.caughtUp()
	r.db.set(refuseRekeying, nil)
	r.mustPut(r.source("A"), body("Schedule", "A.w", `,"actor":[`+to("Patient/G.1")+`]`))
	if n, _ := r.guard.Backlog(); n == 0 {
		t.Fatal("nothing waits: the test tests nothing")
	}
	if !r.sees(r.staff("A"), "Provenance", "G.v") {
		t.Error("what has nothing to do with the change is hidden while documents wait")
	}
	r.db.set(nil, nil)
	r.caughtUp()
	r.checked()
	r.verified()
}
