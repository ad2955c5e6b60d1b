package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"carerecord/fhir/rest"
	"carerecord/store/pebble"
)

// silent is a ResponseWriter that keeps nothing.
type silent struct{ header http.Header }

func (s silent) Header() http.Header         { return s.header }
func (s silent) Write(b []byte) (int, error) { return len(b), nil }
func (s silent) WriteHeader(int)             {}

// BenchmarkReadOne is the read of one resource without the sockets: all that the
// server does between the request and the bytes, with the document kept ready
// and without.
func BenchmarkReadOne(b *testing.B) {
	for name, recent := range map[string]int{"kept": 0, "from rows": -1} {
		b.Run(name, func(b *testing.B) {
			db, err := pebble.Open(pebble.Config{Dir: b.TempDir(), DocCache: recent})
			if err != nil {
				b.Fatal(err)
			}
			h := handlerWith(b, db, func(c *rest.Config) { c.Limits.ClientRate, c.Audit = 0, nil })
			if w := send(h, "PUT", "/Patient/g.1", patient); w.Code != 201 {
				b.Fatalf("got %d %s", w.Code, w.Body)
			}
			r := httptest.NewRequest("GET", site+"/fhir/Patient/g.1", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(silent{http.Header{}}, r)
			}
			b.StopTimer()
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
