package consent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"carerecord/consent/policy"
	"carerecord/store"
)

// errStop interrupts a CatchUp.
var errStop = errors.New("stop")

// many is more documents than are rekeyed before a write is answered.
const many = 450

// named writes many documents of source A that name a patient of source G.
func (r *region) named(n int, write func(i int) string) {
	r.Helper()
	for i := range n {
		r.mustPut(r.source("A"), write(i))
	}
}

// TestManyNameAPatient: a Patient is created, renumbered and deleted in commits of bounded size, however many
// documents of another source name it. Until a document is rekeyed only its source sees it, and under a
// denial not even that. The background continues after an interruption and a restart (LIM-002, IDN-112).
func TestManyNameAPatient(t *testing.T) {
	for _, c := range []struct {
		name, typ string
		write     func(i int) string
		number    bool // they name the patient by number
	}{
		{"observations by id", "Observation", func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") }, false},
		{"observations by number", "Observation", func(i int) string { return byNumber(fmt.Sprintf("A.%d", i), number) }, true},
		{"Lists", "List", func(i int) string {
			return body("List", fmt.Sprintf("A.%d", i), `,"status":"current","mode":"working","entry":[{"item":`+to("Patient/G.1")+`}]`)
		}, false},
		{"Appointments", "Appointment", func(i int) string {
			return body("Appointment", fmt.Sprintf("A.%d", i), `,"status":"booked","participant":[{"actor":`+to("Patient/G.1")+`,"status":"accepted"}]`)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.named(many, c.write)
			for _, step := range []struct {
				name   string
				do     func()
				shared bool // afterwards, when all is keyed
				waits  bool // whether these documents follow from the step
			}{
				{"created", func() { r.mustPut(r.source("G"), patientWith("G.1", number)) }, true, !c.number},
				{"renumbered", func() { r.mustPut(r.source("G"), patientWith("G.1", "9990000026")) }, !c.number, !c.number},
				{"numbered again", func() { r.mustPut(r.source("G"), patientWith("G.1", number)) }, true, !c.number},
				{"deleted", func() { r.delete(r.source("G"), "Patient", "G.1") }, false, !c.number},
			} {
				r.db.largest()
				step.do()
				if n := r.db.largest(); n > 60 {
					t.Errorf("%s: a commit has %d writes", step.name, n)
				}
				names, done := r.guard.Backlog()
				if (names > 0) != step.waits || step.waits && (done < 150 || done > 260) {
					t.Errorf("%s: %d names wait, and %d documents were looked at", step.name, names, done)
				}
				if step.waits {
					r.waiting(c.typ)
				}
				r.interrupted()
				r.checked()
				if n := r.seenBy("A", c.typ); n != many {
					t.Errorf("%s: their source sees %d of %d", step.name, n, many)
				}
				want := 0
				if step.shared {
					want = many
				}
				if n := r.seenBy("G", c.typ); n != want {
					t.Errorf("%s: another organisation sees %d, want %d", step.name, n, want)
				}
			}
		})
	}
}

// TestPagesReadAPatientOnce: rekeying the rows of a Patient reads the Patient once for a page and not for each row: on
// MongoDB every such read is a command.
func TestPagesReadAPatientOnce(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	look := &countingStore{Store: r.db}
	r.reopen(look)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.named(many, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
	r.caughtUp()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"the number changes", func() { r.mustPut(r.source("G"), patientWith("G.1", "9990000026")) }},
		{"the number goes", func() { r.mustPut(r.source("G"), body("Patient", "G.1", "")) }},
		{"the number arrives", func() { r.mustPut(r.source("G"), patientWith("G.1", number)) }},
		{"deleted", func() { r.delete(r.source("G"), "Patient", "G.1") }},
		{"restored", func() { r.mustPut(r.source("G"), patientWith("G.1", number)) }},
	} {
		look.gets = 0
		step.do()
		r.caughtUp()
		if look.gets > many/5 {
			t.Errorf("%s: %d documents were read one by one for %d rows, want at most %d", step.name, look.gets, many, many/5)
		}
		t.Logf("%s: %d documents were read one by one", step.name, look.gets)
	}
	r.checked()
}

func (r *region) seenBy(ods, typ string) int {
	r.Helper()
	n, _, err := r.count(r.staff(ods), typ, "")
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// waiting checks that documents in the backlog are visible only to their source, and under a denial only to
// the client that wrote them.
func (r *region) waiting(typ string) {
	r.Helper()
	id := r.last(typ)
	if r.sees(r.staff("G"), typ, id) {
		r.Error("another organisation sees what is not keyed yet")
	}
	if !r.sees(r.staff("A"), typ, id) || !r.sees(r.source("A"), typ, id) {
		r.Error("its source does not see what is not keyed yet")
	}
	deny := directive("G.c", "denial", `{"reference":"Patient/G.1"}`)
	r.mustPut(r.source("G"), deny)
	if r.sees(r.staff("A"), typ, id) {
		r.Error("staff of its source see what is not keyed yet and denied")
	}
	if !r.sees(r.source("A"), typ, id) {
		r.Error("its source does not see what is denied")
	}
	r.mustPut(r.source("G"), strings.Replace(deny, `"active"`, `"inactive"`, 1))
}

// last returns the id of the document of a type that is rekeyed last.
func (r *region) last(typ string) (id string) {
	r.Helper()
	err := r.db.Reference.Read(context.Background(), func(s store.Snapshot) error {
		for d, err := range s.Scan(context.Background(), store.Query{Type: typ, Where: store.And{}, KeysOnly: true}) {
			if err != nil {
				return err
			}
			id = d.Ref.ID
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// interrupted processes the backlog, is interrupted after its first page, and continues with another Guard.
func (r *region) interrupted() {
	r.Helper()
	before, done := r.guard.Backlog()
	err := r.guard.CatchUp(context.Background(), func(context.Context, int) error { return errStop })
	if err != nil && !errors.Is(err, errStop) {
		r.Fatal(err)
	}
	names, after := r.guard.Backlog()
	r.restart()
	if n, d := r.guard.Backlog(); n != names || d != after || n == before && d < done {
		r.Errorf("after a restart %d names wait with %d documents done, before %d with %d", n, d, names, after)
	}
	r.caughtUp()
}

func (r *region) caughtUp() {
	r.Helper()
	if err := r.guard.CatchUp(context.Background(), func(ctx context.Context, _ int) error { return ctx.Err() }); err != nil {
		r.Fatal(err)
	}
	if n, _ := r.guard.Backlog(); n > 0 {
		r.Errorf("%d names wait when all is keyed", n)
	}
}
