package consent_test

import (
	"fmt"
	"testing"

	"carerecord/consent/policy"
	"carerecord/store"
)

// TestManyIndirectDependents: a document that changes has more dependents than are read to find indirect ones.
// They are about different persons, and each has a dependent. From the commit on, an indirect dependent is
// hidden from everybody who must not see it in the end (CON-406, LIM-002).
func TestManyIndirectDependents(t *testing.T) {
	const n = 220
	schedule := func(actor string) string { return body("Schedule", "A.x", `,"actor":[`+to(actor)+`]`) }
	row := func(patient string) string { return observation("A.x", patient, "") }
	for name, c := range map[string]struct {
		typ, before, after string // after is empty for a deletion
		consent            string
		own                bool // staff of the source may not see it either
	}{
		"about nobody, then about one who opted out": {"Schedule", schedule("Practitioner/G.p"), schedule("Patient/G.1"), optOut("G.c", "G.1"), false},
		"about nobody, then about one who denied":    {"Schedule", schedule("Practitioner/G.p"), schedule("Patient/G.1"), directive("G.c", "denial", to("Patient/G.1")), true},
		"about one, then about one who opted out":    {"Observation", row("G.2"), row("G.1"), optOut("G.c", "G.1"), false},
		"about one, then about one who denied":       {"Observation", row("G.2"), row("G.1"), directive("G.c", "denial", to("Patient/G.1")), true},
		"not there, then about one who denied":       {"Observation", "", row("G.1"), directive("G.c", "denial", to("Patient/G.1")), true},
		"about nobody, then deleted":                 {"Schedule", schedule("Practitioner/G.p"), "", optOut("G.c", "G.1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), body("Practitioner", "G.p", ""))
			r.mustPut(r.source("G"), body("Patient", "G.1", ""))
			r.mustPut(r.source("G"), body("Patient", "G.2", ""))
			r.mustPut(r.source("G"), c.consent)
			if c.before != "" {
				r.mustPut(r.source("A"), c.before)
			}
			var refs []store.Ref
			for i := range n {
				patient, first, second := fmt.Sprintf("A.p%d", i), fmt.Sprintf("A.l%d", i), fmt.Sprintf("A.m%d", i)
				r.mustPut(r.source("A"), body("Patient", patient, ""))
				r.mustPut(r.source("A"), listOf(first, 2, func(k int) string { return []string{"Patient/" + patient, c.typ + "/A.x"}[k] }))
				r.mustPut(r.source("A"), listOf(second, 1, func(int) string { return "List/" + first }))
				if i%50 == 49 {
					refs = append(refs, store.Ref{Type: "List", ID: second})
				}
			}
			r.caughtUp()
			reader := r.staff("G")
			if c.own {
				reader = r.staff("A")
			}
			if !r.sees(reader, "List", refs[0].ID) {
				t.Error("the followers are hidden before: the test tests nothing")
			}
			r.hiddenWhile(reader, func() {
				if c.after == "" {
					r.delete(r.source("A"), c.typ, "A.x")
				} else {
					r.mustPut(r.source("A"), c.after)
				}
			}, refs...)
			r.checked()
		})
	}
}
