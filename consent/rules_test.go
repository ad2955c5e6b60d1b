package consent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

const seen = `{"resourceType":"Observation","id":"A.o","status":"final","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/A.1"},"valueString":"seen"}`

// within calls f with a View of a search of Observations.
func (r *region) within(p consent.Principal, f func(*consent.View)) {
	r.Helper()
	req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch, Named: consent.NamedPatient{ID: "A.1"}}
	if err := r.guard.Read(context.Background(), p, req, func(v *consent.View) error { f(v); return nil }); err != nil {
		r.Fatal(err)
	}
}

func (r *region) rows(v *consent.View, name, value string) int {
	r.Helper()
	where, err := v.Index().Predicate(index.Query{Type: "Observation", Name: name, Values: []string{value}})
	if err != nil {
		r.Fatal(err)
	}
	n, err := v.Count(context.Background(), store.Query{Type: "Observation", Where: where, KeysOnly: true}, 0)
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// TestPermissionsOfQueryParts: the permissions that a rule leaves on a type decide for each part of a query by
// the permission that it needs (SMART-250, 270, 274, 281).
func TestPermissionsOfQueryParts(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`)
	r.mustPut(r.source("A"), seen)
	for _, c := range []struct {
		left                       string
		searched, read, referredTo bool
	}{{"s", true, false, true}, {"r", false, true, true}, {"", false, false, false}, {"rs", true, true, true}} {
		r.decider.Set(consenttest.Decision{Permissions: map[string]string{"Observation": c.left}})
		r.within(r.staff("A"), func(v *consent.View) {
			if got := r.rows(v, "status", "final") == 1; got != c.searched {
				t.Errorf("permissions %q left: a search finds the row: %v, want %v", c.left, got, c.searched)
			}
			for permissions, want := range map[string]bool{"s": c.searched, "r": c.read, "rs": c.referredTo} {
				_, err := v.WithPermission(permissions).Get(context.Background(), store.Ref{Type: "Observation", ID: "A.o"})
				if got := err == nil; got != want || err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("permissions %q left, %q needed: visible: %v (%v), want %v", c.left, permissions, got, err, want)
				}
			}
		})
	}
}

// TestCutKeys: a search does not find a row by elements that a rule cuts, a negation finds it, and other rules of
// its owner apply too (CON-1202, CON-1207).
func TestCutKeys(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`)
	r.mustPut(r.source("A"), seen)
	one := consenttest.Trait{Type: "Observation", Param: "code", Value: "one"}
	r.decider.Set(consenttest.Decision{Rules: []consenttest.Rule{{Patient: "A.1", Trait: one, Cut: []string{"Observation.value"}}}})
	r.within(r.staff("A"), func(v *consent.View) {
		d, err := v.Get(context.Background(), store.Ref{Type: "Observation", ID: "A.o"})
		if err != nil || strings.Contains(string(d.Body), "seen") {
			t.Errorf("the value is cut: got %s (%v)", d.Body, err)
		}
		if n := r.rows(v, "value-string", "seen"); n != 0 {
			t.Errorf("a search for what is cut finds %d rows, want none", n)
		}
		if n := r.rows(v, "code", "one"); n != 1 {
			t.Errorf("a search for what is left finds %d rows, want 1", n)
		}
	})
	for name, hides := range map[string]consenttest.Decision{
		"a row of the owner": {Rules: []consenttest.Rule{{Patient: "A.1", Trait: one, Hide: true}}},
		"a row of anybody":   {Rules: []consenttest.Rule{{Trait: one, Hide: true}}},
	} {
		r.decider.Set(hides)
		r.within(r.staff("A"), func(v *consent.View) {
			if n := r.rows(v, "status", "final"); n != 0 {
				t.Errorf("%s: %d rows are found, want none", name, n)
			}
		})
	}
}

