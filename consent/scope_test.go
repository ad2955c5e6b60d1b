package consent_test

import (
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/r4"
)

// TestScopes: a scope string is accepted as a whole or not at all (SMART-230, SMART-232).
func TestScopes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"user/*.cruds":                      "user/*.cruds",
		"user/Patient.r user/Patient.r":     "user/Patient.r", // duplicates collapse
		"patient/Observation.rs system/*.s": "patient/Observation.rs system/*.s",
		"user/Patient.read":                 "user/Patient.rs",
		"user/Patient.write":                "user/Patient.cud",
		"user/Patient.*":                    "user/Patient.cruds",
	} {
		if got, err := consent.ParseScopes(text, r4.IsResource); err != nil || got.String() != want {
			t.Errorf("SMART-230: %q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, perms := range []string{"", "dus", "sr", "rr", "readd", "R", "x", "rsx", "rs?"} {
		if got, err := consent.ParseScopes("user/Patient.rs user/Observation."+perms, r4.IsResource); err == nil {
			t.Errorf("SMART-232: the permissions %q: got %q, want an error", perms, got)
		}
	}
	for name, text := range map[string]string{
		"two spaces": "user/Patient.r  user/Patient.s", "a space at the end": "user/Patient.r ", "a tab": "user/Patient.r\tuser/Patient.s",
		"a line break": "user/Patient.r\nuser/Patient.s", "a letter beyond ASCII": "user/Рatient.r", "a control character": "user/Patient.r\x00",
		"too many": strings.Repeat("user/Patient.r ", 200) + "user/Patient.r", "an unknown type": "user/Nothing.r", "a type in another case": "user/patient.r",
		"an unknown level": "admin/Patient.r", "a level in another case": "User/Patient.r", "no level": "Patient.r",
		"a constraint, which is not built": "user/Observation.rs?category=x",
	} {
		if got, err := consent.ParseScopes(text, r4.IsResource); err == nil {
			t.Errorf("SMART-230: %s: got %q, want an error", name, got)
		}
	}
}

// TestScopesAddUp: permissions are a union; of a wide and a narrow scope the wide one counts (SMART-234).
func TestScopesAddUp(t *testing.T) {
	for text, want := range map[string]string{
		"user/Patient.rs":               "rs",
		"user/Patient.r user/Patient.s": "rs",
		"user/Patient.r user/*.cruds":   "cruds",
		"user/*.cruds user/Patient.r":   "cruds",
		"user/Observation.cruds":        "",
		"user/*.r user/Patient.u":       "ru",
	} {
		got := ""
		for _, permission := range "cruds" {
			if scopes(t, text).Allow("Patient", consent.Permission(permission)) {
				got += string(permission)
			}
		}
		if got != want {
			t.Errorf("SMART-234: %q: got the permissions %q of Patient, want %q", text, got, want)
		}
	}
}

// TestWildcard: a wildcard covers every type and nothing but the FHIR API. Policy limits the types that it
// covers: nobody reads AuditEvents, and Consents are visible to their recorder (SMART-243).
func TestWildcard(t *testing.T) {
	all := scopes(t, "user/*.cruds system/*.cruds")
	for _, typ := range r4.Resources() {
		if !all.Allow(typ, consent.PermitRead) {
			t.Errorf("SMART-243: a wildcard does not cover %s", typ)
		}
	}
	if (consent.Principal{Kind: consent.Backend, Scopes: all}).Operates() || len(scopes(t, consent.Operations().String()).Within(all)) != 0 {
		t.Error("SMART-243: a wildcard gives the right of an operator")
	}
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(r.source("G"), optOut("G.c", "G.1"))
	r.mustPut(r.source("A"), `{"resourceType":"AuditEvent","id":"A.e","agent":[{"who":{"reference":"Patient/G.1"}}]}`)
	if n, _, err := r.count(consent.Principal{Kind: consent.System}, "AuditEvent", ""); n != 1 || err != nil {
		t.Fatalf("there are %d AuditEvents, %v, want 1", n, err)
	}
	for name, p := range map[string]consent.Principal{"staff": r.staff("A"), "a source system": r.source("A"), "a patient": r.patient("G.1")} {
		if n, _, err := r.count(p, "AuditEvent", ""); n != 0 || err != nil {
			t.Errorf("SMART-243: %s sees %d AuditEvents, %v", name, n, err)
		}
	}
	if n, _, err := r.count(r.staff("A"), "Consent", ""); n != 0 || err != nil {
		t.Errorf("SMART-243: another organisation sees %d Consents, %v", n, err)
	}
}
