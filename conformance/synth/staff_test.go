package synth

import (
	"testing"

	"github.com/tidwall/gjson"
)

// TestStaff: each of the sample staff is one Practitioner with one role, of the own organisation's source (SMART-441).
func TestStaff(t *testing.T) {
	practitioners, roles := map[string]int{}, map[string]int{}
	for _, o := range Organisations() {
		for _, entry := range gjson.GetBytes(organisation(o), "entry.#.resource").Array() {
			number := entry.Get("identifier.0.value").Str
			switch entry.Get("resourceType").Str {
			case "Practitioner":
				practitioners[o.ODS+number]++
			case "PractitionerRole":
				roles[o.ODS+number+entry.Get("code.0.coding.0.code").Str]++
			}
		}
	}
	for _, m := range Staff() {
		if practitioners[m.Organisation+m.Number] != 1 || roles[m.Organisation+m.RoleProfile+m.Role] != 1 {
			t.Errorf("SMART-441: %s is %d Practitioners with %d roles", m.User, practitioners[m.Organisation+m.Number], roles[m.Organisation+m.RoleProfile+m.Role])
		}
	}
}
