package rest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
	"carerecord/store/pebble"
)

// BenchmarkEverything is the first page of $everything of one patient of a
// synthetic region on the embedded engine, for a clinician of another
// organisation: in a region of ten and of forty patients, since its cost must
// not depend on who else is there.
func BenchmarkEverything(b *testing.B) {
	for _, patients := range []int{10, 40} {
		b.Run(fmt.Sprint(patients), func(b *testing.B) {
			db, err := pebble.Open(pebble.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			h := shared(b, db)
			for bundle := range synth.Region(synth.Config{Patients: patients, Seed: 1}) {
				if w := send(h, "POST", "/", string(bundle.Body), "Authorization: region"); w.Code != 200 {
					b.Fatalf("load: %d %.300s", w.Code, w.Body)
				}
			}
			path := ordinary(h)
			for b.Loop() {
				if w := send(h, "GET", path, "", "Authorization: clerk"); w.Code != 200 {
					b.Fatalf("%d %.300s", w.Code, w.Body)
				}
			}
			b.StopTimer()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// ordinary is $everything of the first patient who has a usual record, of 150 to
// 250 rows.
func ordinary(h http.Handler) string {
	found := send(h, "GET", "/Patient?_count=40", "", "Authorization: clerk").Body.String()
	for _, id := range gjson.Get(found, "entry.#.resource.id").Array() {
		path := "/Patient/" + id.Str + "/$everything?_count=100"
		if n := gjson.Get(send(h, "GET", path, "", "Authorization: clerk").Body.String(), "total").Int(); n >= 150 && n <= 250 {
			return path
		}
	}
	return "/none"
}
