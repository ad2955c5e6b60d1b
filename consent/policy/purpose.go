package policy

import "slices"

// The purposes of use of grants of people, as codes of v3-ActReason.
const (
	PurposeTreatment    = "TREAT"   // of staff; the default
	PurposeCoordination = "COC"     // of staff: coordination of care
	PurposeOwn          = "PATRQT"  // of a patient, for the own record
	PurposeGovernance   = "HOPERAT" // of administrators, who see nothing of the record
)

// PurposesOfStaff are the purposes that a role of staff may have. Emergency access is an act and no purpose of a grant (SMART-434), and
// secondary use is not of people with a role.
func PurposesOfStaff() []string { return []string{PurposeTreatment, PurposeCoordination} }

// DefaultPurpose is the purpose of a grant of a person, unless a launch sets another (SMART-430).
func (p Person) DefaultPurpose() string {
	switch p.Kind {
	case KindStaff:
		return PurposeTreatment
	case KindAdministrator:
		return PurposeGovernance
	}
	return PurposeOwn
}

// PermitsPurpose reports whether a person, in one role, may have a grant for a purpose of use (SMART-430). A role of staff permits the
// purposes that it lists, and TREAT alone if it lists none: without a list the role has the least that staff need. Nobody but staff has
// a purpose besides the default.
func (f *Folder) PermitsPurpose(p Person, purpose string) bool {
	if p.Kind != KindStaff {
		return purpose == p.DefaultPurpose()
	}
	role, ok := f.Role(p.Role)
	if len(role.Purposes) == 0 {
		role.Purposes = []string{PurposeTreatment}
	}
	return ok && slices.Contains(role.Purposes, purpose)
}

// checkPurposes reports the mistakes of the purposes of a role.
func (r Role) checkPurposes(at string, bad func(format string, args ...any)) {
	permitted := PurposesOfStaff()
	if len(r.governs()) > 0 && len(r.Purposes) > 0 {
		bad("%s.purposes: a role of administrators has %s alone, and no list", at, PurposeGovernance)
		return
	}
	for i, purpose := range r.Purposes {
		if !slices.Contains(permitted, purpose) {
			bad("%s.purposes[%d]: %q is no purpose of staff: those are %v", at, i, purpose, permitted)
		}
		if slices.Contains(r.Purposes[:i], purpose) {
			bad("%s.purposes[%d]: %q is repeated", at, i, purpose)
		}
	}
}
