package clients_test

import (
	"errors"
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// TestSMART220Names: the refusal of an approval names the scopes that are beyond the registration, as they were asked for, and the purposes
// that are possible.
func TestSMART220Names(t *testing.T) {
	o := newOffice(t)
	c := app()
	c.Audience, c.Scopes, c.Purposes = []string{clients.ForClinicians}, "user/Observation.rs patient/*.rs", []string{"TREAT", "COC"}
	added := o.add(t, c)
	for name, one := range map[string]struct {
		scopes, purpose string
		want            string
		without         string // must not be in the text
	}{
		"scopes beyond the registration": {"user/Observation.rs user/Observation.cruds user/Condition.rs patient/Condition.r", "TREAT", "user/Observation.cruds, user/Condition.rs", "patient/Condition"},
		"a scope of systems":             {"patient/*.rs system/*.rs", "TREAT", "system/*.rs", "patient/*.rs"},
		"SMART-481: an unknown scope":    {"patient/*.rs  9990000018", "TREAT", "scope 2 is none", "9990000018"},
		"SMART-481: a scope of a value":  {"patient/*.rs user/Condition.rs?category=http://x.example|9990000018", "TREAT", "user/Condition.rs?…", "9990000018"},
		"another purpose":                {"patient/*.rs", "PATRQT", "TREAT, COC", "PATRQT"},
		"many scopes":                    {strings.Repeat("user/Condition.rs user/Encounter.rs ", 20), "TREAT", "user/Condition.rs, user/Encounter.rs", "user/Condition.rs, user/Encounter.rs, "},
	} {
		_, err := o.ApproveFor(t.Context(), "manager", added.ID, clients.OrganisationApproval{Organisation: "T1", Scopes: one.scopes, Purpose: one.purpose, Ends: o.now.AddDate(0, 1, 0)})
		if !errors.Is(err, clients.ErrRefused) || !strings.Contains(err.Error(), one.want) || strings.Contains(err.Error(), one.without) {
			t.Errorf("SMART-220: %s: got %v, want a refusal that names %s", name, err, one.want)
		}
	}
}