// TestNoRecord: a person who may break the glass is told that a record is not shared; all others find nothing
// (CON-1702).
func TestNoRecord(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`)
	r.mustPut(r.source("A"), seen)
	r.decider.Set(consenttest.Decision{NoRecord: []string{"A.1"}})
	req := consent.Request{Interaction: consent.Read, Type: "Patient", Permission: consent.PermitRead, Named: consent.NamedPatient{ID: "A.1"}}
	err := r.guard.Read(context.Background(), r.staff("A", "break-glass"), req, func(*consent.View) error { return nil })
	if refusal, ok := consent.AsRefusal(err); !ok || refusal.Reason != consent.NoPatientConsent {
		t.Errorf("who may break the glass: got %v, want %s", err, consent.NoPatientConsent)
	}
	r.within(r.staff("A"), func(v *consent.View) {
		if n := r.rows(v, "status", "final"); n != 0 {
			t.Errorf("%d rows of the record are found, want none", n)
		}
	})
}

// TestDeciderThatFails: an error of the Decider is 503 (CON-405).
func TestDeciderThatFails(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`)
	r.decider.Set(consenttest.Decision{Rules: []consenttest.Rule{{Trait: consenttest.Trait{Type: "Observation", Param: "date", Value: "no date"}}}})
	req := consent.Request{Interaction: consent.Read, Type: "Patient", Permission: consent.PermitRead}
	err := r.guard.Read(context.Background(), r.staff("A"), req, func(*consent.View) error {
		t.Error("a View is handed out")
		return nil
	})
	if err == nil {
		t.Error("the decision failed, and the request did not")
	}
}

// TestPermissionsOfWrites: a person updates nothing of a type on which rules leave no permission or only reading.
// An id that does not exist has the same answer (SMART-250, 254).
func TestPermissionsOfWrites(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1","generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}]}`)
	p := r.staff("G", policy.ActivityOptOut)
	r.create(p, optOut("G.c", "G.1"))
	for _, c := range []struct {
		left           string
		exists, absent int
	}{{"", 403, 403}, {"rs", 403, 403}, {"cd", 403, 403}, {"u", 0, 405}, {"cruds", 0, 405}} {
		r.decider.Set(consenttest.Decision{Permissions: map[string]string{"Consent": c.left}})
		for id, want := range map[string]int{"G.c": c.exists, "G.none": c.absent} {
			err := r.put(p, optOut(id, "G.1"))
			got := 0
			if e, ok := fhir.AsError(err); ok {
				got = e.Status
			}
			if got != want || want == 0 && err != nil {
				t.Errorf("permissions %q left: the update of %s is answered %d (%v), want %d", c.left, id, got, err, want)
			}
		}
	}
}

// TestHiddenFromItsWriter: a writer gets a written resource back only where the writer may see it (CON-1307): not
// one that a rule hides, and none where the writer has no record. The labels of an own statement do not hide it.
func TestHiddenFromItsWriter(t *testing.T) {
	for _, c := range []struct {
		name, label string
		decision    consenttest.Decision
		seen        bool
	}{
		{"their own", "", consenttest.Decision{}, true},
		{"with a label that keeps rows from patients", `"meta":{"security":[{"code":"NOPAT"}]},`, consenttest.Decision{}, true},
		{"hidden by a rule", "", consenttest.Decision{Rules: []consenttest.Rule{{Patient: "G.1", Trait: consenttest.Trait{Type: "Consent"}, Hide: true}}}, false},
		{"no record", "", consenttest.Decision{NoRecord: []string{"G.1"}}, false},
	} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
		r.decider.Set(c.decision)
		body := strings.Replace(optOut("x", "G.1"), `"id":"x",`, c.label, 1)
		req := consent.Request{Interaction: consent.Create, Type: "Consent", Permission: consent.PermitCreate, Write: true}
		err := r.guard.Read(context.Background(), r.patient("G.1"), req, func(v *consent.View) error {
			made, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangeCreate, Ref: store.Ref{Type: "Consent", ID: "x"}, Body: []byte(body)}}, nil)
			if err == nil && (made[0].Doc.Body != nil) != c.seen {
				t.Errorf("%s: the writer is given %q", c.name, made[0].Doc.Body)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
