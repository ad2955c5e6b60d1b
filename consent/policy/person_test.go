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
