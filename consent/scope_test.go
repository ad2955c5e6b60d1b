package consent_test

import (
	"fmt"
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
		"user/Patient.read user/Patient.rs": "user/Patient.read user/Patient.rs", // SMART-233: both are returned
		"user/Patient.write":                "user/Patient.write",
		"user/Patient.*":                    "user/Patient.*",
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
	} {
		if got, err := consent.ParseScopes(text, r4.IsResource); err == nil {
			t.Errorf("SMART-230: %s: got %q, want an error", name, got)
		}
	}
}

// TestScopeForms: v1 and v2 forms of one scope have the same meaning (SMART-231, SMART-233).
func TestScopeForms(t *testing.T) {
	for v1, v2 := range map[string]string{"user/Patient.read": "user/Patient.rs", "system/*.write": "system/*.cud", "patient/Observation.*": "patient/Observation.cruds"} {
		a, b := parsed(t, v1), parsed(t, v2)
		if !a[0].Equal(b[0]) || a[0] == b[0] || !a.Covers(b) || !b.Covers(a) || a.String() != v1 {
			t.Errorf("SMART-233: %s and %s differ in their meaning", a, b)
		}
	}
	for _, text := range []string{"user/Patient.Read", "user/patient.rs", "User/Patient.rs", "user/Patient", "user/.rs", "user/Patient.rs/", "user/*.rs?", "user/Patient.read?gender=male", "openid"} {
		if got, err := consent.ParseScope(text, r4.IsResource); err == nil {
			t.Errorf("SMART-231: %q is read as %q, want an error", text, got)
		}
	}
}

// TestConstraints: how the constraint of a scope is read, and which are not supported (SMART-238, 239 and 240).
func TestConstraints(t *testing.T) {
	for text, want := range map[string]string{
		"category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory": "category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory",
		"status=final&category=a":          "category=a&status=final",
		"status=final,amended,final":       "status=amended,final",  // a comma means OR
		"category=b&category=a&category=b": "category=a&category=b", // a repeated name means AND
		"code=a+b":                         "code=a+b",              // + stays
		"code=a%20b":                       "code=a%20b",
		"code=%61%2526":                    "code=a%2526",  // decoded once
		"code=a%26b=c":                     "code=a%26b=c", // split before decoding, at the first =
		"code=a%2Cb":                       "code=a,b",
		"code=a%5C,b":                      "code=a%5C,b", // an escaped comma is part of the code
		"code=s|,|c,s|c":                   "code=s|,s|c,|c",
		"c%6Fde=%C3%A9":                    "code=%C3%A9",
		"code=http://loinc.org%7C8480-6":   "code=http://loinc.org|8480-6",
	} {
		got, err := consent.ParseScope("user/Observation.rs?"+text, r4.IsResource)
		if err != nil || string(got.Constraint) != want {
			t.Errorf("SMART-238: %q is read as %q, %v, want %q", text, got.Constraint, err, want)
		}
	}
	for name, text := range map[string]string{
		"no name": "=a", "no value": "category", "an empty value": "category=", "an empty value of several": "category=a,,b", "an empty part": "category=a&", "only a bar": "category=|",
		"two bars": "category=a|b|c", "a wrong escape": "category=%zz", "a half escape": "category=%2", "a control character": "category=%00", "not UTF-8": "category=%ff",
		"a wrong backslash": "category=%5Ca", "a second question mark": "category=a?b&status?=c", "an empty constraint": "",
		"a modifier": "category:not=a", "a modifier for text": "code:text=a", "a chain": "subject.name=a", "_has": "_has:Provenance:target:agent=a", "_filter": "_filter=a", "_id": "_id=a",
		"a control parameter": "_count=1", "a reference": "subject=Patient/1", "a date": "date=2020", "a string": "value-string=a", "a token that is not listed": "identifier=a",
		"a parameter of another type": "class=a", "a name in another case": "Category=a", "too many": strings.Repeat("code=a&", 10) + "code=b", "a space": "code=a b", "a quotation mark": `code="`,
	} {
		if got, err := consent.ParseScope("user/Observation.rs?"+text, r4.IsResource); err == nil {
			t.Errorf("SMART-240: %s: %q is read as %q, want an error", name, text, got)
		}
	}
	for typ, want := range map[string]string{
		"Observation": "[category code status]", "Encounter": "[class status type]", "Condition": "[category clinical-status code]", "Patient": "[]", "StructureDefinition": "[status]",
		"AllergyIntolerance": "[category clinical-status code type]", "*": "[]", "Nothing": "[]",
	} {
		if got := fmt.Sprint(consent.ConstraintParams(typ)); got != want {
			t.Errorf("SMART-239: constraints of %s have %s, want %s", typ, got, want)
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
