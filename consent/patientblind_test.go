package consent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// TestRefusalsBeforeThePatient: a request that is refused for every patient is refused before a patient is
// looked up: with one error for a Patient who exists, who has opted out and who does not exist, while the
// store is unavailable (CON-403). Each is an OperationOutcome that names no patient.
func TestRefusalsBeforeThePatient(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	for _, id := range []string{"G.1", "G.2"} {
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"`+id+`"}`)
	}
	r.mustPut(r.source("G"), optOut("G.c", "G.2"))
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	glass := func(change func(*consent.Principal)) consent.Principal {
		p := r.staff("A", policy.ActivityBreakGlass)
		change(&p)
		return p
	}
	for _, c := range []struct {
		reason string
		policy string // how a relationship is shown
		p      consent.Principal
		status int
	}{
		{"UNAUTHENTICATED", policy.RelationshipAssumed, consent.Principal{}, 401},
		{consent.PurposeRefused, policy.RelationshipAssumed, glass(func(p *consent.Principal) { p.Purpose = "" }), 403},
		{consent.FlowNotApproved, policy.RelationshipAssumed, glass(func(p *consent.Principal) { p.Kind = consent.Backend; p.Purpose = "TREAT" }), 403},
		{consent.NoAgreement, policy.RelationshipAssumed, glass(func(p *consent.Principal) { p.Organisation = "X" }), 403},
		{consent.RoleNotAllowed, policy.RelationshipAssumed, glass(func(p *consent.Principal) { p.Role = "" }), 403},
		{consent.NoRelationship, "", glass(func(*consent.Principal) {}), 403},
		{consent.ScopeNotGranted, policy.RelationshipAssumed, glass(func(p *consent.Principal) { p.Scopes = scopes(t, "user/Patient.rs") }), 403},
	} {
		silent := &silentSnaps{Store: r.db}
		guard, err := consent.Open(context.Background(), consent.Config{Store: silent, State: r.db, Index: x, PublicURL: site,
			Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: c.policy}}})
		if err != nil {
			t.Fatal(err)
		}
		silent.on = true
		var told []string
		for _, named := range []string{"G.1", "G.2", "never"} {
			req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch, Named: consent.NamedPatient{ID: named}}
			err := guard.Read(context.Background(), c.p, req, func(*consent.View) error { return nil })
			refusal, ok := consent.AsRefusal(err)
			if !ok || refusal.Reason != c.reason || refusal.Err.Status != c.status {
				t.Errorf("CON-403: %s, naming %s: got %v", c.reason, named, err)
				continue
			}
			told = append(told, string(fhir.Outcome(refusal.Err.Issues)))
		}
		if told = slices.Compact(told); len(told) != 1 || strings.Contains(told[0], "G.") || c.status == 403 && !strings.Contains(told[0], c.reason) {
			t.Errorf("CON-403: %s: got %q, want one text with the code and without a patient", c.reason, told)
		}
	}
}

// silentSnaps is a store that answers no read while on is set.
type silentSnaps struct {
	store.Store
	on bool
}

// Read implements store.Store.
func (s *silentSnaps) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if s.on {
		return errors.New("the store was asked")
	}
	return s.Store.Read(ctx, f)
}

// TestGuardsArePositive: a document that lacks one of the facts by which it is shown is hidden (CON-1605).
func TestGuardsArePositive(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
	for name, c := range map[string]struct {
		p     consent.Principal
		facts []string
	}{
		"staff":     {r.staff("A"), []string{"ordinary", "resolved", "shared"}},
		"a patient": {r.patient("G.1"), []string{"ordinary", "released", "resolved"}},
	} {
		req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch}
		err := r.guard.Read(context.Background(), c.p, req, func(v *consent.View) error {
			where := v.Grant().Where("Observation")
			for missing := -1; missing < len(c.facts); missing++ {
				keys := []store.Key{index.OwnerKey("G.1"), index.TypeKey("Observation"), index.SourceKey("G")}
				for i, fact := range c.facts {
					if i != missing {
						keys = append(keys, index.FactKey(fact))
					}
				}
				if shown := store.Match(where, store.Sorted(keys)); shown != (missing < 0) {
					t.Errorf("CON-1605: %s: with all of %v but number %d: shown %v", name, c.facts, missing, shown)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := r.guard.Read(context.Background(), r.source("G"), consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch}, func(v *consent.View) error {
		if store.Match(v.Grant().Where("Observation"), nil) {
			t.Error("CON-1605: a source system sees a document without a source")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNewIDs: ids of the server are random and reveal neither when nor how many were made; they are in no source
// system's id space (CON-1302, CON-1303).
func TestNewIDs(t *testing.T) {
	const n = 1000
	seen, rises, last := map[string]bool{}, 0, ""
	for range n {
		id := consent.NewID()
		if seen[id] || !fhir.ValidID(id) || strings.Contains(id, ".") {
			t.Fatalf("CON-1302: got %q, want a new id without a dot", id)
		}
		seen[id] = true
		if id > last {
			rises++
		}
		last = id
	}
	if rises < n*4/10 || rises > n*6/10 { // about a half; 100 away is eleven standard deviations
		t.Errorf("CON-1302: %d of %d ids are greater than the one before, want about half", rises, n)
	}
}
