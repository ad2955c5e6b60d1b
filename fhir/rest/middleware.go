package rest

import (
	"context"

	"carerecord/consent"
	"carerecord/fhir/r4"
)

// Exchange is what may be told of a request outside of the trail. Nothing in it
// names a person or a resource, and each field but Request and Client has few
// values.
type Exchange struct {
	Interaction consent.Interaction // or "metadata", "unknown"; of a transaction known at the end
	Type        string              // the resource type of the path; empty where it is none of R4
	Request     string              // id of the request
	Client      string              // registered id of the client, at the end; empty for a caller nobody knows
	Status      int                 // of the answer, at the end; ClientClosedRequest if the client closed the connection before
}

// Middleware goes around each request. It calls next once, with a context made of
// its own, and finds the rest of the Exchange in place when next is back. Where
// the answer could not be made it has no Status. It is called concurrently.
type Middleware func(ctx context.Context, x *Exchange, next func(context.Context))

// watched answers a call under the watch, if there is one.
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
