package telemetry

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// BenchmarkWatched measures the cost of the log line (without the write to the file) and of the
// metrics of a request with one read.
func BenchmarkWatched(b *testing.B) {
	m := NewMetrics()
	e := m.Engine(referenceEngine{storetest.NewReference(time.Now)})
	watch := Chain(LogRequests(slog.New(slog.NewTextHandler(io.Discard, nil))), m.Middleware)
	read := func(ctx context.Context) { e.Read(ctx, func(store.Snapshot) error { return nil }) }
	b.Run("watched", func(b *testing.B) {
		for b.Loop() {
			watch(b.Context(), &rest.Exchange{Interaction: "read", Type: "Patient", Request: "f82717872ed588acede5141f", Client: "demo-feed", Status: 200}, read)
		}
	})
	bare := referenceEngine{storetest.NewReference(time.Now)}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			bare.Read(b.Context(), func(store.Snapshot) error { return nil })
		}
	})
}
