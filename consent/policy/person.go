package policy

import "slices"

// The kinds of people.
const (
	KindClinician = "clinician" // any member of staff
	KindPatient   = "patient"   // with an own record
	KindProxy     = "proxy"     // without an own record here, who acts for others
)

// RoleAt is a role of a member of staff at an organisation.
type RoleAt struct {
	Organisation string `json:"organisation"` // ODS code
	Role         string `json:"role"`
}

// AllRoles returns the roles of a member of staff, the first one first; none for anybody else.
func (p Person) AllRoles() []RoleAt {
	if p.Kind != KindClinician {
		return nil
	}
	if p.Role == "" && p.Organisation == "" {
		return slices.Clone(p.Roles)
	}
	return append([]RoleAt{{p.Organisation, p.Role}}, p.Roles...)
}

// As returns a person in exactly one of their roles (SMART-205). A patient has the zero RoleAt. It returns false for a role that the
// person does not have, and for a proxy, since there are no authorities to act for others yet (SMART-143).
func (p Person) As(r RoleAt) (Person, bool) {
	switch {
	case p.Kind == KindPatient && r == RoleAt{}:
	case p.Kind == KindClinician && slices.Contains(p.AllRoles(), r):
	default:
		return Person{}, false
	}
	p.Organisation, p.Role, p.Roles = r.Organisation, r.Role, nil
	return p, true
}

// check reports the mistakes of a person.
func (p Person) check(f *Folder, at string, bad func(format string, args ...any)) {
	switch p.Kind {
	case KindClinician:
		for i, r := range p.AllRoles() {
			if _, ok := f.Organisation(r.Organisation); !ok {
				bad("%s, role %d: %q is not an organisation of the folder", at, i, r.Organisation)
			}
			if _, ok := f.Role(r.Role); !ok {
				bad("%s, role %d: %q is not a role of the folder", at, i, r.Role)
			}
			if slices.Contains(p.AllRoles()[:i], r) {
				bad("%s, role %d: it is repeated", at, i)
			}
		}
	case KindPatient:
		if p.Patient == "" {
			bad("%s.patient: an NHS number is required", at)
		}
	case KindProxy:
	default:
		bad("%s.kind: %q is unknown", at, p.Kind)
	}
	if p.Kind != KindClinician && len(p.Roles)+len(p.Role)+len(p.Organisation) > 0 {
		bad("%s: only staff have roles", at)
	}
}
