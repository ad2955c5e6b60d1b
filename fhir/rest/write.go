package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// create is POST of a type, plain or conditional (section 9).
func (s *Server) create(ctx context.Context, c *call) (*answer, error) {
	r, err := s.incoming(ctx, c, consent.PermitCreate)
	if err != nil {
		return nil, err
	}
	if len(filterParams(c)) > 0 {
		return nil, fhir.Fault(400, "not-supported", "A create takes no criteria in its URL: use If-None-Exist.")
	}
	if err := noConditionalReferences(r); err != nil {
		return nil, err
	}
	var criteria *search.Query
	if values := c.r.Header.Values("If-None-Exist"); len(values) > 0 {
		if criteria, err = s.criteriaOf(ctx, c, values); err != nil {
			return nil, err
		}
	}
	return s.commit(ctx, c, consent.PermitCreate, func(v *consent.View) ([]consent.Change, error) {
		ch, err := s.toCreate(ctx, v, r, criteria, nil)
		return []consent.Change{ch}, err
	})
}

// update is PUT of an id (section 10).
func (s *Server) update(ctx context.Context, c *call) (*answer, error) {
	r, err := s.incoming(ctx, c, consent.PermitUpdate)
	if err != nil {
		return nil, err
	}
	ch, err := updateChange(r, c.typ, c.id, c.r.Header)
	if err == nil {
		err = s.checkUpdate(c.typ, &ch)
	}
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.PermitUpdate, func(*consent.View) ([]consent.Change, error) { return []consent.Change{ch}, nil })
}

func updateChange(r fhir.Resource, typ, id string, h http.Header) (consent.Change, error) {
	switch {
	case !fhir.ValidID(id):
		return consent.Change{}, fhir.Fault(400, "value", "The id in the URL must have 1 to 64 letters, digits, hyphens and dots.")
	case r.ID == "":
		return consent.Change{}, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "required", Text: "The body has no id.", Expression: typ + ".id"}}}
	case r.ID != id:
		return consent.Change{}, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Text: "The id in the body differs from the id in the URL.", Expression: typ + ".id"}}}
	}
	ch := consent.Change{Kind: consent.ChangeUpdate, Ref: store.Ref{Type: typ, ID: id}, Body: r.Body}
	if err := conditions(&ch, h); err != nil {
		return consent.Change{}, err
	}
	return ch, noConditionalReferences(r)
}

// conditions reads If-Match and If-None-Match of an update (REST-046, 050).
func conditions(ch *consent.Change, h http.Header) error {
	switch none := h.Values("If-None-Match"); {
	case len(none) == 1 && strings.TrimSpace(none[0]) == "*":
		ch.OnlyNew = true
	case len(none) > 0:
		return fhir.Fault(400, "not-supported", "If-None-Match of a PUT must be *.")
	}
	var err error
	ch.IfMatch, err = readIfMatch(h.Values("If-Match"))
	return err
}

// checkUpdate refuses an update without If-Match of a type that needs it (REST-048).
func (s *Server) checkUpdate(typ string, ch *consent.Change) error {
	if ch.IfMatch == nil && !ch.OnlyNew && slices.Contains(s.cfg.Limits.NeedIfMatch, typ) {
		return fhir.Fault(400, "required", "An update of %s needs If-Match.", typ)
	}
	return nil
}

// checkDeletable refuses the deletion of a type that cannot be deleted (REST-184).
func (s *Server) checkDeletable(typ string) error {
	if !slices.Contains(s.cfg.Limits.NoDelete, typ) {
		return nil
	}
	return &fhir.Error{Status: 405, Issues: []fhir.Issue{{Code: "not-supported", Text: typ + " is not deleted here."}}, Header: map[string]string{"Allow": "GET, HEAD, PUT, PATCH"}}
}

// readIfMatch parses If-Match: versions, 0 for * (REST-046).
func readIfMatch(values []string) ([]uint64, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var out []uint64
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			out = append(out, 0)
			continue
		}
		text := strings.TrimPrefix(part, "W/")
		if len(text) < 3 || text[0] != '"' || text[len(text)-1] != '"' {
			return nil, fhir.Fault(400, "value", `If-Match is W/"version", not %q.`, part)
		}
		n, err := strconv.ParseUint(text[1:len(text)-1], 10, 64)
		if err != nil || n == 0 {
			n = 1<<64 - 1 // an opaque version that no resource has
		}
		out = append(out, n)
	}
	return out, nil
}

// delete is DELETE of an id (REST-180 to 182).
func (s *Server) delete(ctx context.Context, c *call) (*answer, error) {
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	if err := s.checkDeletable(c.typ); err != nil {
		return nil, err
	}
	match, err := readIfMatch(c.r.Header.Values("If-Match"))
	if err != nil {
		return nil, err
	}
	if !fhir.ValidID(c.id) {
		if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(consent.PermitDelete)); err != nil {
			return nil, err
		}
		return &answer{status: 204}, nil
	}
	return s.commit(ctx, c, consent.PermitDelete, func(*consent.View) ([]consent.Change, error) {
		return []consent.Change{{Kind: consent.ChangeDelete, Ref: store.Ref{Type: c.typ, ID: c.id}, IfMatch: match}}, nil
	})
}

// writing returns the decision for a call that writes.
func (c *call) writing(permission consent.Permission) consent.Request {
	req := c.decision(permission)
	req.Write = true
	return req
}

// filterParams returns the parameters of a URL without those of formatting.
func filterParams(c *call) []search.Param {
	var out []search.Param
	for _, p := range c.params {
		if p.Name != "_format" && p.Name != "_pretty" {
			out = append(out, p)
		}
	}
	return out
}
