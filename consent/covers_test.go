package consent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/store"
)

// patientWith is a Patient with an NHS number.
func patientWith(id, number string) string {
	return `{"resourceType":"Patient","id":"` + id + `","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}]}`
}

// byNumber is an observation that names its patient by NHS number.
func byNumber(id, number string) string {
	return `{"resourceType":"Observation","id":"` + id + `","status":"final","code":{"text":"x"},"subject":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}}}`
}

// directive is an active Consent about somebody; patient is the Reference.
func directive(id, kind, patient string) string {
	body := optOut(id, "x")
	if kind == "denial" {
		body = strings.Replace(body, "416409005", "somethingelse", 1)
	}
	return strings.Replace(body, `{"reference":"Patient/x"}`, patient, 1)
}

const (
	number = "9990000018"
	logic  = `{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}}`
)

// TestOthersDoNotEndARefusal: a directive by NHS number covers every Patient that has the number in any
// version and every row that names it, whatever other sources write. One by id covers what is about that id,
// also after the Patient is deleted (items 3 and 9; CON-406, CON-502). Both stay after a restart.
func TestOthersDoNotEndARefusal(t *testing.T) {
	steps := map[string]func(*region){
		"nothing happens":                        func(*region) {},
		"another source writes a second Patient": func(r *region) { r.mustPut(r.source("A"), patientWith("A.1", number)) },
		"the number of the Patient changes":      func(r *region) { r.mustPut(r.source("G"), patientWith("G.1", "9990000026")) },
		"the Patient loses the number":           func(r *region) { r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`) },
		"the Patient is deleted":                 func(r *region) { r.delete(r.source("G"), "Patient", "G.1") },
		"the Patient is deleted and comes back": func(r *region) {
			r.delete(r.source("G"), "Patient", "G.1")
			r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
		},
		"the number changes, then a second comes": func(r *region) {
			r.mustPut(r.source("G"), patientWith("G.1", "9990000026"))
			r.mustPut(r.source("A"), patientWith("A.1", number))
		},
	}
	before := map[string]func(*region){
		"the Patient is there":    func(r *region) { r.mustPut(r.source("G"), patientWith("G.1", number)) },
		"the Patient comes later": func(*region) {},
		"the number was another's": func(r *region) {
			r.mustPut(r.source("G"), patientWith("G.1", "9990000034"))
			r.mustPut(r.source("G"), patientWith("G.1", number))
		},
	}
	for _, kind := range []string{"opt-out", "denial"} {
		for _, by := range []string{logic, `{"reference":"Patient/G.1"}`} {
			for first, prepare := range before {
				for then, happens := range steps {
					t.Run(fmt.Sprintf("%s by %s, %s, %s", kind, by, first, then), func(t *testing.T) {
						r := newRegion(t, policy.RelationshipAssumed)
						prepare(r)
						r.mustPut(r.source("A"), directive("A.c", kind, by))
						r.mustPut(r.source("G"), patientWith("G.1", number))
						r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
						r.mustPut(r.source("G"), byNumber("G.n", number))
						r.mustPut(r.source("A"), observation("A.o", "G.1", ""))
						happens(r)
						r.covered(kind, by == logic)
						r.restart()
						r.covered(kind, by == logic)
					})
				}
			}
		}
	}
}

// covered checks that under an opt-out only the organisation that wrote a row sees it, and under a denial
// nobody. A row by number is covered by a directive by number.
func (r *region) covered(kind string, byNumber bool) {
	r.Helper()
	r.verified()
	for _, c := range []struct{ ods, id, source string }{{"A", "G.o", "G"}, {"A", "G.n", "G"}, {"G", "A.o", "A"}, {"G", "G.o", "G"}, {"G", "G.n", "G"}} {
		if c.id == "G.n" && !byNumber {
			continue // the number may be another Patient's by now, whom the directive does not name
		}
		_, err := r.get(r.staff(c.ods), "Observation", c.id)
		hidden := errors.Is(err, store.ErrNotFound)
		if want := kind == "denial" || c.ods != c.source; hidden != want {
			r.Errorf("%s of %s for staff of %s: hidden is %v (%v), want %v", c.id, c.source, c.ods, hidden, err, want)
		}
	}
}

func (r *region) get(p consent.Principal, typ, id string) (d store.Doc, err error) {
	req := consent.Request{Interaction: consent.Read, Type: typ, Permission: consent.PermitRead}
	err = r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		d, err = v.Get(context.Background(), store.Ref{Type: typ, ID: id})
		return err
	})
	return d, err
}

// TestDeletingRestrictedPatientsReopensNothing (item 9).
func TestDeletingRestrictedPatientsReopensNothing(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"id"`, `"meta":{"security":[{"code":"r"}]},"id"`, 1))
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	r.mustPut(r.source("G"), `{"resourceType":"List","id":"G.l","entry":[{"item":{"reference":"Observation/G.o"}}]}`)
	r.delete(r.source("G"), "Patient", "G.1")
	for range 2 {
		for _, ref := range []store.Ref{{Type: "Observation", ID: "G.o"}, {Type: "List", ID: "G.l"}} {
			if _, err := r.get(r.staff("G"), ref.Type, ref.ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of a restricted Patient who was deleted: got %v, want it hidden", ref, err)
			}
		}
		r.verified()
		r.restart()
	}
}

