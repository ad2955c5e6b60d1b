// Package synth generates synthetic data: fictitious people in a fictitious region. The
// demonstration, the benchmarks and tests use it. The same seed gives the same bytes, and a smaller
// region is a prefix of a larger one.
//
// There are two data sets. A Sample, which the demonstration loads, has three organisations and 40
// resources for each patient. A Region has eight practices, two acute trusts, community,
// mental-health and social care, households, and about 200 resources for each patient: few for
// children, many for old people. Both can be loaded into one record: they share organisations, and
// no patient.
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

// nhsNumber returns the nth number of the test range: 999, six digits and the check digit. A number
// whose check digit would be 10 is skipped.
func nhsNumber(n int) string {
	var r nhsNumbers
	for range n {
		r.next()
	}
	return r.next()
}

// SampleNHSNumber returns the NHS number of the sample person "patient", who is the first patient of
// every Sample.
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
