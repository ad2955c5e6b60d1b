package rest

import (
	"context"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
)

// sources is $sources of a Patient: all visible Patients of the person, best first (IDN-121, 122).
func (s *Server) sources(ctx context.Context, c *call) (*answer, error) {
	c.nameSelf()
	if err := s.readParameters(ctx, c); err != nil {
		return nil, err
	}
	query := &search.Query{}
	for _, p := range c.params {
		switch {
		case p.Name == "_format" || p.Value == "":
		case p.Name == "_pretty" && p.Modifier == "":
			query.Used = append(query.Used, p)
		default:
			return nil, search.NotSupported(p, "is not a parameter of $sources")
		}
	}
	if err := c.indent(query.Used); err != nil {
		return nil, err
	}
	var a *answer
	err := s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitRead), func(v *consent.View) error {
		c.granted = v.Grant()
		if !fhir.ValidID(c.id) {
			return fhir.NotFound()
		}
		patients, err := v.SourcesOf(ctx, c.id)
		if err != nil {
			return err
		}
		total := len(patients)
		page := &search.Page{Matches: patients, Total: &total}
		if max := s.cfg.Search.Limits.PageMaximum; total > max {
			page.Matches = patients[:max]
			page.Warnings = []fhir.Issue{{Severity: "warning", Code: "incomplete", Text: "The person has more Patients than one answer may have: the best are listed."}}
		}
		found, err := s.cfg.Search.Bundle(ctx, v, search.PageRequest{Query: query, Path: c.typ + "/" + c.id + "/$sources"}, page)
		if err == nil {
			a = searchAnswer(v, found)
		}
		return err
	})
	return a, err
}
