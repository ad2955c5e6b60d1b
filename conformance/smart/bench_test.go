package smart

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/interop/smart/printed"
	"carerecord/store/pebble"
)

// BenchmarkTokenCheck measures what a token costs: a read of a Patient by staff, the look-up of its token alone, and both with
// 10,000 other tokens (the requirement is 5 % of a read).
func BenchmarkTokenCheck(b *testing.B) {
	engine, err := pebble.Open(pebble.Config{Dir: "record", FS: vfs.NewMem(), Cache: 64 << 20, Clock: func() time.Time { return time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC) }})
	if err != nil {
		b.Fatal(err)
	}
	defer engine.Close()
	w := newWorld(b, engine, 1)
	token, _, err := w.smart[0].Printed.Issue(b.Context(), "bench", printed.Request{User: "doctor", Client: w.ids["clinical"]})
	w.must(err)
	measure := func(name string) {
		r := httptest.NewRequest("GET", base+"/Patient/t1.ann", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		var check, read float64
		b.Run(name+", the check", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.smart[0].Verify(b.Context(), r.Header, "192.0.2.1"); err != nil {
					b.Fatal(err)
				}
			}
			check = float64(b.Elapsed()) / float64(b.N)
		})
		b.Run(name+", the read with it", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rec := httptest.NewRecorder()
				if w.servers[0].ServeHTTP(rec, r); rec.Code != 200 {
					b.Fatal(rec.Code, rec.Body)
				}
			}
			read = float64(b.Elapsed()) / float64(b.N)
			b.ReportMetric(100*check/read, "%-of-read")
		})
	}
	measure("1 token")
	for range 10_000 {
		if _, _, err := w.smart[0].Printed.Issue(b.Context(), "bench", printed.Request{User: "nurse", Client: w.ids["clinical"]}); err != nil {
			b.Fatal(err)
		}
	}
	measure("10,000 tokens")
}
