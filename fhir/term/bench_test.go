package term_test

import (
	"testing"

	"carerecord/fhir/term"
)

// BenchmarkMembers evaluates a value set of the standard anew, as each request
// does: a small one, and the largest system filtered by its hierarchy.
func BenchmarkMembers(b *testing.B) {
	for name, address := range map[string]string{
		"small":     "http://hl7.org/fhir/ValueSet/observation-status",
		"hierarchy": hl7 + "ValueSet/v3-ActPharmacySupplyType",
		"whole":     hl7 + "ValueSet/v3-ActCode",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := (&term.Terms{Most: 10_000}).Members(b.Context(), address); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
