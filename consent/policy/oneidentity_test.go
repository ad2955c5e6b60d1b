package policy_test

import (
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// TestOneIdentity: a folder in which a sign-in could mean two people is refused (SMART-443); kinds of people with issuers of their own may
// have the same subjects.
func TestOneIdentity(t *testing.T) {
	patient := func(user, subject string) policy.Person {
		return policy.Person{User: user, Subject: subject, Kind: policy.KindPatient, Patient: "9990000018"}
	}
	at := func(user, issuer string) policy.Person {
		p := patient(user, "1")
		p.Issuer = issuer
		return p
	}
	staff := func(user, subject, issuer string) policy.Person {
		return policy.Person{User: user, Subject: subject, Issuer: issuer, Kind: policy.KindStaff, Organisation: "T1", Role: "R", Level: 3}
	}
	proxy := policy.Person{User: "proxy", Subject: "1", Kind: policy.KindProxy}
	administrator := policy.Person{User: "administrator", Subject: "1", Kind: policy.KindAdministrator, Role: "A"}
	for name, c := range map[string]struct {
		people  []policy.Person
		refused bool
	}{
		"two people":                           {[]policy.Person{patient("a", "1"), patient("b", "2")}, false},
		"one subject":                          {[]policy.Person{patient("a", "1"), patient("b", "1")}, true},
		"one user":                             {[]policy.Person{patient("a", "1"), patient("a", "2")}, true},
		"a patient and a proxy of one subject": {[]policy.Person{patient("a", "1"), proxy}, true},
		"a patient and staff of one subject":   {[]policy.Person{patient("a", "1"), administrator}, false},
		"one subject at two issuers":           {[]policy.Person{at("a", "https://one.example"), at("b", "https://two.example")}, false},
		"one subject at one issuer":            {[]policy.Person{at("a", "https://one.example"), at("b", "https://one.example")}, true},
		"one subject, at an issuer and at any": {[]policy.Person{at("a", "https://one.example"), at("b", "")}, true},
		"two SDS user ids at two issuers":      {[]policy.Person{staff("a", "1", "https://one.example"), staff("b", "2", "https://two.example")}, false},
		"one SDS user id at two issuers":       {[]policy.Person{staff("a", "1", "https://one.example"), staff("b", "1", "https://two.example")}, true}, // SMART-441
		"people without a subject":             {[]policy.Person{patient("a", ""), patient("b", "")}, false},
	} {
		dir := t.TempDir()
		f := policy.Folder{People: c.people, Organisations: []policy.Organisation{{ODS: "T1", Name: "Trust", Kind: "trust"}},
			Roles: []policy.Role{{Code: "A", Name: "A", Activities: []string{policy.ActivityClients}}, {Code: "R", Name: "R", Activities: []string{policy.ActivityRead}}}}
		if err := f.Save(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(dir); (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "that of another person") {
			t.Errorf("SMART-443: %s: got %v, want it refused: %t", name, err, c.refused)
		}
	}
}
