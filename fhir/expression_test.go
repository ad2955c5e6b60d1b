package fhir

import "testing"

// REST-003: expressions parse as FHIRPath.
func TestAppendElement(t *testing.T) {
	for _, c := range []struct{ path, member, want string }{
		{"Patient", "birthDate", "Patient.birthDate"},
		{"Patient", "_birthDate", "Patient.birthDate"},
		{"", "Patient", "Patient"},
		{"Patient.text", "div", "Patient.text.`div`"},
		{"ValueSet.expansion", "contains", "ValueSet.expansion.contains"},
		{"X", "", "X.``"},
		{"X", "_", "X._"},
		{"X", "1a", "X.`1a`"},
		{"X", "a b", "X.`a b`"},
		{"X", "a`\\b\n", "X.`a\\`\\\\b\\n`"},
		{"X", "é", "X.`é`"},
	} {
		if got := string(AppendElement([]byte(c.path), c.member)); got != c.want {
			t.Errorf("%q and %q: got %s, want %s", c.path, c.member, got, c.want)
		}
	}
}
