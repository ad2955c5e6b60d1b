package rest

import (
	"context"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/fhir/search/compartment"
	"carerecord/store"
)

// everything is $everything of a Patient or an Encounter (OPER-010 to 014).
func (s *Server) everything(ctx context.Context, c *call) (*answer, error) {
	return s.everythingOf(ctx, c, c.typ+"/"+c.id+"/$everything")
}

// everythingOfMine is Patient/$everything: the record of the patient to whom the requester's token is
// bound (OPER-013).
func (s *Server) everythingOfMine(ctx context.Context, c *call) (*answer, error) {
	c.id = c.caller.Patient
	return s.everythingOf(ctx, c, c.typ+"/$everything")
}

func (s *Server) everythingOf(ctx context.Context, c *call, path string) (*answer, error) {
	c.nameSelf()
	if err := s.readParameters(ctx, c); err != nil {
		return nil, err
	}
	request, err := compartment.Read(ctx, s.cfg.Search, c.caller, store.Ref{Type: c.typ, ID: c.id}, path, c.params)
	if err != nil {
		return nil, err
	}
	if err := c.indent(request.Used()); err != nil {
		return nil, err
	}
	for _, typ := range request.Types { // a type that is named needs the letter (SMART-295)
		if !s.capability.serves(typ) {
			return nil, fhir.Fault(400, "value", "_type: resource type %q is not supported.", typ)
		}
		if err := s.cfg.Guard.Check(ctx, c.caller, consent.Request{Interaction: c.interaction, Type: typ, Permission: consent.PermitSearch}); err != nil {
			return nil, err
		}
	}
	if c.id == "" {
		if err := s.cfg.Guard.Check(ctx, c.caller, c.decision(consent.PermitRead)); err != nil {
			return nil, err
		}
		return nil, fhir.Fault(400, "too-costly", "Patient/$everything needs a token that is bound to one patient. Name the patient instead: Patient/[id]/$everything.")
	}
	var a *answer
	err = s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitRead), func(v *consent.View) error {
		c.granted = v.Grant()
		if !fhir.ValidID(c.id) {
			return fhir.NotFound()
		}
		found, err := compartment.Run(ctx, s.cfg.Search, v, request)
		if err == nil {
			a = searchAnswer(v, found)
		}
		return err
	})
	return a, err
}

// searchAnswer returns the answer for a searchset, with the resources that the audit record lists.
func searchAnswer(v *consent.View, found *search.Answer) *answer {
	a := &answer{status: 200, body: found.Body, count: found.Count}
	for _, d := range found.Disclosed {
		a.disclosed = append(a.disclosed, audit.ItemOf(d.Doc, d.Included, v.MayHaveCut(d.Doc)))
	}
	return a
}
