package rest

import (
	"context"
	"slices"
	"strings"

	"carerecord/conformance"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/r4"
)

// capability is what metadata answers.
type capability struct {
	types []string
	body  []byte
	etag  string
}

func (c capability) serves(typ string) bool {
	_, ok := slices.BinarySearch(c.types, typ)
	return ok
}

// describe makes the CapabilityStatement from the routes and the index.
func (s *Server) describe() (capability, error) {
	c := capability{}
	for _, typ := range r4.Resources() {
		if s.cfg.Unguarded || typ != "AuditEvent" && typ != "Parameters" && typ != "OperationOutcome" {
			c.types = append(c.types, typ)
		}
	}
	var of []string
	for _, r := range s.routes() {
		switch r.interaction {
		case consent.Batch, consent.Validate:
		case consent.Search:
			of = append(of, "search-type")
		default:
			of = append(of, string(r.interaction))
		}
	}
	var err error
	c.body, c.etag, err = conformance.Statement(conformance.Capability{
		Base: s.cfg.Base, Software: "carerecord", Version: s.cfg.Version, Types: c.types, Interactions: of,
		System: []string{"transaction", "batch"}, Index: s.cfg.Index, UpdateCreate: s.cfg.Unguarded,
		Operations: []string{"validate"},
	})
	return c, err
}

// metadata answers without a token (REST-250, 251).
func (s *Server) metadata(_ context.Context, c *call) (*answer, error) {
	for _, p := range c.params {
		if p.Name == "mode" && p.Value != "full" && p.Value != "normative" {
			return nil, fhir.Fault(400, "value", "mode is full or normative, not %q.", p.Value)
		}
	}
	a := &answer{status: 200, header: map[string]string{"ETag": s.capability.etag}, body: s.capability.body, public: true}
	for _, v := range c.r.Header.Values("If-None-Match") {
		if v == "*" || strings.Contains(v, strings.TrimPrefix(s.capability.etag, "W/")) {
			a.status, a.body = 304, nil
		}
	}
	return a, nil
}
