package rest

import (
	"context"

	"carerecord/consent"
	"carerecord/fhir/r4"
)

// Exchange describes a request for metrics, logs and traces. No field names a person or a resource,
// and each but Request and Client has few values.
type Exchange struct {
	Interaction consent.Interaction // or "metadata", "unknown"; of a transaction known at the end
	Type        string              // the resource type of the path; empty if R4 does not define it
	Request     string              // id of the request
	Client      string              // registered id of the client, at the end; empty for an unidentified requester
	Status      int                 // of the answer, at the end; ClientClosedRequest if the client closed the connection before
}

// Middleware wraps a request. It calls next once, with its own context, and reads the remaining fields
// of the Exchange after next has returned. Status is 0 if the handler panicked. It is called
// concurrently.
type Middleware func(ctx context.Context, x *Exchange, next func(context.Context))

// observe answers a call within the middleware, if there is one.
func (s *Server) observe(ctx context.Context, c *call, do func(context.Context) *answer) {
	if s.cfg.Middleware == nil {
		do(ctx)
		return
	}
	x := &Exchange{Interaction: c.interaction, Request: c.requestID}
	if r4.IsResource(c.typ) {
		x.Type = c.typ
	}
	s.cfg.Middleware(ctx, x, func(ctx context.Context) {
		a := do(ctx)
		x.Interaction, x.Client, x.Status = c.interaction, c.caller.Client, a.reported()
	})
}
