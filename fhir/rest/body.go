package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"carerecord/consent"
	"carerecord/fhir"
)

// incoming makes all checks that need no patient, then reads and validates the body.
func (s *Server) incoming(ctx context.Context, c *call, permission consent.Permission) (fhir.Resource, error) {
	if err := s.checkType(c.typ); err != nil {
		return fhir.Resource{}, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(permission)); err != nil {
		return fhir.Resource{}, err
	}
	body := c.body
	if body == nil {
		var err error
		if body, err = s.sent(c); err != nil {
			return fhir.Resource{}, err
		}
	}
	r, issues, err := accept(body, c.typ, c.validation)
	if c.location != "" {
		path := c.location + ".resource"
		issues = (&fhir.Error{Issues: issues}).At(path).Issues
		if e, ok := fhir.AsError(err); ok {
			err = e.At(path)
		}
	}
	c.warnings = issues
	return r, err
}

// sent reads the body of a write: a resource, or the content of a Binary as one.
func (s *Server) sent(c *call) ([]byte, error) {
	if c.typ != "Binary" {
		if err := bodyType(c.r.Header); err != nil {
			return nil, err
		}
		return readBody(c.r, s.cfg.Limits.Resource)
	}
	most := rawLimit(s.cfg.Limits.Resource)
	limit := s.cfg.Limits.Resource
	certainlyRaw, err := c.writesRaw([]byte(`{"resourceType":"Binary"}`)) // true if no JSON body can change that
	if err != nil {
		return nil, err
	}
	if certainlyRaw {
		limit = most
	}
	body, err := readBody(c.r, limit)
	if err != nil {
		return nil, err
	}
	switch raw, err := c.writesRaw(body); {
	case err != nil:
		return nil, err
	case !raw:
		return body, bodyType(c.r.Header)
	case int64(len(body)) > most:
		return nil, fhir.Fault(413, "too-long", "The body is larger than %d bytes.", most)
	}
	return c.rawBinary(body)
}

// checkBody compares the type and tags of a resource with the request.
func checkBody(r fhir.Resource, typ string) error {
	if r.Type != typ {
		return &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Expression: "resourceType",
			Text: "The body is a " + r.Type + ", but the URL names " + typ + "."}}}
	}
	for _, tag := range r.Get("meta.tag").Array() {
		if tag.Get("code").Str == "SUBSETTED" && tag.Get("system").Str == "http://terminology.hl7.org/CodeSystem/v3-ObservationValue" {
			return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: typ + ".meta.tag",
				Text: "The resource is marked SUBSETTED: parts of it are missing, so it cannot be written back."}}}
		}
	}
	return nil
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	in, err := decompress(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, in, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fhir.Fault(413, "too-long", "The body is larger than %d bytes.", limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "timeout", Text: "The body was not received in time. Nothing was done. Try again."}},
			Cause: err, Header: map[string]string{"Retry-After": "1"}}
	}
	if err != nil {
		return nil, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "structure", Text: "The body is incomplete."}}, Cause: err}
	}
	return body, nil
}
