package node

import (
	"context"
	"log/slog"

	"carerecord/cmd/carerecord/internal/telemetry"
	"carerecord/fhir/rest"
	"carerecord/interop/smart"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// observers watch a server. Nil fields watch nothing.
type observers struct {
	metrics *telemetry.Metrics // with --admin
	traces  *telemetry.Traces  // with OTEL_EXPORTER_OTLP_ENDPOINT

	request  rest.Middleware                         // around each request
	decision func(context.Context) (finished func()) // around each decision
}

// newObservers returns the observers of a server: a log line for each request, metrics if there
// is an address to read them from, and traces if there is an address to send them to.
func newObservers(ctx context.Context, log *slog.Logger, metrics bool) (o observers, err error) {
	if o.traces, err = telemetry.NewTraces(ctx, log); err != nil {
		return o, err
	}
	o.request = telemetry.LogRequests(log)
	if metrics {
		o.metrics = telemetry.NewMetrics()
		o.request = telemetry.Chain(o.request, o.metrics.Middleware)
	}
	if o.traces != nil {
		o.request = telemetry.Chain(o.traces.Middleware, o.request)
		o.decision = o.traces.Decision
	}
	return o, nil
}

// authorization returns what watches the authorization server.
func (o observers) authorization() smart.Observer {
	if o.metrics == nil {
		return smart.Observer{}
	}
	o.metrics.ExpectRefusals(smart.Refusals())
	return smart.Observer{Count: o.metrics.CountAuthorization, Refused: o.metrics.CountRefusal, Upstream: o.metrics.Upstream}
}

// filtered returns a log that removes secrets (SMART-495); nil stays nil.
func filtered(log *slog.Logger) *slog.Logger {
	if log == nil {
		return nil
	}
	return slog.New(secret.Filter(log.Handler()))
}

// wrap returns the engine with its calls observed.
func (o observers) wrap(e store.Engine) store.Engine {
	if o.metrics != nil {
		e = o.metrics.Engine(e)
	}
	if o.traces != nil {
		e = o.traces.Engine(e)
	}
	return e
}

// close sends the remaining traces.
func (o observers) close(log *slog.Logger) {
	if o.traces == nil {
		return
	}
	if err := o.traces.Close(); err != nil {
		log.Warn("the last traces were not sent", "err", err)
	}
}
