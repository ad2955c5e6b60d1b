package validate_test

import (
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/testfiles"
	"carerecord/conformance/validate"
	"carerecord/fhir"
)

// BenchmarkSynthea validates the resources of ten synthetic patients. ns/op and B/resource are for one
// resource.
func BenchmarkSynthea(b *testing.B) {
	names := testfiles.Shared(b, testfiles.Synthea+"/*.json.gz")
	var bodies [][]byte
	size := 0
	for _, name := range names[:min(10, len(names))] {
		r, err := fhir.Parse(gunzip(b, name))
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range r.Get("entry.#.resource").Array() {
			bodies = append(bodies, []byte(e.Raw))
			size += len(e.Raw)
		}
	}
	if !gjson.ValidBytes(bodies[0]) || validate.Resource(bodies[0], validate.Strict) != nil {
		b.Fatal("the first resource is not valid")
	}
	b.SetBytes(int64(size / len(bodies)))
	b.ReportMetric(float64(size)/float64(len(bodies)), "B/resource")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if validate.Resource(bodies[i%len(bodies)], validate.Strict) != nil {
			b.Fatal("a resource is not valid")
		}
	}
}
