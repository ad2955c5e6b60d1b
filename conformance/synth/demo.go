package synth

import (
	"slices"

	"github.com/tidwall/gjson"
)

// Demo returns the Config of the region that the demonstration loads.
func Demo() Config { return Config{Patients: 20, Seed: 1, Shape: PatientPerSource} }

// Person is a person of a Region of the shape PatientPerSource.
type Person struct {
	NHSNumber string
	BirthDate string        // in the patient index, YYYY-MM-DD
	Patients  []TruePatient // the joined ones, that of the patient index first
}

// DemoPerson returns the sample person "patient": the first person of the demonstration who has joined
// Patients of the organisations Practice and Acute.
func DemoPerson() Person {
	var latest Truth
	cfg := Demo()
	cfg.Truth = func(t Truth) { latest = t }
	for b := range Region(cfg) {
		patient := gjson.GetBytes(b.Body, `entry.#.resource|#(resourceType=="Patient")`)
		if b.Source != PatientIndex().ODS || !patient.Exists() {
			continue
		}
		p := Person{NHSNumber: latest.Numbers[0], BirthDate: patient.Get("birthDate").Str}
		for _, own := range latest.Patients {
			if own.State == Joined {
				p.Patients = append(p.Patients, own)
			}
		}
		if p.hasPatientOf(Practice) && p.hasPatientOf(Acute) {
			return p
		}
	}
	panic("the demonstration has no person with Patients of the practice and the trust")
}

func (p Person) hasPatientOf(ods string) bool {
	return slices.ContainsFunc(p.Patients, func(own TruePatient) bool { return own.Source == ods })
}
