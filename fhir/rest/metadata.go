package rest

import (
	"context"
	"slices"
	"strings"

	"carerecord/conformance/capability"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// servedTypes are the supported resource types, sorted.
type servedTypes struct{ types []string }

// statement is the CapabilityStatement for a set of search parameters.
type statement struct {
	installed *index.Definitions
	body      []byte
	etag      string
}

func (c servedTypes) serves(typ string) bool {
	_, ok := slices.BinarySearch(c.types, typ)
	return ok
}

// currentStatement returns the current CapabilityStatement. It changes when a defined search parameter
// is complete or removed (SRCH-243, 245).
func (s *Server) currentStatement() (*statement, error) {
	last := s.statement.Load()
	if last != nil && last.installed == s.cfg.Index.Installed() {
		return last, nil
	}
	next, err := s.newStatement(s.cfg.Index.Pinned())
	if err == nil {
		s.statement.Store(next)
	}
	return next, err
}

// typesServed returns the supported types.
func (s *Server) typesServed() servedTypes {
	c := servedTypes{}
	for _, typ := range r4.Resources() {
		if s.cfg.Unguarded || typ != "AuditEvent" && typ != "Parameters" && typ != "OperationOutcome" {
			c.types = append(c.types, typ)
		}
	}
	return c
}

// newStatement makes the CapabilityStatement from the routes and the index.
func (s *Server) newStatement(x *index.Indexer) (*statement, error) {
	t := &statement{installed: x.Installed()}
	of, system := []string{}, []string{"transaction", "batch"}
	var operations []capability.Operation
	for _, r := range s.routes() {
		code := string(r.interaction)
		if name := r.operation(); name != "" {
			operations = append(operations, capability.Operation{Name: name, Types: typesOf(s.operations(), name), Definition: s.definitionOf(name)})
			continue
		}
		switch r.interaction {
		case consent.Batch, consent.SearchWithin, metadataRead:
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
	t.body, t.etag, err = capability.Statement(capability.Server{
		Base: s.cfg.Base, Software: "carerecord", Version: s.cfg.Version, Types: s.capability.types, Interactions: of,
		System: system, Index: x, UpdateCreate: s.cfg.Unguarded, Persons: s.cfg.Guard.Identity() != nil, Security: s.cfg.Security,
		Operations: operations, PatchFormat: []string{jsonPatch, fhirJSON},
		Compartments: []string{"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"}, ConditionalDelete: map[bool]string{true: "multiple", false: "single"}[s.cfg.Limits.ConditionalDelete > 0],
	})
	return t, err
}

// definitionOf returns the canonical URL of an operation that is not one of the standard; empty for all others.
func (s *Server) definitionOf(operation string) string {
	switch operation {
	case "sources":
		return s.cfg.Base + "/OperationDefinition/Patient-sources"
	case "ihe-pix":
		return "https://profiles.ihe.net/ITI/PIXm/OperationDefinition/IHE.PIXm.pix"
	}
	return ""
}

// metadata answers without a token (REST-250, 251).
func (s *Server) metadata(_ context.Context, c *call) (*answer, error) {
	for _, p := range c.params {
		if p.Name == "mode" && p.Value != "full" && p.Value != "normative" {
			return nil, fhir.Fault(400, "value", "mode must be full or normative, not %q.", p.Value)
		}
	}
	t, err := s.currentStatement()
	if err != nil {
		return nil, err
	}
	a := &answer{status: 200, header: map[string]string{"ETag": t.etag}, body: t.body, public: true}
	for _, v := range c.r.Header.Values("If-None-Match") {
		if v == "*" || strings.Contains(v, strings.TrimPrefix(t.etag, "W/")) {
			a.status, a.body = 304, nil
		}
	}
	return a, nil
}

// distinct removes repeats and keeps the order.
func distinct(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
