package policy

import "slices"

// The kinds of people.
const (
	KindStaff   = "clinician"
	KindPatient = "patient" // with an own record
	KindProxy   = "proxy"   // without an own record here, who acts for others
	// KindAdministrator: somebody who governs or operates the record (SMART-209), in one role that is for nobody else.
	KindAdministrator = "administrator"
)

// RoleAt is a role of a member of staff at an organisation.
type RoleAt struct {
	Organisation string `json:"organisation"` // ODS code
	Role         string `json:"role"`
}

// AllRoles returns the roles of a member of staff, the first one first; none for anybody else.
func (p Person) AllRoles() []RoleAt {
	if p.Kind != KindStaff {
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
	case p.Kind == KindAdministrator && r == RoleAt{p.Organisation, p.Role}:
	case p.Kind == KindStaff && slices.Contains(p.AllRoles(), r):
	default:
		return Person{}, false
	}
	p.Organisation, p.Role, p.Roles = r.Organisation, r.Role, nil
	return p, true
}

// sameIdentity reports whether a sign-in could mean either of two people: nobody is picked of two (SMART-443). Patients and proxies
// sign in at one issuer.
func (p Person) sameIdentity(other Person) bool {
	issuer := func(kind string) string {
		if kind == KindProxy {
			return KindPatient
		}
		return kind
	}
	return p.User == other.User || p.Subject != "" && p.Subject == other.Subject && issuer(p.Kind) == issuer(other.Kind)
}

// check reports the mistakes of a person.
func (p Person) check(f *Folder, at string, bad func(format string, args ...any)) {
	switch p.Kind {
	case KindStaff:
		for i, r := range p.AllRoles() {
			if _, ok := f.Organisation(r.Organisation); !ok {
				bad("%s, role %d: %q is not an organisation of the folder", at, i, r.Organisation)
			}
			if role, ok := f.Role(r.Role); !ok || len(role.governs()) > 0 {
				bad("%s, role %d: %q is not a role of the folder, or one of administrators", at, i, r.Role)
			}
			if slices.Contains(p.AllRoles()[:i], r) {
				bad("%s, role %d: it is repeated", at, i)
			}
		}
	case KindPatient:
		if p.Patient == "" {
			bad("%s.patient: an NHS number is required", at)
		}
	case KindAdministrator:
		if _, ok := f.Organisation(p.Organisation); !ok && p.Organisation != "" {
			bad("%s.organisation: %q is not an organisation of the folder", at, p.Organisation)
		}
		role, ok := f.Role(p.Role)
		if !ok || len(role.governs()) == 0 {
			bad("%s.role: %q is not a role of administrators", at, p.Role)
		}
		if p.Organisation == "" && slices.Contains(role.Activities, ActivityApps) {
			bad("%s.organisation: the activity %s needs one: it is for that organisation alone", at, ActivityApps)
		}
	case KindProxy:
	default:
		bad("%s.kind: %q is unknown", at, p.Kind)
	}
	switch {
	case p.Kind != KindStaff && len(p.Roles) > 0, p.Kind != KindStaff && p.Kind != KindAdministrator && p.Role+p.Organisation != "":
		bad("%s: only staff and administrators have roles, and only staff have several", at)
	}
}
