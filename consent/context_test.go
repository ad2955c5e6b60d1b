package consent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// inContext returns staff with scopes and a patient in context.
func (r *region) inContext(p consent.Principal, text, patient string) consent.Principal {
	r.Helper()
	p.Scopes, p.Context.Patient = scopes(r.T, text), patient
	return p
}

// scopeRegion has two patients of A with a row of each, and one row about both.
func scopeRegion(t *testing.T) *region {
	r := newRegion(t, policy.RelationshipAssumed)
	for _, id := range []string{"A.1", "A.2"} {
		r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"`+id+`"}`)
		r.mustPut(r.source("A"), observation("A.o"+id, id, ""))
	}
	return r
}

// TestUnlimitedScopesCostNothing: where one of the scopes on a type is limited neither by its level nor by a constraint, no
// predicate is added (SMART-234).
func TestUnlimitedScopesCostNothing(t *testing.T) {
	r := scopeRegion(t)
	for text, limited := range map[string]bool{
		"user/*.rs": false, "user/Observation.rs?status=final user/Observation.rs": false, "patient/*.rs user/Observation.rs": false, "user/*.read user/Observation.rs?code=x": false,
		"user/Observation.rs?status=final": true, "patient/*.rs": true, "user/Observation.r user/Observation.s?status=final": true, "patient/Observation.rs user/Observation.rs?status=final": true,
	} {
		r.within(r.inContext(r.staff("A"), text, "A.1"), func(v *consent.View) {
			if got := v.WithinScopes("Observation", "s") != nil; got != limited {
				t.Errorf("SMART-234: %s: a predicate is added: %v, want %v", text, got, limited)
			}
		})
	}
	r.within(r.source("A"), func(v *consent.View) {
		if v.WithinScopes("Observation", "s") != nil {
			t.Error("SMART-234: the scopes of a source system add a predicate")
		}
	})
}

// TestContext: patient/ scopes are limited to the person of the Patient in context, as long as policy shows that Patient and
// the token was issued for its person (SMART-246, SMART-255).
func TestContext(t *testing.T) {
	r := scopeRegion(t)
	one := r.inContext(r.staff("G"), "patient/*.rs", "A.1")
	n := func(p consent.Principal) int {
		n, _, err := r.count(p, "Observation", "")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := n(one); got != 1 {
		t.Errorf("SMART-255: in context %d observations, want 1", got)
	}
	other := one
	other.Context.Person = "A.2"
	if got := n(other); got != 0 {
		t.Errorf("SMART-255: a token for another person sees %d observations", got)
	}
	number := `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9434765919"}],"birthDate":"2000-01-01"`
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1",`+number+`}`)
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1",`+number+`}`)
	r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
	r.caughtUp()
	if got := n(one); got != 2 {
		t.Errorf("SMART-246: the person in context has %d observations of two sources, want 2", got)
	}
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`) // no longer that person
	r.caughtUp()
	if got := n(one); got != 1 {
		t.Errorf("SMART-246: after the Patient left the person, %d observations, want 1", got)
	}
	r.decider.Set(consenttest.Decision{NoRecord: []string{"A.1"}})
	if got := n(one); got != 0 {
		t.Errorf("SMART-255: with a hidden Patient in context, %d observations", got)
	}
}

// TestSignalsInContext: a request that names another patient than the one in context gets no signal, since that patient is
// like an absent one; under user/ scopes it does (SMART-274).
func TestSignalsInContext(t *testing.T) {
	r := scopeRegion(t)
	r.mustPut(r.source("G"), optOut("G.c", "A.2"))
	doctor := r.staff("G", policy.ActivityBreakGlass)
	for text, refused := range map[string]bool{"patient/*.rs": false, "patient/Observation.rs user/Patient.rs": false, "patient/Patient.rs user/Observation.rs": true, "user/*.rs": true} {
		_, _, err := r.count(r.inContext(doctor, text, "A.1"), "Observation", "A.2")
		refusal, is := consent.AsRefusal(err)
		if is != refused || is && refusal.Reason != consent.NoPatientConsent {
			t.Errorf("SMART-274: %s: got %v, want a signal: %v", text, err, refused)
		}
	}
	r.mustPut(r.source("A"), observation("A.hidden", "A.1", `"meta":{"security":[{"code":"HIV"}]},"category":[{"coding":[{"code":"lab"}]}],`))
	for text, notice := range map[string]bool{"user/Observation.rs?category=lab": true, "user/Observation.rs?category=vital": false, "patient/Observation.rs": true, "user/Patient.rs user/Observation.s?category=vital": false} {
		if _, withheld, err := r.count(r.inContext(r.staff("G"), text, "A.1"), "Observation", "A.1"); withheld != notice || err != nil {
			t.Errorf("SMART-250: %s: rows are withheld: %v, %v, want %v", text, withheld, err, notice)
		}
	}
}

// TestDirectivesInContext: under patient/ a directive can be recorded for the patient in context alone, whether or not
// another one exists and is registered with the practice (SMART-284).
func TestDirectivesInContext(t *testing.T) {
	r := scopeRegion(t)
	for _, id := range []string{"G.1", "G.2"} { // registered with the practice G
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"`+id+`","generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}]}`)
	}
	gp := r.inContext(r.staff("G", policy.ActivityOptOut), "patient/Consent.cu", "G.1")
	if err := r.tryCreate(gp, optOut("c1", "G.1")); err != nil {
		t.Errorf("SMART-284: a directive of the patient in context: %v", err)
	}
	var first string
	for _, id := range []string{"G.2", "none"} {
		err := r.tryCreate(gp, optOut("c2", id))
		var refused *fhir.Error
		if !errors.As(err, &refused) || refused.Status != 403 || refused.Issues[0].Detail.Code != consent.ScopeNotGranted {
			t.Fatalf("SMART-284: a directive of %s: got %v, want 403 %s", id, err, consent.ScopeNotGranted)
		}
		if text := fmt.Sprint(refused.Issues); first != "" && text != first {
			t.Errorf("SMART-284: the answers differ: %s, %s", text, first)
		} else {
			first = text
		}
	}
	drafts := r.inContext(r.staff("G", policy.ActivityOptOut), "user/Consent.cu?status=inactive", "")
	outside := func(err error) bool {
		var refused *fhir.Error
		return errors.As(err, &refused) && refused.Status == 403 && refused.Issues[0].Detail.Code == consent.ScopeNotGranted
	}
	if err := r.tryCreate(drafts, optOut("c3", "G.2")); !outside(err) {
		t.Errorf("SMART-284: a directive outside the constraint: %v", err)
	}
	active := r.inContext(r.staff("G", policy.ActivityOptOut), "user/Consent.cu?status=active", "")
	if err := r.put(active, strings.Replace(optOut("c1", "G.1"), `"active"`, `"inactive"`, 1)); !outside(err) {
		t.Errorf("SMART-286: an update that takes a directive out of the constraint: %v", err)
	}
}

