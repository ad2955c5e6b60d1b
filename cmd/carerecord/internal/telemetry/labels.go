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

// class is the class of a status: 2xx, 4xx; "none" where no answer was made, "canceled" where
// the client hung up before.
func class(status int) string {
	if status == rest.ClientClosedRequest {
		return "canceled"
	}
	if status < 100 || status > 599 {
		return "none"
	}
	return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[status/100-1]
}

// cause says in a word why a call of the engine failed.
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

// Chain makes one Watch of several, the first outermost.
func Chain(all ...rest.Middleware) rest.Middleware {
	return func(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
		around(ctx, x, all, next)
	}
}

func around(ctx context.Context, x *rest.Exchange, all []rest.Middleware, next func(context.Context)) {
	if len(all) == 0 {
		next(ctx)
		return
	}
	all[0](ctx, x, func(ctx context.Context) { around(ctx, x, all[1:], next) })
}

// LogRequests writes one line of log per request, with its trace if it has one.
func LogRequests(log *slog.Logger) rest.Middleware {
	return func(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
		began := time.Now()
		defer func() { // a request that panics has its line as well
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
