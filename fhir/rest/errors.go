package rest

import (
	"context"
	"errors"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// failed turns an error into an answer. No other function does. An error that is not a
// *fhir.Error is a fault of the server: the client only learns the request id.
func (s *Server) failed(c *call, err error) *answer {
	e, ok := fhir.AsError(err)
	switch {
	case ok:
	case errors.Is(err, store.ErrNotFound):
		e = fhir.NotFound()
	case errors.Is(err, store.ErrConflict):
		e = &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "Too many concurrent writes to this resource. Nothing was stored. Try again.", Detail: consent.NothingStored()}},
			Header: map[string]string{"Retry-After": "1"}}
	default:
		e = fhir.Fault(500, "exception", "Internal error. Report this request id to the operator: %s", c.requestID)
	}
	a := &answer{status: e.Status, header: e.Header, body: fhir.Outcome(e.Issues), hungUp: c.hungUp(err)}
	switch {
	case a.hungUp:
		s.cfg.Log.Debug("the client closed the connection", "request", c.requestID, "interaction", string(c.interaction), "err", err)
	case e.Status >= 500:
		s.cfg.Log.Error("request failed", "request", c.requestID, "interaction", string(c.interaction), "err", err)
	}
	return a
}

// ClientClosedRequest is the status of a request whose client closed the connection before the answer,
// in the audit trail and in an Exchange. It is never sent.
const ClientClosedRequest = 499

// hungUp reports whether a call failed because its client closed the connection. An unknown outcome of
// a write is a fault of the store, not of the client.
func (c *call) hungUp(err error) bool {
	return errors.Is(err, context.Canceled) && errors.Is(c.r.Context().Err(), context.Canceled) && !errors.Is(err, store.ErrUnknown)
}

// reported is the status of an answer in logs, metrics and the audit trail.
func (a *answer) reported() int {
	if a.hungUp {
		return ClientClosedRequest
	}
	return a.status
}

// timeoutError returns the error of a call whose time was up, or whose client closed the connection,
// before anything was done; else nil.
func timeoutError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "timeout", Text: "The request took too long. Nothing was done. Try again.", Detail: consent.NothingStored()}},
		Cause: err, Header: map[string]string{"Retry-After": "1"}}
}