// TestStatementsBelongToTheirMakers: a source system does not change the statement of a person, nor a person
// one of a source system, and PATCH has the rights of PUT (CON-502; item 9).
func TestStatementsBelongToTheirMakers(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}]}`)
	staff := r.staff("G", policy.ActivityOptOut)
	r.create(staff, optOut("said", "G.1"))
	r.mustPut(r.source("G"), optOut("G.fed", "G.1"))
	ended := func(id string) string { return strings.Replace(optOut(id, "G.1"), "active", "inactive", 1) }
	patch := func(p consent.Principal, id string) error {
		req := consent.Request{Interaction: consent.Patch, Type: "Consent", Permission: consent.PermitUpdate, Write: true}
		return r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
			_, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangePatch, Ref: store.Ref{Type: "Consent", ID: id},
				Edit: func(b []byte) ([]byte, error) {
					return []byte(strings.Replace(string(b), `"active"`, `"inactive"`, 1)), nil
				}}}, nil)
			return err
		})
	}
	for range 2 { // rekeying keeps who said it
		for _, c := range []struct {
			name string
			do   func() error
			want int
		}{
			{"a source's PUT of a Consent of staff", func() error { return r.put(r.source("G"), ended("said")) }, 403},
			{"a source's PATCH of a Consent of staff", func() error { return patch(r.source("G"), "said") }, 403},
			{"staff's PUT of a Consent of a source", func() error { return r.put(staff, ended("G.fed")) }, 403},
			{"staff's PATCH of a Consent of a source", func() error { return patch(staff, "G.fed") }, 403},
			{"the patient's PUT of a Consent of a source", func() error { return r.put(r.patient("G.1"), ended("G.fed")) }, 403},
			{"staff of another practice", func() error { return patch(r.staff("A", policy.ActivityOptOut), "said") }, 404},
		} {
			status := 0
			err := c.do()
			if e, ok := fhir.AsError(err); ok {
				status = e.Status
			} else if errors.Is(err, store.ErrNotFound) {
				status = 404
			}
			if status != c.want {
				t.Errorf("%s: got %v, want %d", c.name, err, c.want)
			}
		}
		r.reindex()
	}
	if err := patch(staff, "said"); err != nil {
		t.Errorf("staff's PATCH of what they said: got %v", err)
	}
	if err := patch(r.source("G"), "G.fed"); err != nil {
		t.Errorf("a source's PATCH of its own Consent: got %v", err)
	}
}

// TestLabelsOfAStatement: labels of a directive do not hide it from those who may end it (item 9).
func TestLabelsOfAStatement(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	for _, label := range []string{"HIV", "R", "NOPAT"} {
		body := strings.Replace(optOut("c"+label, "G.1"), `"status"`, `"meta":{"security":[{"code":"`+label+`"}]},"status"`, 1)
		r.create(r.patient("G.1"), body)
		r.mustPut(r.source("G"), strings.Replace(body, `"id":"`, `"id":"G.`, 1))
		if _, err := r.get(r.patient("G.1"), "Consent", "c"+label); err != nil {
			t.Errorf("label %s: the patient reads what they said: %v", label, err)
		}
		if _, err := r.get(r.staff("G"), "Consent", "G.c"+label); err != nil {
			t.Errorf("label %s: the practice reads what it recorded: %v", label, err)
		}
	}
}

// TestFormsOfSubjects: a refusal that names its patient in any form covers the rows that name the patient in
// that form, those of the own source included, and the Patient where it is known (item 4; CON-641).
func TestFormsOfSubjects(t *testing.T) {
	const local = `{"identifier":{"system":"http://local","value":"17"}}`
	for _, c := range []struct {
		name, patient string   // of the Consent
		hidden        []string // rows of the source that are hidden from its own staff
	}{
		{"by id", `{"reference":"Patient/G.1"}`, []string{"id", "local"}},
		{"by a version of it", `{"reference":"Patient/G.1/_history/1"}`, []string{"id", "local"}},
		{"by an id in another spelling", `{"reference":"/patient/G%2E1/"}`, []string{"id", "local"}},
		{"by the value of a local number", `{"identifier":{"value":"17"}}`, []string{"id", "local"}},
		{"by a local number in another spelling of its system", `{"identifier":{"system":"HTTP://Local/","value":"17"}}`, []string{"id", "local"}},
		{"by NHS number", logic, []string{"id", "number", "elsewhere"}},
		{"by NHS number with blanks", `{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":" 999 000 0018 "}}`, []string{"id", "number", "elsewhere"}},
		{"by NHS number and the address of another server", `{"reference":"https://elsewhere.test/fhir/Patient/9","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}}`, []string{"id", "number", "elsewhere"}},
		{"by another server's address", `{"reference":"https://elsewhere.test/fhir/Patient/9"}`, []string{"elsewhere"}},
		{"by a local number", local, []string{"id", "local"}},
	} {
		for _, first := range []bool{true, false} {
			r := newRegion(t, policy.RelationshipAssumed)
			consent := func() { r.mustPut(r.source("A"), directive("A.c", "denial", c.patient)) }
			if first {
				consent()
			}
			r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"identifier":[`, `"identifier":[{"system":"http://local","value":"17"},`, 1))
			rows := map[string]string{
				"id": `{"reference":"Patient/G.1"}`, "number": logic, "local": local,
				"elsewhere": `{"reference":"https://elsewhere.test/fhir/Patient/9","identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"}}`,
			}
			for id, subject := range rows {
				r.mustPut(r.source("G"), `{"resourceType":"Observation","id":"G.`+id+`","status":"final","code":{"text":"x"},"subject":`+subject+`}`)
			}
			if !first {
				consent()
			}
			for id := range rows {
				// What is resolved to the Patient by number is hidden with the Patient.
				want := slices.Contains(c.hidden, id) || (id == "number" || id == "elsewhere") && slices.Contains(c.hidden, "id")
				if got := !r.sees(r.staff("G"), "Observation", "G."+id); got != want {
					t.Errorf("%s, stored first %v: the row by %s is hidden: %v, want %v", c.name, first, id, got, want)
				}
			}
			r.checked()
			r.restart()
			r.checked()
		}
	}
}

// TestConsentOfNobody: a Consent of a source system that names nobody is refused with the element (CON-641).
func TestConsentOfNobody(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	e, ok := fhir.AsError(r.put(r.source("G"), directive("G.c", "denial", `{"display":"somebody"}`)))
	if !ok || e.Status != 422 || e.Issues[0].Expression != "Consent.patient" {
		t.Errorf("got %v, want 422 at Consent.patient", e)
	}
}

// TestSlotsFollowTheirSchedules: a Slot of a Practitioner's Schedule is about nobody, and one of a patient's
// Schedule is about that patient (item 9; CON-406).
func TestSlotsFollowTheirSchedules(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(r.source("A"), optOut("A.c", "G.1"))
	r.mustPut(r.source("G"), `{"resourceType":"Slot","id":"G.slot","status":"free","schedule":{"reference":"Schedule/G.s"}}`)
	schedule := func(actor string) {
		r.mustPut(r.source("G"), `{"resourceType":"Schedule","id":"G.s","actor":[{"reference":"`+actor+`"}]}`)
	}
	for range 2 {
		for actor, want := range map[string]bool{"Practitioner/p": true, "Patient/G.1": false} {
			schedule(actor)
			if got := r.sees(r.staff("A"), "Slot", "G.slot"); got != want {
				t.Errorf("the Slot of the Schedule of %s is seen: %v, want %v", actor, got, want)
			}
			r.checked()
		}
	}
}

// TestMentionsOfTheDeleted: the deletion of a Patient shows no mention of the Patient that was hidden (item
// 9; CON-407).
func TestMentionsOfTheDeleted(t *testing.T) {
	for name, refuse := range map[string]func(*region){
		"by number": func(r *region) { r.mustPut(r.source("G"), directive("G.c", "opt-out", logic)) },
		"by id":     func(r *region) { r.mustPut(r.source("A"), directive("A.c", "denial", `{"reference":"Patient/G.1"}`)) },
		"restricted": func(r *region) {
			r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"id"`, `"meta":{"security":[{"code":"V"}]},"id"`, 1))
		},
		"not at all": func(*region) {},
	} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), patientWith("G.1", number))
		r.mustPut(r.source("G"), patientWith("G.2", "9990000026"))
		r.mustPut(r.source("G"), observation("G.o", "G.2", `"performer":[{"reference":"Patient/G.1"}],`))
		refuse(r)
		want := name == "not at all"
		for _, when := range []string{"before", "after the deletion", "after a restart"} {
			switch when {
			case "after the deletion":
				r.delete(r.source("G"), "Patient", "G.1")
			case "after a restart":
				r.restart()
			}
			if got := r.sees(r.staff("A"), "Observation", "G.o"); got != want {
				t.Errorf("refused %s, %s: the row that mentions the Patient is seen: %v, want %v", name, when, got, want)
			}
		}
	}
}

