package index_test

import (
	"slices"
	"strings"
	"testing"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// TestInherits: the types whose owners may come through another resource (CON-406).
func TestInherits(t *testing.T) {
	for typ, want := range map[string]string{
		"Patient": "", "Practitioner": "", "AllergyIntolerance": "", "Appointment": "", "Consent": "", "Coverage": "",
		"Slot": "Schedule", "DeviceMetric": "Device", "EnrollmentResponse": "EnrollmentRequest", "Person": "Person RelatedPerson",
		"Encounter": "Group", "Condition": "Group", "Observation": "Device Group", "Schedule": "Device RelatedPerson",
	} {
		if got := strings.Join(index.InheritsFrom(typ), " "); got != want || index.Inherits(typ) != (want != "") {
			t.Errorf("%s: got %q, want %q", typ, got, want)
		}
	}
	for _, typ := range []string{"List", "Provenance", "Linkage", "AuditEvent", "Group", "Binary", "Bundle", "Parameters", "Basic"} {
		if !index.Inherits(typ) {
			t.Errorf("%s inherits from nothing", typ)
		}
	}
	// What a type is said to inherit from has owners.
	for _, typ := range r4.Resources() {
		for _, from := range index.InheritsFrom(typ) {
			if from == "Patient" || !slices.Contains(r4.Resources(), from) {
				t.Errorf("%s inherits from %s", typ, from)
			}
		}
	}
}
