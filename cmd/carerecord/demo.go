package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/store"
	"carerecord/synth"
)

// demoMark is the file in a policy folder that says: this is a demonstration,
// served at the address in it.
const demoMark = "demo"

// demoPolicy writes the sample region's policy, where there is none.
func demoPolicy(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "clients.json")); err == nil {
		return nil
	}
	return sample().Save(dir)
}

// sample is the policy of the sample region.
func sample() *policy.Folder {
	scopes := "user/*.cruds"
	f := &policy.Folder{
		Agreement: policy.Agreement{Relationship: policy.RelationshipAssumed},
		Roles: []policy.Role{
			{Code: "R0260", Name: "General medical practitioner", Activities: []string{policy.ActivityRead, policy.ActivityOptOut, policy.ActivityBreakGlass}},
			{Code: "R0050", Name: "Consultant", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}},
			{Code: "R0600", Name: "Community nurse", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}},
			{Code: "R0790", Name: "Ward clerk", Activities: []string{policy.ActivityRead}},
		},
		People: []policy.Person{
			{User: "gp", Subject: "900000000101", Kind: "clinician", Organisation: synth.Practice, Role: "R0260", Level: 3},
			{User: "consultant", Subject: "900000000102", Kind: "clinician", Organisation: synth.Acute, Role: "R0050", Level: 3},
			{User: "clerk", Subject: "900000000103", Kind: "clinician", Organisation: synth.Acute, Role: "R0790", Level: 3},
			{User: "nurse", Subject: "900000000104", Kind: "clinician", Organisation: synth.Community, Role: "R0600", Level: 3},
			{User: "patient", Subject: "nhs-login-201", Kind: "patient", Patient: synth.SampleNHSNumber(), Level: 9},
		},
		Clients: []policy.Client{
			{ID: "demo-ehr", Name: "Sample EHR", Kind: "confidential", People: []string{"clinician"}, Purposes: []string{"TREAT"}, Scopes: scopes},
			{ID: "demo-app", Name: "Sample app", Kind: "public", People: []string{"clinician", "patient"}, Purposes: []string{"TREAT", "PATRQT"},
				Scopes: "patient/*.cruds user/*.cruds"},
			{ID: "demo-operator", Name: "Operator of the record", Kind: "backend", Purposes: []string{"HOPERAT"},
				Scopes: "carerecord/operations system/SearchParameter.cruds"},
		},
	}
	for _, o := range synth.Sources() { // a larger region can be loaded as well
		f.Organisations = append(f.Organisations, policy.Organisation{ODS: o.ODS, Name: o.Name, Kind: o.Kind})
		f.Agreement.Organisations = append(f.Agreement.Organisations, o.ODS)
		f.Clients = append(f.Clients, policy.Client{ID: o.Feed, Name: "Feed of " + o.Name, Kind: "backend", Organisation: o.ODS,
			Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: o.IDPrefix})
	}
	return f
}

// regionPatients is how many patients the sample region has.
const regionPatients = 100

// demoLoaded is the State value that says: the sample region is loaded.
const demoLoaded = "demo/loaded"

// demoRegion loads the sample region on the first start and prints what to
// open.
func (r *record) demoRegion(ctx context.Context, s settings) error {
	if err := os.WriteFile(filepath.Join(s.policyDir, demoMark), []byte(s.publicURL), 0o600); err != nil {
		return fmt.Errorf("mark the demonstration: %w", err)
	}
	_, err := r.engine.Lookup(ctx, demoLoaded)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("look for the sample region: %w", err)
	}
	if err != nil && r.restored == nil {
		if err := r.loadRegion(ctx, s); err != nil {
			return err
		}
	}
	id, err := r.guard.PatientByNHS(ctx, synth.SampleNHSNumber())
	if err != nil {
		return err
	}
	fmt.Print(welcome(s, id))
	return nil
}

func (r *record) loadRegion(ctx context.Context, s settings) error {
	s.log.Info("loading the sample region", "patients", regionPatients)
	n := 0
	for b := range synth.Sample(synth.Config{Patients: regionPatients, Seed: 1}) {
		out := r.loadBundle(ctx, b.Source, "", b.Body, validate.Strict)
		if len(out.Refused) > 0 || out.Failed != "" {
			return fmt.Errorf("load the sample region: %v %s", out.Refused, out.Failed)
		}
		n += out.Resources
	}
	s.log.Info("the sample region is loaded", "resources", n)
	if err := r.engine.Insert(ctx, demoLoaded, []byte("1"), timeNever); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("mark the sample region: %w", err)
	}
	return nil
}

// welcome is what a demonstration prints: codes, prefixes, the patient, and the
// README's lines ready to paste.
func welcome(s settings, patient string) string {
	out := "\nThe sample region. Organisations, and the id prefix of each one's feed:\n"
	for _, o := range synth.Organisations() {
		out += fmt.Sprintf("  %-6s %-28s feed %-20s prefix %s\n", o.ODS, o.Name, o.Feed, o.IDPrefix)
	}
	store := s.place.address
	out += fmt.Sprintf(`The patient "patient" is Patient/%s, NHS number %s.

Paste into another shell:
  export CARERECORD_STORE=%q
  export BASE=%s/fhir PATIENT=%s
  T=$(bin/carerecord token --user consultant --client demo-ehr)
  curl -s -H "Authorization: Bearer $T" "$BASE/Observation?patient=Patient/$PATIENT&_count=2"

`, patient, synth.SampleNHSNumber(), store, s.publicURL, patient)
	return out
}
