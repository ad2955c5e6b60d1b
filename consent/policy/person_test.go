package policy_test

import (
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// TestAs: a person acts in exactly one of their roles; a proxy, and a kind that nobody knows, in none (SMART-143, 203, 205).
func TestAs(t *testing.T) {
	first, second := policy.RoleAt{Organisation: "A", Role: "R1"}, policy.RoleAt{Organisation: "B", Role: "R2"}
	staff := policy.Person{User: "s", Kind: policy.KindStaff, Organisation: "A", Role: "R1", Roles: []policy.RoleAt{second}}
	for name, c := range map[string]struct {
		person policy.Person
		as     policy.RoleAt
		ok     bool
	}{
		"the first role":              {staff, first, true},
		"the second role":             {staff, second, true},
		"the role of another place":   {staff, policy.RoleAt{Organisation: "A", Role: "R2"}, false},
		"no role":                     {staff, policy.RoleAt{}, false},
		"staff without a role":        {policy.Person{Kind: policy.KindStaff}, policy.RoleAt{}, false},
		"further roles alone":         {policy.Person{Kind: policy.KindStaff, Roles: []policy.RoleAt{second}}, second, true},
		"a patient":                   {policy.Person{Kind: policy.KindPatient}, policy.RoleAt{}, true},
		"a patient in a role":         {policy.Person{Kind: policy.KindPatient}, first, false},
		"a proxy":                     {policy.Person{Kind: policy.KindProxy}, policy.RoleAt{}, false},
		"a kind that nobody knows":    {policy.Person{Kind: "visitor", Organisation: "A", Role: "R1"}, first, false},
		"a kind that nobody knows, 2": {policy.Person{Kind: "visitor"}, policy.RoleAt{}, false},
	} {
		got, ok := c.person.As(c.as)
		if ok != c.ok || ok && (got.Organisation != c.as.Organisation || got.Role != c.as.Role || got.Roles != nil || got.User != c.person.User) {
			t.Errorf("%s: got %+v, %v", name, got, ok)
		}
	}
	in, _ := staff.As(second)
	if roles := in.AllRoles(); len(roles) != 1 || roles[0] != second {
		t.Errorf("SMART-205: a person in one role has %v", roles)
	}
}

// TestSMART220: the right to approve apps for an organisation is in a role of its own.
func TestSMART220(t *testing.T) {
	for name, activities := range map[string][]string{"clients": {policy.ActivityApps, policy.ActivityClients}, "operations": {policy.ActivityOperations, policy.ActivityApps}, "read": {policy.ActivityApps, policy.ActivityRead}} {
		dir := t.TempDir()
		f := &policy.Folder{Roles: []policy.Role{{Code: "A1", Activities: activities}}}
		if err := f.Save(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(dir); err == nil || !strings.Contains(err.Error(), "of its own") {
			t.Errorf("SMART-220: with %s: got %v", name, err)
		}
	}
}

// TestSMART430: a role of staff permits the purposes that it lists, or TREAT alone; mistakes in a list are told with their place.
func TestSMART430(t *testing.T) {
	f := &policy.Folder{Roles: []policy.Role{{Code: "plain"}, {Code: "both", Purposes: []string{"TREAT", "COC"}}, {Code: "other", Purposes: []string{"COC"}}}}
	for _, c := range []struct{ kind, role, permits string }{
		{policy.KindStaff, "plain", "TREAT"}, {policy.KindStaff, "both", "TREAT COC"}, {policy.KindStaff, "other", "COC"}, {policy.KindStaff, "unknown", ""}, {policy.KindStaff, "", ""},
		{policy.KindPatient, "", "PATRQT"}, {policy.KindAdministrator, "plain", "HOPERAT"},
	} {
		var got []string
		for _, purpose := range []string{"TREAT", "COC", "ETREAT", "ERTREAT", "BTG", "PATRQT", "HRESCH", "HOPERAT", "POPHLTH", "treat", ""} {
			if f.PermitsPurpose(policy.Person{Kind: c.kind, Role: c.role}, purpose) {
				got = append(got, purpose)
			}
		}
		if strings.Join(got, " ") != c.permits {
			t.Errorf("SMART-430: %s in the role %q: got %v, want %s", c.kind, c.role, got, c.permits)
		}
	}
	for want, role := range map[string]policy.Role{
		`roles[0].purposes[1]: "HRESCH" is no purpose of staff`:   {Code: "R1", Purposes: []string{"TREAT", "HRESCH"}},
		`roles[0].purposes[0]: "ETREAT" is no purpose of staff`:   {Code: "R1", Purposes: []string{"ETREAT"}},
		`roles[0].purposes[1]: "TREAT" is repeated`:               {Code: "R1", Purposes: []string{"TREAT", "TREAT"}},
		`roles[0].purposes: a role of administrators has HOPERAT`: {Code: "A1", Activities: []string{policy.ActivityClients}, Purposes: []string{"HOPERAT"}},
		`roles[0].purposes[0]: "" is no purpose of staff`:         {Code: "R1", Purposes: []string{""}},
	} {
		dir := t.TempDir()
		if err := (&policy.Folder{Roles: []policy.Role{role}}).Save(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SMART-430: %v: got %v, want %s", role.Purposes, err, want)
		}
	}
}

// TestSMART441: a role profile id is of one role of one member of staff.
func TestSMART441(t *testing.T) {
	role := policy.RoleAt{Organisation: "A", Role: "R1"}
	with := func(user string, profiles ...policy.RoleProfile) policy.Person {
		return policy.Person{User: user, Subject: user, Kind: policy.KindStaff, Organisation: "A", Role: "R1", Roles: []policy.RoleAt{{Organisation: "A", Role: "R2"}}, RoleProfiles: profiles}
	}
	good := with("a", policy.RoleProfile{RoleAt: role, ID: "1"})
	for want, people := range map[string][]policy.Person{
		"": {good, with("b", policy.RoleProfile{RoleAt: role, ID: "2"})},
		`people[1].roleProfiles[0].id: "1" is empty or repeated`:                   {good, with("b", policy.RoleProfile{RoleAt: role, ID: "1"})},
		`people[0].roleProfiles[0].id: "" is empty or repeated`:                    {with("a", policy.RoleProfile{RoleAt: role})},
		`people[0].roleProfiles[1]: the role has an id already`:                    {with("a", policy.RoleProfile{RoleAt: role, ID: "1"}, policy.RoleProfile{RoleAt: role, ID: "2"})},
		`people[0].roleProfiles[0]: the person does not have the role "R3" at "A"`: {with("a", policy.RoleProfile{RoleAt: policy.RoleAt{Organisation: "A", Role: "R3"}, ID: "1"})},
		`people[0].roleProfiles[0]: the person does not have the role "R1" at "A"`: {{User: "p", Kind: policy.KindProxy, RoleProfiles: []policy.RoleProfile{{RoleAt: role, ID: "1"}}}},
	} {
		dir := t.TempDir()
		f := &policy.Folder{Organisations: []policy.Organisation{{ODS: "A"}}, Roles: []policy.Role{{Code: "R1"}, {Code: "R2"}, {Code: "R3"}}, People: people}
		if err := f.Save(dir); err != nil {
			t.Fatal(err)
		}
		read, err := policy.Load(dir)
		if want == "" {
			if err != nil || read.People[0].RoleProfile() != "1" {
				t.Errorf("SMART-441: got %v", err)
			}
			if in, _ := read.People[0].As(policy.RoleAt{Organisation: "A", Role: "R2"}); in.RoleProfile() != "" {
				t.Errorf("SMART-441: the other role has the id %q", in.RoleProfile())
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SMART-441: got %v, want %s", err, want)
		}
	}
}

// TestPeopleOfAFolder: roles that do not exist, that are repeated, or of somebody who is not staff, are mistakes.
func TestPeopleOfAFolder(t *testing.T) {
	good := policy.RoleAt{Organisation: "A", Role: "R1"}
	for name, c := range map[string]struct {
		person policy.Person
		want   string // in the error; empty for none
	}{
		"staff with two roles":                       {policy.Person{Kind: policy.KindStaff, Organisation: "A", Role: "R1", Roles: []policy.RoleAt{{Organisation: "A", Role: "R2"}}}, ""},
		"staff without a role":                       {policy.Person{Kind: policy.KindStaff}, ""},
		"a proxy":                                    {policy.Person{Kind: policy.KindProxy}, ""},
		"an unknown organisation":                    {policy.Person{Kind: policy.KindStaff, Roles: []policy.RoleAt{good, {Organisation: "B", Role: "R1"}}}, `role 1: "B" is not an organisation`},
		"an unknown role":                            {policy.Person{Kind: policy.KindStaff, Organisation: "A", Role: "R9"}, `role 0: "R9" is not a role`},
		"a repeated role":                            {policy.Person{Kind: policy.KindStaff, Organisation: "A", Role: "R1", Roles: []policy.RoleAt{good}}, "it is repeated"},
		"a patient in a role":                        {policy.Person{Kind: policy.KindPatient, Patient: "9990000018", Roles: []policy.RoleAt{good}}, "only staff"},
		"a proxy in a role":                          {policy.Person{Kind: policy.KindProxy, Organisation: "A"}, "only staff"},
		"an administrator of an organisation's apps": {policy.Person{Kind: policy.KindAdministrator, Organisation: "A", Role: "apps"}, ""},
		"an administrator of no organisation's apps": {policy.Person{Kind: policy.KindAdministrator, Role: "apps"}, "needs one"},
		"an unknown kind":                            {policy.Person{Kind: "visitor"}, "is unknown"},
	} {
		dir := t.TempDir()
		f := &policy.Folder{Organisations: []policy.Organisation{{ODS: "A"}}, Roles: []policy.Role{{Code: "R1"}, {Code: "R2"}, {Code: "apps", Activities: []string{policy.ActivityApps}}}, People: []policy.Person{c.person}}
		if err := f.Save(dir); err != nil {
			t.Fatal(err)
		}
		read, err := policy.Load(dir)
		if c.want == "" && (err != nil || len(read.People[0].AllRoles()) != len(c.person.AllRoles())) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
