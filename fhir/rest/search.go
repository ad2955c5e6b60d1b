package rest

import (
	"context"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir/search"
)

// search is the search of one type (section 20).
func (s *Server) search(ctx context.Context, c *call) (*answer, error) {
	if err := s.served(c.typ); err != nil {
		return nil, err
	}
	ask, err := s.cfg.Search.Plan(c.caller, search.Scope{Path: c.typ, Types: []string{c.typ}}, c.params, c.prefer.strict)
	if err != nil {
		return nil, err
	}
	c.named = ask.Plan.Named
	var a *answer
	err = s.cfg.Guard.Read(ctx, c.caller, c.request(consent.SearchLetter), func(v *consent.View) error {
		c.granted = v.Grant()
		found, err := s.cfg.Search.Run(ctx, v, ask)
		if err != nil {
			return err
		}
		a = &answer{status: 200, body: found.Body, count: found.Count}
		for _, d := range found.Disclosed {
			a.disclosed = append(a.disclosed, audit.ItemOf(d.Doc, d.Included, v.Cuts()))
		}
		return nil
	})
	return a, err
}
