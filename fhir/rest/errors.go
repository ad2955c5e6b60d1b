package rest

import (
	"context"
	"errors"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// failed turns an error into an answer: the one place where that is done. What
// is no *fhir.Error is a fault of ours, and the client reads the request id
// only.
func (s *Server) failed(c *call, err error) *answer {
	e, ok := fhir.AsError(err)
	switch {
	case ok:
	case errors.Is(err, store.ErrNotFound):
		e = fhir.NotFound()
	case errors.Is(err, store.ErrConflict):
		e = &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "Other writes were faster, again and again. Nothing was stored; it may be repeated.", Detail: consent.NothingStored()}},
			Header: map[string]string{"Retry-After": "1"}}
	default:
		e = fhir.Fault(500, "exception", "Something is wrong here. Tell the operator this request: %s", c.requestID)
	}
	if e.Status >= 500 {
		s.cfg.Log.Error("request failed", "request", c.requestID, "interaction", string(c.interaction), "err", err)
	}
	return &answer{status: e.Status, header: e.Header, body: fhir.Outcome(e.Issues)}
}

// over returns the error of a request whose time is up, or whose client has hung up,
// before anything was done; nil for one that may go on.
func over(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "timeout", Text: "The request took too long. Nothing was done; it may be repeated.", Detail: consent.NothingStored()}},
		Cause: err, Header: map[string]string{"Retry-After": "1"}}
}
