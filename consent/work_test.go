package consent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// times calls write n times and joins the results with commas.
func times(n int, write func(i int) string) string {
	out := make([]string, n)
	for i := range out {
		out[i] = write(i)
	}
	return strings.Join(out, ",")
}

func id(i int) string { return fmt.Sprintf("A.%d", i) }

func listOf(id string, n int, member func(i int) string) string {
	return body("List", id, `,"status":"current","mode":"working","entry":[`+times(n, func(i int) string { return `{"item":` + to(member(i)) + `}` })+`]`)
}

func attaching(i int) string {
	return body("DocumentReference", id(i), `,"status":"current","subject":`+to("Patient/G.1")+`,"content":[{"attachment":{"url":"Binary/A.b"}}]`)
}

// conditionally commits n creates in one batch, each on the condition that no document has its identifier.
func (r *region) conditionally(n int) {
	r.Helper()
	var changes []consent.Change
	for i := range n {
		res, err := fhir.Parse([]byte(observation(id(i), "G.1", "")))
		if err != nil {
			r.Fatal(err)
		}
		key := index.CrossTypeDependsOnKey(fmt.Sprintf("nothing%d", i))
		changes = append(changes, consent.Change{Kind: consent.ChangeCreate, Ref: store.Ref{Type: res.Type, ID: res.ID}, Body: res.Body,
			Absent: store.Eq{Key: key}, Claims: []store.Key{key}})
	}
	req := consent.Request{Interaction: consent.Transaction, Write: true}
	err := r.guard.Read(context.Background(), r.source("A"), req, func(v *consent.View) error {
		_, err := v.Commit(context.Background(), changes, nil)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

// workCase is a record of some size and an action on it.
type workCase struct {
	name   string
	before func(r *region, n int)
	steps  []func(r *region, n int)
}

func workCases() []workCase {
	created := func(r *region, _ int) { r.mustPut(r.source("G"), patientWith("G.1", number)) }
	renumbered := func(r *region, _ int) { r.mustPut(r.source("G"), patientWith("G.1", "9990000026")) }
	deleted := func(r *region, _ int) { r.delete(r.source("G"), "Patient", "G.1") }
	life := []func(*region, int){created, renumbered, created, deleted, created}
	rows := func(r *region, n int) {
		r.named(n, func(i int) string { return observation(id(i), "G.1", "") })
	}
	removed := func(typ, id string) func(*region, int) {
		return func(r *region, _ int) { r.delete(r.source("A"), typ, id) }
	}
	put := func(write func(n int) string) func(*region, int) {
		return func(r *region, n int) { r.mustPut(r.source("A"), write(n)) }
	}
	list := put(func(n int) string { return listOf("A.l", n, func(i int) string { return "Observation/" + id(i) }) })
	group := put(func(n int) string {
		return body("Group", "A.g", `,"type":"person","actual":true,"member":[`+times(n, func(i int) string { return `{"entity":` + to("Patient/"+id(i)) + `}` })+`]`)
	})
	meeting := put(func(n int) string {
		return body("Appointment", "A.a", `,"status":"booked","participant":[`+times(n, func(i int) string { return `{"actor":` + to("Patient/"+id(i)) + `,"status":"accepted"}` })+`]`)
	})
	target := put(func(int) string { return observation("A.o", "G.1", "") })
	elsewhere := put(func(int) string { return observation("A.o", "G.2", "") })
	patients := func(r *region, n int) {
		r.named(n, func(i int) string { return patientWith(id(i), number) })
	}
	return []workCase{
		{"Lists that name a patient", func(r *region, n int) {
			r.named(n, func(i int) string { return listOf(id(i), 1, func(int) string { return "Patient/G.1" }) })
		}, life},
		{"rows by id of a patient", rows, life},
		{"rows by number of a patient", func(r *region, n int) { r.named(n, func(i int) string { return byNumber(id(i), number) }) }, life},
		{"members of a List", func(r *region, n int) { created(r, n); rows(r, n) }, []func(*region, int){list, put(func(int) string { return observation(id(0), "G.2", "") }), removed("List", "A.l"), list}},
		{"members of a List, of one patient", func(r *region, n int) { created(r, n); rows(r, n); list(r, n) }, []func(*region, int){deleted, created}},
		{"members of a Group", patients, []func(*region, int){group, removed("Patient", id(0)), removed("Group", "A.g")}},
		{"participants of an Appointment", patients, []func(*region, int){meeting, removed("Patient", id(0)), removed("Appointment", "A.a")}},
		{"rows of a Group of one patient", func(r *region, n int) {
			created(r, n)
			r.mustPut(r.source("A"), body("Group", "A.g", `,"type":"person","actual":true,"member":[{"entity":`+to("Patient/G.1")+`}]`))
			r.named(n, func(i int) string {
				return body("Observation", id(i), `,"status":"final","code":{"text":"x"},"subject":`+to("Group/A.g"))
			})
		}, []func(*region, int){deleted, created}},
		{"Provenances of a target", func(r *region, n int) {
			created(r, n)
			target(r, n)
			r.named(n, func(i int) string { return body("Provenance", id(i), `,"target":[`+to("Observation/A.o")+`]`) })
		}, []func(*region, int){elsewhere, removed("Observation", "A.o"), target, deleted}},
		{"documents that attach a Binary", func(r *region, n int) {
			created(r, n)
			r.named(n, attaching)
		}, []func(*region, int){put(func(int) string { return body("Binary", "A.b", `,"contentType":"text/plain","data":"b25l"`) }),
			removed("DocumentReference", id(0)), put(func(int) string { return attaching(0) }), deleted, created, removed("Binary", "A.b")}},
		{"Patients with a number", patients, []func(*region, int){
			put(func(int) string { return byNumber("A.n", number) }), put(func(int) string { return directive("A.c", "denial", logic) }),
			removed("Patient", id(0)), put(func(int) string { return patientWith(id(0), number) })}},
		{"criteria of conditional creates", created, []func(*region, int){func(r *region, n int) { r.conditionally(n) }}},
	}
}

// TestWorkGrowsWithItsInput: the work of a write, and of the background after it, grows at most as n log n with the
// number of documents concerned. Reads, queries, documents found, writes and preconditions are counted.
func TestWorkGrowsWithItsInput(t *testing.T) {
	const n = 110 // 2n is more than is keyed before a write is answered
	for _, c := range workCases() {
		t.Run(c.name, func(t *testing.T) {
			work := make([][]int, 2)
			for i, size := range []int{2 * n, 4 * n} {
				r := newRegion(t, policy.RelationshipAssumed)
				look := &countingStore{Store: r.db}
				r.reopen(look)
				r.mustPut(r.source("G"), body("Patient", "G.2", ""))
				c.before(r, size)
				r.caughtUp()
				look.work()
				for _, step := range c.steps {
					step(r, size)
					r.caughtUp()
					work[i] = append(work[i], look.work())
				}
				r.checked()
			}
			// 4n log 4n is 2.3 times 2n log 2n for this n, and 4n squared is four times.
			for i := range c.steps {
				small, large := work[0][i], work[1][i]
				if large*10 > small*25 {
					t.Errorf("step %d: the work grows from %d to %d as the input doubles", 1+i, small, large)
				}
			}
			t.Logf("work for 2n and 4n, step by step: %v, %v", work[0], work[1])
		})
	}
}
