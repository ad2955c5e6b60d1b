// Package synth generates synthetic data: fictitious people in a fictitious region. The
// demonstration, the benchmarks and tests use it. The same seed gives the same bytes, and a smaller
// region is a prefix of a larger one.
//
// A Region has eight practices, two acute trusts, community, mental-health and social care,
// households, and about 200 resources for each patient: few for children, many for old people.
// Demo is the Region of the demonstration.
//
// # People and their Patients
//
// A Region has one of two shapes. In the shape OnePatient, the registered practice has the only
// Patient of a person. In the shape PatientPerSource, each source that has data about a person sends
// its own Patient, with its own id, local identifier and spelling, and its resources refer to that
// Patient. The patient index, one more organisation, sends one Patient for each NHS number. Its
// demographics are correct. Of 1000 people, 190 have one Patient in addition to that of the index,
// 610 have two, 150 have three, 40 have four or five, and 10 have six or seven.
//
// The shape has these cases:
//
//   - The numbers of the mental-health trust do not count, because it is untraced (RegionIdentity).
//   - 6 % of the acute Patients and 30 % of those of social care have no number, or one whose
//     verification status is not 01. 8 % of the mental-health trust have no number.
//   - 0.5 % of the Patients with a counting number are contradicted: their birth date is not that of
//     the patient index. Without a counting number, 8 % have day and month of birth exchanged if that
//     is a date. Community and social care have some birth dates without a day or month.
//   - Maiden names, initials, typing errors, missing accents, former addresses and missing telephone
//     numbers have a rate for each kind of source (ratesOf).
//   - A practice that a person left still has its Patient, which is not active.
//   - The trust knows a child born in the last 120 days as "Baby of" its mother, without a number.
//   - One in twenty families with two or more children has twins, who differ in the given name and
//     the number.
//   - One person in a thousand, beginning with person 99, has a superseded NHS number. The patient
//     index has a Patient of that number too, with a link of type replaced-by. The registered practice
//     lists the number as old, and another traced source uses it as the current one. If there is no
//     such source, the practice uses it.
//   - The laboratory of XAC02, in reports that practices ordered, and the mental-health trust, in
//     letters, name patients by NHS number alone, without a reference. The laboratory does so also for
//     people of whom its trust has no Patient.
//
// Config.Truth receives the Patients of each person, with the state that a server must derive.
//
// # Fictitious and real values
//
// NHS numbers are in the range that is reserved for tests (999 …) and have valid check digits. ODS
// codes begin with X, unlike those of all practices and trusts in England's registry. Telephone
// numbers are in the ranges that Ofcom reserves for drama. The postcode area TM does not exist.
//
// Codes are real. The selection is our own, from these sources: SNOMED CT and LOINC from the
// examples of FHIR R4, UK Core and Synthea; vaccines from the International Patient Summary;
// medicines from NHS examples and open prescribing tools, by the identifiers of virtual medicinal
// products, which dm+d and SNOMED CT share. Units are UCUM. A medicine or finding without a
// verified code has only a text, as in real records. A test verifies the check digit of every
// identifier. No test verifies that a display belongs to its code: it comes from these sources.
//
// The frequencies of illnesses and of contacts with services are correct in their order of
// magnitude only.
package synth

import (
	"fmt"
	"time"
)

// Organisation is an organisation whose source system writes data of a region.
type Organisation struct {
	ODS, Name, Kind string
	ClientID        string // client id of its source system in the sample policy
	IDPrefix        string // prefix of the ids that its source system chooses
}

// Config selects the size, the seed and the end of a region.
type Config struct {
	Patients int
	Seed     uint64
	Now      time.Time // all dates are before it; the zero value means 1 October 2026
	Shape    Shape     // of a Region

	// Truth, if not nil, is called for each person of a Region of the shape PatientPerSource, before
	// the bundles about that person.
	Truth func(Truth)
}

// withDefaults replaces a zero Now.
func (c Config) withDefaults() Config {
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	}
	return c
}

// Bundle is one transaction bundle of one organisation. The receiver owns Body.
type Bundle struct {
	Source string // ODS code
	Name   string // file name without a folder
	Body   []byte
}

// UnusedNHSNumber returns the nth NHS number of the test range that no Region uses.
func UnusedNHSNumber(n int) string {
	r := nhsNumbers{after: unusedNumbers}
	for range n {
		r.next()
	}
	return r.next()
}

// nhsNumbers yields the NHS numbers of the test range, in order: 999, six digits and the check digit.
// A number whose check digit would be 10 is skipped.
type nhsNumbers struct{ after int }

func (r *nhsNumbers) next() string {
	for {
		nine := 999_000_000 + r.after
		r.after++
		sum := 0
		for rest, weight := nine, 2; rest > 0; rest, weight = rest/10, weight+1 {
			sum += rest % 10 * weight
		}
		if check := (11 - sum%11) % 11; check != 10 {
			return fmt.Sprintf("%d%d", nine, check)
		}
	}
}
