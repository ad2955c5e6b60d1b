package rest

import (
	"context"
	"net/http"
	"net/url"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/store"
)

// Load applies a transaction bundle for an operator's load, with marks in the same commit, validated
// under its own mode. It is decided and recorded like a request of the Principal. A *fhir.Error below 500
// refuses the bundle; after any other error the caller may try again.
func (s *Server) Load(ctx context.Context, p consent.Principal, body []byte, marks []store.StateWrite, mode validate.Mode) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Limits.BundleDeadline)
	defer cancel()
	c := &call{
		request: request{r: &http.Request{Method: http.MethodPost, URL: &url.URL{Path: basePath}, Header: http.Header{}, RemoteAddr: p.Address + ":0"},
			caller: p, interaction: consent.Transaction, requestID: consent.NewID()},
		negotiated: negotiated{validation: mode}, outcome: outcome{marks: marks},
	}
	a, err := s.guarded(ctx, c, func(ctx context.Context, c *call) (*answer, error) {
		r, err := acceptBundle(body, mode)
		if err != nil {
			return nil, err
		}
		entries, err := s.entries(r)
		if err != nil {
			return nil, err
		}
		return s.transaction(ctx, c, entries)
	})
	if err == nil && (a.recorded || s.cfg.Audit == nil) {
		return nil
	}
	if err != nil {
		a = s.failed(c, err)
	}
	if s.cfg.Audit != nil {
		if lost := s.cfg.Audit.Append(ctx, s.record(ctx, c, a, err)); lost != nil {
			return lost
		}
	}
	return err
}
