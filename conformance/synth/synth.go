// Package synth generates synthetic regions: fictitious people in a fictitious region with the
// shape of a real one. The same seed makes the same bytes, and a smaller region is the beginning of
// a larger one. The demonstration, the benchmarks and tests use it.
//
// There are two regions. A Sample, which the demonstration loads, has three organisations and 40
// resources a patient. A Region has eight practices, two acute trusts, community, mental-health
// and social care, households, and about 200 resources a patient: few for a child, many for the
// old. Both can be loaded into one record: they share organisations, and no patient.
//
// # What is fictitious and what is not
//
// NHS numbers are of the range that is reserved for tests (999 …), with their check digit. ODS
// codes begin with X, which no practice or trust in England's registry has. Telephone numbers are
// of the ranges that Ofcom reserves for drama. The postcode area TM does not exist.
//
// Codes are real, in our own choice: SNOMED CT and LOINC as in the examples of FHIR R4, UK Core
// and Synthea; vaccines as in the International Patient Summary; medicines by the identifiers of
// virtual medicinal products, which dm+d and SNOMED CT share, as in NHS examples and open
// prescribing tools; units are UCUM. A medicine or finding whose code was not certain has a text
// only, as in real records. A test verifies the check digit of every identifier. That a code means
// what its display says is known only from these sources.
//
// The frequencies of illnesses and of contacts with services have the right order of magnitude,
// and are not more precise than that.
package synth

import (
	"fmt"
	"time"
)

// Organisation is a source of a region.
type Organisation struct {
	ODS, Name, Kind string
	ClientID        string // of its source system in the sample policy
	IDPrefix        string // of the ids that its source system chooses
}

// Config describes a region.
type Config struct {
	Patients int
	Seed     uint64
	Now      time.Time // every date of the record is before it; zero is 1 October 2026
}

// withDefaults sets a zero Now.
func (c Config) withDefaults() Config {
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	}
	return c
}

// Bundle is one transaction bundle of one source. The receiver owns Body.
type Bundle struct {
	Source string // ODS code
	Name   string // file name without a folder
	Body   []byte
}

// nhsNumber returns the nth number of the test range: 999, six digits, and the
// check digit. Numbers whose check digit would be 10 do not exist.
func nhsNumber(n int) string {
	var r nhsNumbers
	for range n {
		r.next()
	}
	return r.next()
}

// SampleNHSNumber returns the number of the sample person "patient": the first
// patient of every Sample.
func SampleNHSNumber() string { return nhsNumber(0) }

// nhsNumbers yields the NHS numbers of the test range, in order.
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
