package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"carerecord/conformance/synth"
	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/docs/examples"
	"carerecord/interop/load"
	"carerecord/store"
)

// WriteSamplePolicy writes the policy of the sample region into a folder that has none.
func WriteSamplePolicy(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "clients.json")); err == nil {
		return nil
	}
	return samplePolicy().Save(dir)
}

func samplePolicy() *policy.Folder {
	scopes := "user/*.cruds"
	region, patient := synth.RegionIdentity(), synth.DemoPerson()
	f := &policy.Folder{
		Agreement: policy.Agreement{Relationship: policy.RelationshipAssumed},
		Identity:  policy.DefaultIdentity(region.Traced...),
		Roles: []policy.Role{
			{Code: "R0260", Name: "General medical practitioner", Activities: []string{policy.ActivityRead, policy.ActivityOptOut, policy.ActivityBreakGlass}},
			{Code: "R0050", Name: "Consultant", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}},
			{Code: "R0600", Name: "Community nurse", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}},
			{Code: "R0790", Name: "Ward clerk", Activities: []string{policy.ActivityRead}},
			{Code: "administrator", Name: "Administrator of the record", Activities: []string{policy.ActivityClients, policy.ActivityOperations}},
			{Code: "app-administrator", Name: "Administrator of an organisation's apps", Activities: []string{policy.ActivityApps}},
			{Code: "operator", Name: "Operator of the record", Activities: []string{policy.ActivityOperations}},
		},
		Clients: []policy.Client{
			{ID: "demo-ehr", Name: "Sample EHR", Kind: "confidential", People: []string{"clinician"}, Purposes: []string{"TREAT"}, Scopes: scopes},
			{ID: "demo-app", Name: "Sample app", Kind: "public", People: []string{"clinician", "patient"}, Purposes: []string{"TREAT", "PATRQT"},
				Scopes: "patient/*.cruds user/*.cruds"},
			{ID: "demo-operator", Name: "Operator of the record", Kind: "backend", Purposes: []string{"HOPERAT"},
				Scopes: "__operations system/SearchParameter.cruds"},
			{ID: "demo-admin", Name: "Administration of the record", Kind: "public", People: []string{"administrator"}, Purposes: []string{"HOPERAT"},
				Scopes: "__operations", Rights: []string{"__clients", "__apps"}},
		},
	}
	f.Identity.Index = region.Index
	for _, m := range synth.Staff() {
		p := policy.Person{User: m.User, Subject: m.Number, Kind: "clinician", Organisation: m.Organisation, Role: m.Role, Level: 3}
		p.RoleProfiles = []policy.RoleProfile{{RoleAt: policy.RoleAt{Organisation: m.Organisation, Role: m.Role}, ID: m.RoleProfile}}
		if m.User == "locum" { // works at two organisations
			p.Roles = []policy.RoleAt{{Organisation: synth.Acute, Role: "R0050"}}
		}
		f.People = append(f.People, p)
	}
	f.People = append(f.People,
		policy.Person{User: "patient", Subject: "nhs-login-201", Kind: "patient", Patient: patient.NHSNumber, BirthDate: patient.BirthDate, Level: 9},
		policy.Person{User: "carer", Subject: "nhs-login-202", Kind: policy.KindProxy, Level: 9},
		policy.Person{User: "administrator", Subject: "900000000301", Kind: policy.KindAdministrator, Role: "administrator", Level: 3},
		policy.Person{User: "administrator-2", Subject: "900000000302", Kind: policy.KindAdministrator, Role: "administrator", Level: 3},
		policy.Person{User: "operator", Subject: "900000000303", Kind: policy.KindAdministrator, Role: "operator", Level: 3},
		policy.Person{User: "app-administrator", Subject: "900000000304", Kind: policy.KindAdministrator, Organisation: synth.Acute, Role: "app-administrator", Level: 3})
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		f.Organisations = append(f.Organisations, policy.Organisation{ODS: o.ODS, Name: o.Name, Kind: o.Kind})
		f.Agreement.Organisations = append(f.Agreement.Organisations, o.ODS)
		f.Clients = append(f.Clients, policy.Client{ID: o.ClientID, Name: "Source system of " + o.Name, Kind: "backend", Organisation: o.ODS,
			Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: o.IDPrefix})
	}
	return f
}

// demoLoadedKey is the State key of a store into which the sample region was loaded.
const demoLoadedKey = "demo/loaded"

// loadDemo loads the sample region into a store that is new, opens the examples, and prints how to try both.
func (n *Node) loadDemo(ctx context.Context, welcome io.Writer) error {
	if err := n.cfg.markDemo(); err != nil {
		return err
	}
	_, err := n.engine.Lookup(ctx, demoLoadedKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read whether the sample region is loaded: %w", err)
	}
	if err != nil && n.restored == nil {
		if err := n.loadRegion(ctx); err != nil {
			return err
		}
	}
	if err := n.openExamples(ctx); err != nil {
		return err
	}
	return n.printWelcome(welcome)
}

func (n *Node) loadRegion(ctx context.Context) error {
	cfg := synth.Demo()
	n.log.Info("loading the sample region", "people", cfg.Patients)
	report, err := load.Bundles(ctx, Region(cfg), n.Loader(validate.Strict).Sender, func(int) {})
	if err == nil && len(report.Refused) > 0 {
		err = fmt.Errorf("%s: %v", report.Refused[0].File, report.Refused[0].Issues)
	}
	if err != nil {
		return fmt.Errorf("load the sample region: %w", err)
	}
	n.log.Info("the sample region is loaded", "resources", report.Resources)
	if err := n.engine.Insert(ctx, demoLoadedKey, []byte("1"), unmarked); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("mark the sample region: %w", err)
	}
	return nil
}

// printWelcome prints the organisations, their source systems, the Patients of the sample person, and
// the first lines of the README's example.
func (n *Node) printWelcome(w io.Writer) error {
	fmt.Fprintf(w, "\nThe sample region. Organisations, each with its source system and the prefix of that system's ids:\n")
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		fmt.Fprintf(w, "  %-6s %-28s client %-20s prefix %s\n", o.ODS, o.Name, o.ClientID, o.IDPrefix)
	}
	patient := synth.DemoPerson()
	var ids []string
	for _, p := range patient.Patients {
		ids = append(ids, p.ID)
	}
	if site := n.cfg.exampleSite(); site != "" {
		fmt.Fprintf(w, "In a browser: %s/ (people, clients, pages), %s (an app), %s (an EHR that launches it).\n", n.cfg.PublicURL, site+examples.StartPath, site+examples.EHRPath)
	}
	if _, err := fmt.Fprintf(w, "The patient \"patient\" has the NHS number %s, the birth date %s and these Patients: %s.\n", patient.NHSNumber, patient.BirthDate, strings.Join(ids, ", ")); err != nil || n.cfg.printsTokens() != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `
Paste into another shell:
  export CARERECORD_STORE=%q
  export BASE=%s/fhir PATIENT=%s
  T=$(bin/carerecord token --user consultant --client demo-ehr)
  curl -s -H "Authorization: Bearer $T" "$BASE/Observation?patient=Patient/$PATIENT&_count=2"

`, n.cfg.Address.text, n.cfg.PublicURL, ids[len(ids)-1])
	return err
}
