package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"carerecord/fhir/rest"
	"carerecord/store"
)

// All attributes of spans.
const (
	interactionKey = attribute.Key("carerecord.interaction")
	typeKey        = attribute.Key("carerecord.type")
	statusKey      = attribute.Key("http.response.status_code")
	causeKey       = attribute.Key("carerecord.cause")   // of a failed call of the engine
	writesKey      = attribute.Key("carerecord.writes")  // of a commit
	recordsKey     = attribute.Key("carerecord.records") // of the audit trail
)

// Traces makes spans for requests, decisions, reads and commits of the store, and appends to the
// audit trail. It is safe for concurrent use.
type Traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
}

// NewTraces returns Traces that are sent by OTLP over HTTP to the endpoint of the
// OTEL_EXPORTER_OTLP_… variables; nil if they name none. Spans that cannot be sent are lost,
// which is logged. OTEL_TRACES_SAMPLER decides about sampling.
func NewTraces(ctx context.Context, log *slog.Logger) (*Traces, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "carerecord")), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "err", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &Traces{tracer: provider.Tracer("carerecord"), provider: provider}, nil
}

// Close sends the remaining spans, for five seconds at most.
func (t *Traces) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Middleware makes the span of a request.
func (t *Traces) Middleware(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
	ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
	defer func() { // also after a panic
		span.SetAttributes(interactionKey.String(string(x.Interaction)), typeKey.String(x.Type), statusKey.Int(x.Status))
		if x.Status == 0 || x.Status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}()
	next(ctx)
}

// Decision makes the span of a decision.
func (t *Traces) Decision(ctx context.Context) (done func()) {
	_, span := t.tracer.Start(ctx, "decision")
	return func() { span.End() }
}

// Engine returns an engine that makes spans for the calls to e.
func (t *Traces) Engine(e store.Engine) store.Engine { return &tracedEngine{Engine: e, t: t} }

type tracedEngine struct {
	store.Engine
	t *Traces
}

// endSpan ends a span. The text of an error may name resources, so the span has its cause only.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetAttributes(causeKey.String(cause(err)))
	}
	span.End()
}

// Read makes the span of a snapshot, with the processing of its rows.
func (e *tracedEngine) Read(ctx context.Context, f func(store.Snapshot) error) error {
	ctx, span := e.t.tracer.Start(ctx, "store.read")
	err := e.Engine.Read(ctx, f)
	endSpan(span, err)
	return err
}

func (e *tracedEngine) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	ctx, span := e.t.tracer.Start(ctx, "store.commit", trace.WithAttributes(writesKey.Int(len(b.Writes)), recordsKey.Int(len(b.Log))))
	seq, err := e.Engine.Commit(ctx, b)
	endSpan(span, err)
	return seq, err
}

func (e *tracedEngine) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	ctx, span := e.t.tracer.Start(ctx, "trail.append", trace.WithAttributes(recordsKey.Int(len(payloads))))
	first, err := e.Engine.Append(ctx, payloads...)
	endSpan(span, err)
	return first, err
}
