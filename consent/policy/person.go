package policy

import (
	"fmt"
	"slices"
)

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

// RoleProfile is the SDS role profile id of a role of a member of staff.
type RoleProfile struct {
	RoleAt
	ID string `json:"id"`
}

// RoleProfile returns the SDS role profile id of a person in one role; "" for none.
func (p Person) RoleProfile() string {
	for _, profile := range p.RoleProfiles {
		if profile.RoleAt == (RoleAt{p.Organisation, p.Role}) {
			return profile.ID
		}
	}
	return ""
}

// checkRoleProfiles reports the mistakes of the role profile ids of all people: each is of one role of one member of staff (SMART-443).
func (f *Folder) checkRoleProfiles(bad func(format string, args ...any)) {
	ids := map[string]bool{}
	for i, p := range f.People {
		for j, profile := range p.RoleProfiles {
			at := fmt.Sprintf("people[%d].roleProfiles[%d]", i, j)
			if !slices.Contains(p.AllRoles(), profile.RoleAt) {
				bad("%s: the person does not have the role %q at %q", at, profile.Role, profile.Organisation)
			}
			if slices.ContainsFunc(p.RoleProfiles[:j], func(other RoleProfile) bool { return other.RoleAt == profile.RoleAt }) {
				bad("%s: the role has an id already", at)
			}
			if profile.ID == "" || ids[profile.ID] {
				bad("%s.id: %q is empty or repeated", at, profile.ID)
			}
			ids[profile.ID] = true
		}
	}
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

// SignsInAs reports whether a subject at an issuer is the person (SMART-185). No name, number or address ever is.
func (p Person) SignsInAs(issuer, subject string) bool {
	return subject != "" && p.Subject == subject && (p.Issuer == "" || p.Issuer == issuer)
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
	// The subject of staff is the SDS user id too, by which a Practitioner is found (SMART-441): it is one person's at every issuer.
	differentIssuers := p.Issuer != "" && other.Issuer != "" && p.Issuer != other.Issuer && p.Kind != KindStaff
	return p.User == other.User || p.Subject != "" && p.Subject == other.Subject && issuer(p.Kind) == issuer(other.Kind) && !differentIssuers
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
