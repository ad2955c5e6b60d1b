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

// TestOutagesOfWrites: a 503 to a write says whether nothing was stored or the outcome is unknown, and only the
// first has a Retry-After (issue 15, item 15).
func TestOutagesOfWrites(t *testing.T) {
	for _, c := range []struct {
		name, code string
		again      bool
		err        error
	}{
		{"the store cannot be reached", consent.NotStored, true, store.ErrUnavailable},
		{"time is up before the commit", consent.NotStored, true, context.DeadlineExceeded},
		{"the client hangs up", consent.NotStored, true, context.Canceled},
		{"the outcome is unknown", consent.MayBeStored, false, fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrUnknown)},
		{"the deadline passes during the commit", consent.MayBeStored, false, fmt.Errorf("%w: %w", context.DeadlineExceeded, store.ErrUnknown)},
	} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.db.set(func(store.Batch) error { return c.err }, nil)
		e, ok := fhir.AsError(r.put(r.source("G"), patientWith("G.1", number)))
		if !ok || e.Status != 503 || e.Issues[0].Detail.Code != c.code || (e.Header["Retry-After"] != "") != c.again {
			t.Errorf("%s: got %+v, want a 503 with %s", c.name, e, c.code)
		}
		if !errors.Is(e.Cause, c.err) {
			t.Errorf("%s: the cause is %v", c.name, e.Cause)
		}
	}
}

// TestSignIn: a number that is marked as old or has ended does not sign anybody in (item 9), and a second Patient
// of the number locks nobody out (IDN-131).
func TestSignIn(t *testing.T) {
	identifier := func(more string) string {
		return `{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"` + number + `"` + more + `}`
	}
	for _, c := range []struct {
		name, one, other string
		want             string
	}{
		{"one Patient", identifier(""), "", "G.1"},
		{"two Patients (IDN-131)", identifier(""), identifier(""), "G.1"},
		{"the other's is old", identifier(""), identifier(`,"use":"old"`), "G.1"},
		{"the other's has ended", identifier(""), identifier(`,"period":{"end":"2026-05"}`), "G.1"},
		{"the other's has not begun", identifier(""), identifier(`,"period":{"start":"2026-06-02"}`), "G.1"},
		{"the only one is old", identifier(`,"use":"old"`), "", ""},
		{"the only one ended yesterday", identifier(`,"period":{"start":"2020","end":"2026-05-31"}`), "", ""},
		{"the only one ends today", identifier(`,"period":{"end":"2026-06-01"}`), "", "G.1"},
		{"old once and current once", identifier(`,"use":"old"`) + "," + identifier(""), "", "G.1"},
	} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","identifier":[`+c.one+`]}`)
		if c.other != "" {
			r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.2","identifier":[`+c.other+`]}`)
		}
		if got, err := r.guard.SignIn(context.Background(), number, ""); got.Patient != c.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}
