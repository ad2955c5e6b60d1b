package consent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/store"
)

// reading calls between during a read, after its snapshot was taken, and reports whether the read shows a
// document afterwards.
func (r *region) reading(p consent.Principal, ref store.Ref, between func()) bool {
	r.Helper()
	err := r.guard.Read(context.Background(), p, consent.Request{Interaction: consent.Read, Type: ref.Type, Permission: consent.PermitRead}, func(v *consent.View) error {
		between()
		_, err := v.Get(context.Background(), ref)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.Fatal(err)
	}
	return err == nil
}

// TestReadersFromBeforeADeletion: a read whose snapshot is from before the deletion of a Patient shows nothing
// that the patient refused, by number or by a restriction, even if the Patient is restored (CON-1401).
func TestReadersFromBeforeADeletion(t *testing.T) {
	restricted := strings.Replace(patientWith("G.1", number), `"id"`, `"meta":{"security":[{"code":"R"}]},"id"`, 1)
	for name, c := range map[string]struct{ patient, consent string }{
		"denied by number":    {patientWith("G.1", number), directive("A.c", "denial", logic)},
		"opted out by number": {patientWith("G.1", number), directive("A.c", "opt-out", logic)},
		"restricted":          {restricted, ""},
	} {
		for _, back := range []bool{false, true} {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), c.patient)
			r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
			if c.consent != "" {
				r.mustPut(r.source("A"), c.consent)
			}
			happens := func() {
				r.delete(r.source("G"), "Patient", "G.1")
				if back {
					r.mustPut(r.source("G"), c.patient)
				}
			}
			if r.reading(r.staff("A"), store.Ref{Type: "Observation", ID: "G.o"}, happens) {
				t.Errorf("%s, comes back %v: seen in the snapshot from before the deletion", name, back)
			}
			r.checked()
		}
	}
}

