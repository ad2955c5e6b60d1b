package synth

import (
	"fmt"
	"strings"
)

// The systems of the numbers of staff and of their roles (SMART-441).
const (
	sdsUserID        = "https://fhir.nhs.uk/Id/sds-user-id"
	sdsRoleProfileID = "https://fhir.nhs.uk/Id/sds-role-profile-id"
	sdsJobRole       = "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName"
)

// StaffMember is somebody of the sample staff, who can sign in to the demonstration.
type StaffMember struct {
	User         string // name of the account
	Number       string // SDS user id
	Organisation string // ODS code
	Role         string // code of the job role
	RoleProfile  string // SDS role profile id
}

// Staff returns the sample staff. Each is a Practitioner of the organisation's source, with one PractitionerRole.
func Staff() []StaffMember {
	return []StaffMember{
		{"gp", "900000000101", Practice, "R0260", "910000000101"},
		{"consultant", "900000000102", Acute, "R0050", "910000000102"},
		{"clerk", "900000000103", Acute, "R0790", "910000000103"},
		{"nurse", "900000000104", Community, "R0600", "910000000104"},
		{"locum", "900000000105", Practice, "R0260", "910000000105"},
	}
}

// writeStaff writes three Practitioners of an organisation, each with a role. The first are those of Staff.
func (w *entryWriter) writeStaff(o Organisation, org string) {
	var members []StaffMember
	for _, m := range Staff() {
		if m.Organisation == o.ODS {
			members = append(members, m)
		}
	}
	for i, name := range []string{"Ash", "Birch", "Cedar"} {
		person, role := "", ""
		if i < len(members) {
			m := members[i]
			person = fmt.Sprintf(`"identifier":[{"system":"%s","value":"%s"}],`, sdsUserID, m.Number)
			role = fmt.Sprintf(`"identifier":[{"system":"%s","value":"%s"}],"code":[{"coding":[{"system":"%s","code":"%s"}]}],`, sdsRoleProfileID, m.RoleProfile, sdsJobRole, m.Role)
		}
		pr := w.put("Practitioner", fmt.Sprintf("pr%d", i), fmt.Sprintf(`%s"active":true,"name":[{"family":"%s","given":["%s"],"prefix":["Dr"]}]`, person, name, strings.ToUpper(o.Kind[:1])))
		w.put("PractitionerRole", fmt.Sprintf("role%d", i), fmt.Sprintf(`%s"active":true,"practitioner":{"reference":"%s"},"organization":{"reference":"%s"}`, role, pr, org))
	}
}
