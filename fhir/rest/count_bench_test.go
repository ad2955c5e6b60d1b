package rest_test

import (
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/store/pebble"
)

// BenchmarkCountOfTheRegion is a count of one code over a synthetic region of 200
// patients for a clinician, who sees all but what patients opted out of: nobody, and
// one in twenty.
func BenchmarkCountOfTheRegion(b *testing.B) {
	db, err := pebble.Open(pebble.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	h := shared(b, db)
	for bundle := range synth.Region(synth.Config{Patients: 200, Seed: 1}) {
		if w := send(h, "POST", "/", string(bundle.Body), "Authorization: region"); w.Code != 200 {
			b.Fatalf("load: %d %.300s", w.Code, w.Body)
		}
	}
	const path = "/Observation?category=laboratory&_summary=count"
	run := func(b *testing.B) {
		var body string
		for b.Loop() {
			w := send(h, "GET", path, "", "Authorization: clerk")
			if body = w.Body.String(); w.Code != 200 {
				b.Fatalf("%d %.300s", w.Code, w.Body)
			}
		}
		b.ReportMetric(gjson.Get(body, "total").Float(), "counted")
	}
	b.Run("nobody", run)
	patients := gjson.Get(send(h, "GET", "/Patient?_count=200", "", "Authorization: clerk").Body.String(), "entry.#.resource.id").Array()
	for i := 0; i < len(patients); i += 20 {
		optOuts := fmt.Sprintf(optOut[:1]+`"id":"xw.c%d",`+optOut[1:], i, patients[i].Str)
		if w := send(h, "PUT", fmt.Sprintf("/Consent/xw.c%d", i), optOuts, "Authorization: region"); w.Code != 201 {
			b.Fatalf("opt-out: %d %.300s", w.Code, w.Body)
		}
	}
	b.Run("one in twenty", run)
}