// TestCutConstraint: a constraint compares the elements that are left after cuts: a category that a decision cuts does not
// make a resource visible, and is not told by its being visible (SMART-241, SMART-250).
func TestCutConstraint(t *testing.T) {
	r := scopeRegion(t)
	r.mustPut(r.source("A"), observation("A.lab", "A.1", `"category":[{"coding":[{"code":"lab"}]}],`))
	labs := r.inContext(r.staff("G"), "user/Observation.rs?category=lab", "")
	sees := func() (found, read bool) {
		n, _, err := r.count(labs, "Observation", "")
		if err != nil {
			t.Fatal(err)
		}
		req := consent.Request{Interaction: consent.Read, Type: "Observation", ID: "A.lab", Permission: consent.PermitRead}
		err = r.guard.Read(context.Background(), labs, req, func(v *consent.View) error {
			_, err := v.Get(context.Background(), store.Ref{Type: "Observation", ID: "A.lab"})
			return err
		})
		return n == 1, err == nil
	}
	if found, read := sees(); !found || !read {
		t.Errorf("SMART-241: with its category: found %v, read %v", found, read)
	}
	r.decider.Set(consenttest.Decision{Rules: []consenttest.Rule{{Patient: "A.1", Trait: consenttest.Trait{Type: "Observation"}, Cut: []string{"Observation.category"}}}})
	if found, read := sees(); found || read {
		t.Errorf("SMART-250: without its category: found %v, read %v", found, read)
	}
}

// TestScopedBinaries: a Binary is visible through a document that the constraint of the scopes permits, also for its source
// (SMART-257).
func TestScopedBinaries(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("A"), `{"resourceType":"Patient","id":"A.1"}`)
	for id, code := range map[string]string{"A.x": "x", "A.y": "y"} {
		r.mustPut(r.source("A"), `{"resourceType":"Binary","id":"`+id+`","contentType":"text/plain","data":"b25l"}`)
		r.mustPut(r.source("A"), `{"resourceType":"DocumentReference","id":"`+id+`","status":"current","type":{"coding":[{"code":"`+code+`"}]},"subject":{"reference":"Patient/A.1"},"content":[{"attachment":{"url":"Binary/`+id+`"}}]}`)
	}
	for name, p := range map[string]consent.Principal{
		"staff":           r.inContext(r.staff("A"), "user/Binary.rs user/DocumentReference.rs?type=x", ""),
		"a source system": {Kind: consent.SourceSystem, Organisation: "A", Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Flow: consent.FlowIngest, Scopes: scopes(t, "system/Binary.rs system/DocumentReference.rs?type=x")},
	} {
		for id, want := range map[string]bool{"A.x": true, "A.y": false} {
			err := r.guard.Read(context.Background(), p, consent.Request{Interaction: consent.Read, Type: "Binary", Permission: consent.PermitRead}, func(v *consent.View) error {
				_, err := v.Get(context.Background(), store.Ref{Type: "Binary", ID: id})
				return err
			})
			if got := err == nil; got != want {
				t.Errorf("SMART-257: %s reads the Binary %s, whose document the constraint permits: %v; got %v", name, id, want, err)
			}
		}
		if n, _, err := r.count(p, "Binary", ""); n != 1 || err != nil {
			t.Errorf("SMART-257: %s finds %d Binaries, %v, want 1", name, n, err)
		}
	}
}

// TestScopedReferences: where references are checked, one to what no scope permits to see is one to an unknown resource
// (SMART-292).
func TestScopedReferences(t *testing.T) {
	r := scopeRegion(t)
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	r.guard, err = consent.Open(context.Background(), consent.Config{Store: r.db, State: r.db, Index: x, PublicURL: site, Integrity: true,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}}, Identity: policy.DefaultIdentity("A", "G")}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"system/Observation.c system/Patient.r": true, "system/Observation.c system/*.s": true, "system/Observation.c": false,
		"system/Observation.cs?status=amended system/Patient.r": false, "system/Observation.cs?status=final system/Patient.u": true,
	} {
		p := r.source("A")
		p.Scopes = scopes(t, text)
		err := r.tryCreate(p, observation(consent.NewID(), "A.1", `"hasMember":[{"reference":"Observation/A.oA.1"}],`))
		if strings.Contains(text, "system/Observation.c system/Patient.r") || text == "system/Observation.c" {
			err = r.tryCreate(p, observation(consent.NewID(), "A.1", ""))
		}
		if got := err == nil; got != want {
			t.Errorf("SMART-292: with %s a reference is accepted: %v, want %v: %v", text, got, want, err)
		}
	}
}