// TestRowsByNumberStayCovered: a directive by the id of a Patient covers rows that name only a number of that
// Patient, even if other Patients get the number or the Patient is deleted (issue 15, item 3; CON-406), and
// the other Patients of the number (IDN-130).
func TestRowsByNumberStayCovered(t *testing.T) {
	for name, c := range map[string]func(r *region){
		"before the directive":   func(r *region) {},
		"the number changes":     func(r *region) { r.mustPut(r.source("A"), patientWith("A.u", "9990000026")) },
		"the Patient loses it":   func(r *region) { r.mustPut(r.source("A"), body("Patient", "A.u", "")) },
		"the Patient is deleted": func(r *region) { r.delete(r.source("A"), "Patient", "A.u") },
		"deleted, and comes again": func(r *region) {
			r.delete(r.source("A"), "Patient", "A.u")
			r.mustPut(r.source("A"), body("Patient", "A.u", ""))
		},
	} {
		for _, second := range []string{"before", "between", "after"} {
			t.Run(name+", a second Patient "+second, func(t *testing.T) {
				r := newRegion(t, policy.RelationshipAssumed)
				other := func() {
					r.mustPut(r.source("G"), patientWith("G.u", number))
					r.mustPut(r.source("G"), observation("G.other", "G.u", ""))
				}
				r.mustPut(r.source("A"), patientWith("A.u", number))
				r.mustPut(r.source("A"), byNumber("A.n", number))
				if second == "before" {
					other()
				}
				r.mustPut(r.source("A"), directive("A.c", "denial", to("Patient/A.u")))
				if second == "between" {
					other()
				}
				c(r)
				if second == "after" {
					other()
				}
				covered := func(when string) {
					t.Helper()
					r.caughtUp()
					for _, ods := range []string{"A", "G"} {
						if r.sees(r.staff(ods), "Observation", "A.n") {
							t.Errorf("%s: staff of %s see a row by the number", when, ods)
						}
					}
					if r.sees(r.staff("A"), "Observation", "G.other") {
						t.Errorf("%s: the other Patient of the number is not covered", when)
					}
				}
				covered("at once")
				r.checked()
				r.verified()
				r.restart()
				covered("after a restart")
				r.mustPut(r.source("A"), strings.Replace(directive("A.c", "denial", to("Patient/A.u")), `"active"`, `"inactive"`, 1))
				r.checked()
				r.delete(r.source("G"), "Patient", "G.u")
				r.checked()
			})
		}
	}
}
