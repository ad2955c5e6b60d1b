package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"carerecord/fhir/rest"
	"carerecord/store"
)

// class returns the class of a status, such as 2xx; "none" if there was no answer, and "canceled"
// if the client hung up before it.
func class(status int) string {
	if status == rest.ClientClosedRequest {
		return "canceled"
	}
	if status < 100 || status > 599 {
		return "none"
	}
	return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[status/100-1]
}

// cause returns the value of the label "cause" for an error of the engine.
func cause(err error) string {
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExists):
		return "conflict"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, store.ErrTooLarge):
		return "too-large"
	}
	return "other"
}

// Chain returns the composition of several middlewares, the first outermost.
func Chain(all ...rest.Middleware) rest.Middleware {
	return func(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
		callChain(ctx, x, all, next)
	}
}

func callChain(ctx context.Context, x *rest.Exchange, all []rest.Middleware, next func(context.Context)) {
	if len(all) == 0 {
		next(ctx)
		return
	}
	all[0](ctx, x, func(ctx context.Context) { callChain(ctx, x, all[1:], next) })
}

// LogRequests logs one line per request, with the id of its trace if that is sampled.
func LogRequests(log *slog.Logger) rest.Middleware {
	return func(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
		began := time.Now()
		defer func() { // also after a panic
			line := []slog.Attr{slog.String("interaction", string(x.Interaction)), slog.String("type", x.Type),
				slog.Int("status", x.Status), slog.Duration("took", time.Since(began)), slog.String("request", x.Request), slog.String("client", x.Client)}
			if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
				line = append(line, slog.String("trace", span.TraceID().String()))
			}
			log.LogAttrs(ctx, slog.LevelInfo, "request", line...)
		}()
		next(ctx)
	}
}
