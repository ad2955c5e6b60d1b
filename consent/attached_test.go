package consent_test

import (
	"fmt"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
)

// groupOf is a Group with one member.
func groupOf(id, patient string) string {
	return body("Group", id, `,"type":"person","actual":true,"member":[{"entity":`+to("Patient/"+patient)+`}]`)
}

// document is a DocumentReference that attaches Binary/A.b.
func document(id, subject string) string {
	return body("DocumentReference", id, `,"status":"current","subject":`+to(subject)+`,"content":[{"attachment":{"url":"Binary/A.b"}}]`)
}

// hiddenWhile calls do and rekeys the backlog, and fails the test for each document that somebody sees
// after one of the commits.
func (r *region) hiddenWhile(p consent.Principal, do func(), refs ...store.Ref) {
	r.Helper()
	commits := 0
	r.db.set(nil, func(_ store.Batch, err error) error {
		commits++
		for _, ref := range refs {
			if r.sees(p, ref.Type, ref.ID) {
				r.Errorf("%s of %s sees %s after commit %d", p.Subject, p.Organisation, ref, commits)
			}
		}
		return err
	})
	defer r.db.set(nil, nil)
	do()
	r.caughtUp()
	if commits < 2 {
		r.Error("nothing is rekeyed after the commit: the test has no effect")
	}
}

// TestBinaryOfManyDocuments: a Binary depends on all documents that attach it. From a commit that changes the
// owners of one of these on, the Binary and its direct and indirect dependents are hidden from everybody who
// must not see them in the end (SMART-257, CON-406, LIM-002).
func TestBinaryOfManyDocuments(t *testing.T) {
	refusals := map[string]struct {
		patient, consent string
		own              bool // staff of the source may not see it either
	}{
		"opted out":  {body("Patient", "G.1", ""), optOut("G.c", "G.1"), false},
		"denied":     {body("Patient", "G.1", ""), directive("G.c", "denial", to("Patient/G.1")), true},
		"restricted": {strings.Replace(body("Patient", "G.1", ""), `"id"`, `"meta":{"security":[{"code":"R"}]},"id"`, 1), "", true},
	}
	for _, n := range []int{1, 30, many} { // attach it through a Group
		for name, c := range refusals {
			t.Run(fmt.Sprintf("%d documents, %s", n, name), func(t *testing.T) {
				r := newRegion(t, policy.RelationshipAssumed)
				r.mustPut(r.source("G"), c.patient)
				r.mustPut(r.source("G"), body("Patient", "G.2", ""))
				if c.consent != "" {
					r.mustPut(r.source("G"), c.consent)
				}
				r.mustPut(r.source("A"), groupOf("A.g", "G.2"))
				r.named(n, func(i int) string { return document(fmt.Sprintf("A.%d", i), "Group/A.g") })
				r.mustPut(r.source("A"), document("A.z", "Patient/G.2"))
				r.mustPut(r.source("A"), body("Binary", "A.b", `,"contentType":"text/plain","data":"b25l"`))
				r.mustPut(r.source("A"), listOf("A.l", 1, func(int) string { return "Binary/A.b" }))
				r.mustPut(r.source("A"), listOf("A.m", 1, func(int) string { return "List/A.l" }))
				r.caughtUp()
				refs := []store.Ref{{Type: "Binary", ID: "A.b"}, {Type: "List", ID: "A.l"}, {Type: "List", ID: "A.m"}}
				for _, ref := range refs {
					if !r.sees(r.staff("G"), ref.Type, ref.ID) {
						t.Errorf("nobody but its source sees %s: the test tests nothing", ref)
					}
				}
				reader := r.staff("G")
				if c.own {
					reader = r.staff("A")
				}
				r.hiddenWhile(reader, func() { r.mustPut(r.source("A"), groupOf("A.g", "G.1")) }, refs...)
				if !r.sees(r.source("A"), "Binary", "A.b") {
					t.Error("its source does not see the Binary")
				}
				r.checked()
			})
		}
	}
}
