package synth

import (
	"cmp"
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

// DemoPatient is a Patient of one organisation of the demonstration, with its encounters there.
type DemoPatient struct {
	ID, Name, BirthDate string
	Encounters          []DemoEncounter // newest first
}

// DemoEncounter is an Encounter of a DemoPatient.
type DemoEncounter struct{ ID, Date, Type string }

// DemoPatients returns the Patients of an organisation of the demonstration.
func DemoPatients(ods string) []DemoPatient {
	var all []DemoPatient
	for b := range Region(Demo()) {
		if b.Source != ods {
			continue
		}
		for _, r := range gjson.GetBytes(b.Body, "entry.#.resource").Array() {
			switch r.Get("resourceType").Str {
			case "Patient":
				name := r.Get("name.0")
				all = append(all, DemoPatient{ID: r.Get("id").Str, BirthDate: r.Get("birthDate").Str, Name: name.Get("given.0").Str + " " + name.Get("family").Str})
			case "Encounter":
				i := slices.IndexFunc(all, func(p DemoPatient) bool { return r.Get("subject.reference").Str == "Patient/"+p.ID })
				if i < 0 {
					continue
				}
				all[i].Encounters = append(all[i].Encounters, DemoEncounter{ID: r.Get("id").Str, Date: r.Get("period.start").Str[:10], Type: r.Get("type.0.coding.0.display").Str})
			}
		}
	}
	for _, p := range all {
		slices.SortStableFunc(p.Encounters, func(a, b DemoEncounter) int { return cmp.Compare(b.Date, a.Date) })
	}
	return all
}
