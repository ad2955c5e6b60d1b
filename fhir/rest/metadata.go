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
	of, system := []string{}, []string{"transaction", "batch"}
	var operations []conformance.Operation
	for _, r := range s.routes() {
		code := string(r.interaction)
		if name := r.operation(); name != "" {
			operations = append(operations, conformance.Operation{Name: name, Types: typesOf(s.operations(), name)})
			continue
		}
		switch r.interaction {
		case consent.Batch, consent.SearchWithin:
		case consent.SearchAll, consent.HistoryOfAll:
			system = append(system, code)
		case consent.Search:
			of = append(of, "search-type")
		default:
			of = append(of, code)
		}
	}
	of, system = distinct(of), distinct(system)
	var err error
	c.body, c.etag, err = conformance.Statement(conformance.Capability{
		Base: s.cfg.Base, Software: "carerecord", Version: s.cfg.Version, Types: c.types, Interactions: of,
		System: system, Index: s.cfg.Index, UpdateCreate: s.cfg.Unguarded,
		Operations: operations, PatchFormat: []string{jsonPatch, fhirJSON},
		Compartments: []string{"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"}, ConditionalDelete: map[bool]string{true: "multiple", false: "single"}[s.cfg.Limits.ConditionalDelete > 0],
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

// distinct keeps the first of each.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
