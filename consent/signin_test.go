package consent_test

import (
	"context"
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// TestSignInBirthDate: a sign-in leads to the person by NHS number and birth date: without a patient index that of any joined
// Patient (IDN-131).
func TestSignInBirthDate(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	born := func(id, date string) string {
		return strings.Replace(patientWith(id, number), `"identifier"`, `"birthDate":"`+date+`","identifier"`, 1)
	}
	r.mustPut(r.source("A"), born("A.1", "1950-02-01"))
	r.mustPut(r.source("G"), born("G.1", "1950-01-02"))
	for date, want := range map[string]string{"": "A.1", "1950-02-01": "A.1", "1950-01-02": "A.1", "1950": ""} { // no ranks: the smallest id is best
		in, err := r.guard.SignIn(context.Background(), number, date)
		if in.Patient != want || err != nil {
			t.Errorf("born %q: got %+v, %v, want %q", date, in, err, want)
		}
	}
	if in, err := r.guard.SignIn(context.Background(), "9990000019", ""); in.Patient != "" || err != nil {
		t.Errorf("an invalid number: got %+v, %v, want nobody", in, err)
	}
}

// TestGrantIsBoundToThePerson: a token sees nothing once its Patient is somebody else (IDN-131).
func TestGrantIsBoundToThePerson(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
	in, err := r.guard.SignIn(context.Background(), number, "")
	if err != nil {
		t.Fatal(err)
	}
	p := r.patient("G.1")
	p.Person = in.Person
	sees := func(when string, own, other bool) {
		t.Helper()
		r.caughtUp()
		if got := r.sees(p, "Observation", "G.o"); got != own {
			t.Errorf("%s: the row of the Patient in context is seen: %v, want %v", when, got, own)
		}
		if got := r.sees(p, "Observation", "A.o"); got != other {
			t.Errorf("%s: the row of another source is seen: %v, want %v", when, got, other)
		}
	}
	sees("at first", true, true)
	r.mustPut(r.source("A"), patientWith("A.1", "9990000026"))
	sees("another Patient leaves the person", true, false)
	r.mustPut(r.source("G"), patientWith("G.1", "9990000026"))
	sees("the Patient in context leaves the person", false, false)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	sees("it is back", true, false)
}

// TestRefusalWithoutRecord: somebody who signed in by NHS number, and of whom there is no usable Patient, records a refusal
// by that number, and by no other (IDN-131).
func TestRefusalWithoutRecord(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	p := r.patient("")
	p.Number = number
	by := func(value string) string {
		return `{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + value + `"}}`
	}
	if err := r.tryCreate(p, directive("c2", "opt-out", by("9990000026"))); err == nil {
		t.Error("somebody refuses for another number")
	}
	if err := r.tryCreate(p, directive("c1", "opt-out", by(number))); err != nil {
		t.Fatal(err)
	}
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	if r.sees(r.staff("A"), "Observation", "G.o") {
		t.Error("the refusal by number does not cover the Patient who comes later")
	}
	q := r.patient("")
	if err := r.tryCreate(q, directive("c3", "opt-out", by(number))); err == nil {
		t.Error("somebody who did not sign in by a number refuses for one")
	}
}

// TestOwnRefusalByNumber: a patient who has a record finds the refusal by the number with which they signed in, and ends it
// (IDN-131).
func TestOwnRefusalByNumber(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
	p := r.patient("G.1")
	p.Number = number
	const id = "0123456789abcdef0123456789abcdef"
	statement := directive(id, "opt-out", `{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`+number+`"}}`)
	if err := r.tryCreate(p, statement); err != nil {
		t.Fatal(err)
	}
	if !r.sees(p, "Consent", id) || r.sees(r.staff("G"), "Observation", "A.o") {
		t.Errorf("the patient sees the own refusal: %v, want true; others see the row: %v, want false", r.sees(p, "Consent", id), r.sees(r.staff("G"), "Observation", "A.o"))
	}
	if r.sees(r.patient("A.1"), "Consent", id) != true {
		t.Error("under another Patient of the person the refusal is not there")
	}
	if err := r.put(p, strings.Replace(statement, `"status":"active"`, `"status":"inactive"`, 1)); err != nil {
		t.Errorf("end it: %v", err)
	}
	if !r.sees(r.staff("G"), "Observation", "A.o") {
		t.Error("it is ended, and others do not see the row")
	}
}

// TestStatementsStayWithTheirPerson: a statement that a patient made is theirs, also when the Patient whom it names becomes somebody
// else, who neither sees nor ends it, or is deleted (IDN-130, 131, CON-409).
func TestStatementsStayWithTheirPerson(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	const other, id = "9990000026", "0123456789abcdef0123456789abcdef"
	r.mustPut(r.source("G"), patientWith("G.1", number))
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	r.mustPut(r.source("A"), patientWith("A.1", number))
	statement := directive(id, "opt-out", `{"reference":"Patient/A.1"}`)
	if err := r.tryCreate(r.patient("G.1"), statement); err != nil {
		t.Fatal(err)
	}
	r.mustPut(r.source("A"), patientWith("A.1", other))
	r.caughtUp()
	ended := strings.Replace(statement, `"status":"active"`, `"status":"inactive"`, 1)
	if r.sees(r.patient("A.1"), "Consent", id) || r.put(r.patient("A.1"), ended) == nil {
		t.Error("somebody else sees or ends the statement")
	}
	if !r.sees(r.patient("G.1"), "Consent", id) || r.sees(r.staff("A"), "Observation", "G.o") {
		t.Error("the patient does not see the own statement, or it is not in force")
	}
	r.delete(r.source("A"), "Patient", "A.1")
	r.caughtUp()
	if !r.sees(r.patient("G.1"), "Consent", id) {
		t.Error("the Patient whom it names is deleted: the patient does not see the own statement")
	}
	if err := r.put(r.patient("G.1"), ended); err != nil || !r.sees(r.staff("A"), "Observation", "G.o") {
		t.Errorf("the patient ends the own statement: %v", err)
	}
}
