package consent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/store"
)

// body writes a resource with its type, id and other members.
func body(typ, id, members string) string {
	return fmt.Sprintf(`{"resourceType":"%s","id":"%s"%s}`, typ, id, members)
}

func to(ref string) string { return `{"reference":"` + ref + `"}` }

// sourceWrite is a write of a source system: a body, or the address of a deletion.
type sourceWrite struct{ body, typ, id string }

func puts(body string) sourceWrite       { return sourceWrite{body: body} }
func deletes(typ, id string) sourceWrite { return sourceWrite{typ: typ, id: id} }

// writes does a write of source G, with a call between its read and its commit.
func (r *region) writes(a sourceWrite, between func()) error {
	ch := consent.Change{Kind: consent.ChangeDelete, Ref: store.Ref{Type: a.typ, ID: a.id}}
	req := consent.Request{Interaction: consent.Delete, Type: a.typ, Permission: consent.PermitDelete, Write: true}
	if a.body != "" {
		res, err := fhir.Parse([]byte(a.body))
		if err != nil {
			r.Fatal(err)
		}
		ch = consent.Change{Kind: consent.ChangeUpdate, Ref: store.Ref{Type: res.Type, ID: res.ID}, Body: res.Body}
		req = consent.Request{Interaction: consent.Update, Type: res.Type, Permission: consent.PermitUpdate, Write: true}
	}
	return r.guard.Read(context.Background(), r.source("G"), req, func(v *consent.View) error {
		between()
		_, err := v.Commit(context.Background(), []consent.Change{ch}, nil)
		return err
	})
}