// TestRestrictedPatientComesBackUnrestricted: what the register keeps for an earlier read ends with the read.
func TestRestrictedPatientComesBackUnrestricted(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"id"`, `"meta":{"security":[{"code":"R"}]},"id"`, 1))
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	r.reading(r.staff("A"), store.Ref{Type: "Observation", ID: "G.o"}, func() {
		r.delete(r.source("G"), "Patient", "G.1")
		r.mustPut(r.source("G"), patientWith("G.1", number))
	})
	if !r.sees(r.staff("A"), "Observation", "G.o") {
		t.Error("the restriction outlasts the Patient who had it")
	}
	r.checked()
}

// TestConsentWithoutDirective: a Consent that denies nothing leaves nothing in the register.
func TestConsentWithoutDirective(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("A"), strings.Replace(directive("A.c", "opt-out", logic), `"active"`, `"inactive"`, 1))
	r.checked()
}

// TestDirectiveChangesItsKind: a Consent that changes from opt-out to denial between two queries of the
// register by a predicate is in force in both (CON-1603).
func TestDirectiveChangesItsKind(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	for _, id := range []string{"G.1", "G.2"} {
		r.mustPut(r.source("G"), body("Patient", id, ""))
		r.mustPut(r.source("G"), optOut("G.c"+id, id))
	}
	r.mustPut(r.source("A"), observation("A.own", "G.2", "")) // so that the mention hides nothing
	r.mustPut(r.source("G"), observation("G.o", "G.1", `"performer":[`+to("Patient/G.2")+`],`))
	look := &countingStore{Store: r.db}
	r.reopen(look)
	if r.reading(r.staff("A"), store.Ref{Type: "Observation", ID: "G.o"}, func() {
		look.onCount = func() { r.mustPut(r.source("G"), directive("G.cG.1", "denial", to("Patient/G.1"))) }
	}) {
		t.Error("a row is seen while an opt-out turns into a denial")
	}
	if look.onCount != nil {
		t.Error("the predicate queried no mention: the test has no effect")
	}
	r.checked()
}

// TestReadersFromBeforeTheBacklogEnded: a read that began before the last document was rekeyed, and matches
// after the entry has ended, does not show documents with outdated keys.
func TestReadersFromBeforeTheBacklogEnded(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	r.named(many, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
	r.delete(r.source("G"), "Patient", "G.1")
	last := store.Ref{Type: "Observation", ID: r.last("Observation")}
	if r.reading(r.staff("G"), last, func() { r.caughtUp() }) {
		t.Error("another organisation sees what was not keyed in its snapshot")
	}
	r.checked()
}

// TestWritesDuringTheBacklog: a source system that continues to rewrite the documents of the backlog does not
// keep it from its end, and a name that changes again is processed from the beginning (item 11).
func TestWritesDuringTheBacklog(t *testing.T) {
	for name, during := range map[string]func(*region, int){
		"the source rewrites": func(r *region, page int) {
			for i := range 20 {
				r.mustPut(r.source("A"), observation(fmt.Sprintf("A.%d", (page*37+i)%many), "G.1", fmt.Sprintf(`"language":"p%d",`, page)))
			}
		},
		"the Patient comes back": func(r *region, page int) {
			if page == 1 {
				r.mustPut(r.source("G"), body("Patient", "G.1", ""))
			}
		},
		"the Patient comes back and goes": func(r *region, page int) {
			if page == 1 {
				r.mustPut(r.source("G"), body("Patient", "G.1", ""))
				r.delete(r.source("G"), "Patient", "G.1")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), body("Patient", "G.1", ""))
			r.named(many, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
			r.delete(r.source("G"), "Patient", "G.1")
			pages := 0
			err := r.guard.CatchUp(context.Background(), func(context.Context, int) error {
				if pages++; pages > 100 {
					return errStop
				}
				during(r, pages)
				return nil
			})
			if err != nil {
				t.Errorf("after %d pages: %v", pages, err)
			}
			r.checked()
		})
	}
}

// TestWalksLeaveTheBacklogAlone: a walk for a search parameter does not rekey documents of the backlog, since
// their dependents would be left out.
func TestWalksLeaveTheBacklogAlone(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.named(many, func(i int) string { return byNumber(fmt.Sprintf("A.%d", i), number) })
	r.mustPut(r.source("A"), body("List", "A.l", `,"status":"current","mode":"working","entry":[{"item":`+to("Observation/"+r.last("Observation"))+`}]`))
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(consent.Principal{Kind: consent.System}, `{"resourceType":"SearchParameter","id":"p","url":"http://p","name":"p","status":"active","description":"x","code":"p","base":["Observation"],"type":"token","expression":"Observation.language"}`)
	if err := reindex.New(r.guard, r.db, time.Now).Parameters(context.Background(), func(context.Context, reindex.Walk) error { return nil }); err != nil {
		t.Fatal(err)
	}
	r.caughtUp()
	r.checked()
	if !r.sees(r.staff("G"), "List", "A.l") {
		t.Error("a List of what was keyed in the background is not keyed")
	}
}

// TestRowsOfTheRemainingPatient: documents by a number that two Patients had are covered by what the remaining
// one denied, from the commit on that deletes the other.
func TestRowsOfTheRemainingPatient(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("G"), patientWith("G.2", number))
	r.named(many, func(i int) string { return byNumber(fmt.Sprintf("A.%d", i), number) })
	r.mustPut(r.source("G"), directive("G.c", "denial", to("Patient/G.1")))
	r.delete(r.source("G"), "Patient", "G.2")
	if r.sees(r.staff("A"), "Observation", r.last("Observation")) {
		t.Error("staff of the source see what is about who denied it")
	}
	r.caughtUp()
	r.checked()
}

// TestWaitingForARestrictedPatient: an indirect dependent of a restricted Patient stays hidden until it is
// rekeyed after the deletion.
func TestWaitingForARestrictedPatient(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"id"`, `"meta":{"security":[{"code":"R"}]},"id"`, 1))
	r.mustPut(r.source("A"), body("Schedule", "A.s", `,"actor":[`+to("Patient/G.1")+`]`))
	r.named(many, func(i int) string {
		return body("List", fmt.Sprintf("A.%d", i), `,"status":"current","mode":"working","entry":[{"item":`+to("Schedule/A.s")+`}]`)
	})
	last := r.last("List")
	r.delete(r.source("G"), "Patient", "G.1")
	err := r.guard.CatchUp(context.Background(), func(context.Context, int) error {
		if r.sees(r.staff("A"), "List", last) {
			return fmt.Errorf("staff of the source see %s", last)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	r.checked()
}
