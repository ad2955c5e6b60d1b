package index_test

import (
	"testing"
	"time"

	"carerecord/fhir/index"
)

// observation is a laboratory result as Synthea writes it.
const observation = `{"resourceType":"Observation","id":"0b4dd2e5-3a0c-4f2b-8a4e-6a1c3c1f2a11","meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],"text":"Glucose"},"subject":{"reference":"Patient/dc9335d0-bbdd-4120-8ae9-baa6604343b6"},"encounter":{"reference":"Encounter/c9f7a1b6-6f6d-4a51-9d5a-0b2f3bb4c111"},"effectiveDateTime":"2013-04-22T08:21:05+01:00","issued":"2013-04-22T08:21:05.123+01:00","performer":[{"reference":"Practitioner/7694b55e-b670-44a5-b426-c56027e97986","display":"Dr. Somebody"}],"valueQuantity":{"value":85.72,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}`

func BenchmarkIndexObservation(b *testing.B) {
	x, err := index.New(index.Config{Base: "http://127.0.0.1:8080/fhir"})
	if err != nil {
		b.Fatal(err)
	}
	body, at := []byte(observation), time.Now()
	row, err := x.Index("Observation", "1", at, body)
	if err != nil {
		b.Fatal(err)
	}
	driving, bytes, drivingBytes := 0, 0, 0
	for _, k := range row.Keys {
		bytes += len(k)
		if k.Driving() {
			driving++
			drivingBytes += len(k)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.Index("Observation", "1", at, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(row.Keys)), "keys")
	b.ReportMetric(float64(driving), "driving-keys")
	b.ReportMetric(float64(bytes), "key-bytes")
	b.ReportMetric(float64(drivingBytes), "driving-bytes")
}
