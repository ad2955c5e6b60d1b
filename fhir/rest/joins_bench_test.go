package rest_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"carerecord/conformance/synth"
	"carerecord/fhir/rest"
	"carerecord/store/pebble"
)

// BenchmarkJoins is the first page of chains and _has over a synthetic region on the
// embedded engine, for somebody who sees everything.
func BenchmarkJoins(b *testing.B) {
	for _, patients := range []int{100, 1000} {
		db, err := pebble.Open(pebble.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		h := handlerWith(b, db, func(*rest.Config) {})
		for bundle := range synth.Region(synth.Config{Patients: patients, Seed: 1}) {
			if w := send(h, "POST", "/", string(bundle.Body)); w.Code != 200 {
				b.Fatalf("load: %d %.300s", w.Code, w.Body)
			}
		}
		for _, q := range []string{
			"Observation?patient.gender=male&code=http://loinc.org%7C85354-9",
			"Observation?patient.gender=male",
			"Observation?subject:Patient.family=smith",
			"Observation?subject:Patient.family=smith&code=http://loinc.org%7C85354-9",
			"Observation?encounter.status=finished&code=http://loinc.org%7C85354-9",
			"Patient?_has:Observation:patient:code=http://loinc.org%7C85354-9",
			"Encounter?_has:Observation:encounter:code=http://loinc.org%7C85354-9",
			"Patient?gender=male&_revinclude=Condition:patient",
			"Observation?code=http://loinc.org%7C85354-9&_include=Observation:patient&_include=Observation:encounter",
		} {
			b.Run(fmt.Sprintf("%d/%s", patients, q), func(b *testing.B) {
				before := processor()
				for b.Loop() {
					if w := send(h, "GET", "/"+q+"&_count=20", ""); w.Code != 200 {
						b.Fatalf("%d %.300s", w.Code, w.Body)
					}
				}
				b.ReportMetric(float64((processor()-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// processor is the processor time of this process: on a busy machine it says more than
// the clock.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
