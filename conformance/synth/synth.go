// Package synth makes synthetic regions: people who never were, in a region
// that never was, with the shape of a real one. The same seed makes the same
// bytes, and a smaller region is the beginning of a larger one.
//
// There are two: Region, the whole, and Sample, the small first form that a
// demonstration loads. A Sample has three organisations and 40 resources a
// patient. A Region has eight practices, two acute trusts, community,
// mental-health and social care, households, and about 200 resources a patient:
// few for a child, many for the old. Both may be loaded into one record: they
// share organisations, and no patient.
//
// # What is made up, and what is not
//
// NHS numbers are of the range that is kept for tests (999 …), with their check
// digit. ODS codes begin with X, which no real organisation of England's
// registry uses for a practice or trust. Telephone numbers are of the ranges
// that Ofcom keeps for drama. The postcode area TM does not exist.
//
// Codes are facts of their code systems, in our own choice: SNOMED CT and LOINC
// as the examples of FHIR R4, UK Core and Synthea use them; vaccines as the
// International Patient Summary lists them; medicines by the identifiers of
// virtual medicinal products, which dm+d and SNOMED CT share, as NHS examples
// and open prescribing tools use them; units are UCUM. A medicine or finding
// whose code was not sure has text alone, as in real records. Every identifier's
// check digit is tested; that a code means what its display says is known only
// as far as those sources go.
//
// How often an illness occurs, and how often people meet a service, is of the
// right order, and no more than that.
package synth

import (
	"fmt"
	"time"
)

// Organisation is a source of a region.
type Organisation struct {
	ODS, Name, Kind string
	Feed            string // client id of its feed
	IDPrefix        string // id space of its feed
}

// Config says what to make.
type Config struct {
	Patients int
	Seed     uint64
	Now      time.Time // every date of the record lies before it; zero is 1 October 2026
}

// dated fills in the day of the record.
func (c Config) dated() Config {
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	}
	return c
}

// Bundle is one transaction bundle of one source. Body is the caller's.
type Bundle struct {
	Source string // ODS code
	Name   string // of a file, without folder
	Body   []byte
}

// NHSNumber returns the nth number of the test range: 999, six digits, and the
// check digit. Numbers whose check digit would be 10 do not exist.
func NHSNumber(n int) string {
	var r numbers
	for range n {
		r.next()
	}
	return r.next()
}

// SampleNHSNumber is the number of the sample person "patient": the first
// patient of every Sample.
func SampleNHSNumber() string { return NHSNumber(0) }

// numbers hands out the NHS numbers of the test range, in order.
type numbers struct{ after int }

func (r *numbers) next() string {
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