// TestFactsFollowSimultaneousWrites: for each way in which facts of a document depend on another one, both are
// written at the same time: one is read and decided, the other is committed, and then the first is. It is
// refused, or the dependent one is rekeyed (issue 15, item 2).
func TestFactsFollowSimultaneousWrites(t *testing.T) {
	const two = `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000026"}]`
	plain := body("Patient", "G.1", "")
	row := observation("G.o", "G.1", "")
	other := observation("G.o", "G.2", "")
	label := observation("G.o", "G.1", `"meta":{"security":[{"code":"R"}]},`)
	entry := body("List", "G.l", `,"status":"current","mode":"working","entry":[{"item":`+to("Observation/G.o")+`}]`)
	group := body("Group", "G.g", `,"type":"person","actual":true,"member":[{"entity":`+to("Patient/G.1")+`}]`)
	ofGroup := body("Observation", "G.of", `,"status":"final","code":{"text":"x"},"subject":`+to("Group/G.g"))
	witness := body("Provenance", "G.p", `,"target":[`+to("Observation/G.o")+`]`)
	ofList := body("Provenance", "G.p", `,"target":[`+to("List/G.l")+`]`)
	document := body("DocumentReference", "G.d", `,"status":"current","subject":`+to("Patient/G.1")+`,"content":[{"attachment":{"url":"Binary/G.b"}}]`)
	detached := body("DocumentReference", "G.d", `,"status":"current","subject":`+to("Patient/G.1")+`,"content":[{"attachment":{"url":"http://x/y"}}]`)
	labelled := body("DocumentReference", "G.d", `,"meta":{"security":[{"code":"R"}]},"status":"current","subject":`+to("Patient/G.1")+`,"content":[{"attachment":{"url":"Binary/G.b"}}]`)
	binary := body("Binary", "G.b", `,"contentType":"text/plain","data":"b25l"`)
	governed := body("Binary", "G.b", `,"contentType":"text/plain","securityContext":`+to("Observation/G.o")+`,"data":"b25l"`)
	mention := body("Observation", "G.m", `,"status":"final","code":{"text":"x"},"subject":`+to("Patient/G.2")+`,"performer":[`+logic+`]`)
	schedule := body("Schedule", "G.s", `,"actor":[`+to("Patient/G.1")+`]`)
	another := body("Schedule", "G.s", `,"actor":[`+to("Patient/G.2")+`]`)
	slot := body("Slot", "G.t", `,"status":"free","schedule":`+to("Schedule/G.s"))
	for _, c := range []struct {
		name   string
		before []string
		a, b   sourceWrite
	}{
		{"a row by number, its Patient is created", nil, puts(byNumber("G.n", number)), puts(patientWith("G.1", number))},
		{"a row by number, its Patient goes", []string{patientWith("G.1", number)}, puts(byNumber("G.n", number)), deletes("Patient", "G.1")},
		{"a row by number, a second Patient with it is created", []string{patientWith("G.1", number)}, puts(byNumber("G.n", number)), puts(patientWith("G.2", number))},
		{"a row by number, one of two bearers goes", []string{patientWith("G.1", number), patientWith("G.2", number)}, puts(byNumber("G.n", number)), deletes("Patient", "G.2")},
		{"a row by number, its Patient changes the number", []string{patientWith("G.1", number)}, puts(byNumber("G.n", number)), puts(body("Patient", "G.1", ","+two))},
		{"a row by number is updated, its Patient is created", []string{byNumber("G.n", "9990000026")}, puts(byNumber("G.n", number)), puts(patientWith("G.1", number))},
		{"a row by id, its Patient is created", nil, puts(row), puts(plain)},
		{"a row by id, its Patient goes", []string{plain}, puts(row), deletes("Patient", "G.1")},
		{"a List, its member changes owner", []string{plain, row}, puts(entry), puts(other)},
		{"a List, its member is created", []string{plain}, puts(entry), puts(row)},
		{"a List, its member goes", []string{plain, row}, puts(entry), deletes("Observation", "G.o")},
		{"a List of a member by number, its Patient is created", []string{byNumber("G.o", number)}, puts(entry), puts(patientWith("G.1", number))},
		{"a row of a Group, the Group is created", []string{plain}, puts(ofGroup), puts(group)},
		{"a row of a Group, the Group goes", []string{plain, group}, puts(ofGroup), deletes("Group", "G.g")},
		{"a Group, its Patient goes", []string{plain}, puts(group), deletes("Patient", "G.1")},
		{"a Provenance, its target changes owner", []string{plain, row}, puts(witness), puts(other)},
		{"a Provenance, its target goes", []string{plain, row}, puts(witness), deletes("Observation", "G.o")},
		{"a Provenance, its target comes back", []string{plain, row, "DELETE Observation G.o"}, puts(witness), puts(row)},
		{"a Provenance of a tombstone, its Patient goes", []string{plain, row, "DELETE Observation G.o"}, puts(witness), deletes("Patient", "G.1")},
		{"a Provenance of a deleted List, its member changes owner", []string{plain, row, entry, "DELETE List G.l"}, puts(ofList), puts(other)},
		{"a Binary, a document attaches it", []string{plain}, puts(binary), puts(document)},
		{"a Binary, its document detaches it", []string{plain, document}, puts(binary), puts(detached)},
		{"a Binary, its document gets a label", []string{plain, document}, puts(binary), puts(labelled)},
		{"a Binary, its document goes", []string{plain, document}, puts(binary), deletes("DocumentReference", "G.d")},
		{"a Binary, the Patient of its document goes", []string{plain, document}, puts(binary), deletes("Patient", "G.1")},
		{"a Binary, the target of its context changes owner", []string{plain, row}, puts(governed), puts(other)},
		{"a Binary, the target of its context gets a label", []string{plain, row}, puts(governed), puts(label)},
		{"a Binary, the target of its context is created", []string{plain}, puts(governed), puts(row)},
		{"a mention by number, its Patient is created", []string{body("Patient", "G.2", "")}, puts(mention), puts(patientWith("G.1", number))},
		{"a mention by number, its Patient goes", []string{body("Patient", "G.2", ""), patientWith("G.1", number)}, puts(mention), deletes("Patient", "G.1")},
		{"a Slot, its Schedule changes owner", []string{plain, schedule}, puts(slot), puts(another)},
		{"a Slot, its Schedule is created", []string{plain}, puts(slot), puts(schedule)},
		{"a Consent by number, its Patient is created", []string{row}, puts(directive("G.c", "denial", logic)), puts(patientWith("G.1", number))},
		{"a Consent by number, its Patient goes", []string{patientWith("G.1", number), row}, puts(directive("G.c", "denial", logic)), deletes("Patient", "G.1")},
		{"a Patient loses the number, the other one goes", []string{patientWith("G.1", number), patientWith("G.2", number), byNumber("G.n", number)}, puts(plain), deletes("Patient", "G.2")},
		{"two Patients take one number", []string{byNumber("G.n", number)}, puts(patientWith("G.1", number)), puts(patientWith("G.2", number))},
	} {
		for order, pair := range map[string][2]sourceWrite{"it is slower": {c.a, c.b}, "it is faster": {c.b, c.a}} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				r := newRegion(t, policy.RelationshipAssumed)
				r.mustPut(r.source("G"), body("Patient", "G.2", ""))
				for _, b := range c.before {
					r.prepared(b)
				}
				slow, quick := pair[0], pair[1]
				err := r.writes(slow, func() {
					if err := r.writes(quick, func() {}); err != nil {
						t.Fatalf("what is faster: %v", err)
					}
				})
				for try := 0; errors.Is(err, store.ErrConflict) && try < 3; try++ {
					err = r.writes(slow, func() {})
				}
				if err != nil {
					t.Fatalf("what is slower: %v", err)
				}
				r.checked()
				if c.a.body == directive("G.c", "denial", logic) && r.sees(r.staff("G"), "Observation", "G.o") {
					t.Error("an acknowledged denial is not in force")
				}
			})
		}
	}
}

// prepared writes a body, or deletes what "DELETE type id" names.
func (r *region) prepared(b string) {
	r.Helper()
	var typ, id string
	if n, _ := fmt.Sscanf(b, "DELETE %s %s", &typ, &id); n == 2 {
		r.delete(r.source("G"), typ, id)
		return
	}
	r.mustPut(r.source("G"), b)
}
