package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/store"
)

// metaOfOne is $meta of an id or of one of its versions (OPER-030).
func (s *Server) metaOfOne(ctx context.Context, c *call) (*answer, error) {
	find := s.read
	if c.version != "" {
		find = s.vread
	}
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	c.params = nil
	a, err := find(ctx, c)
	if err != nil || a.status != http.StatusOK {
		return a, err
	}
	a.header, a.body = nil, parametersOf(gjson.GetBytes(a.body, "meta").Raw)
	return a, nil
}

// parametersOf returns Parameters with a Meta as the return value.
func parametersOf(meta string) []byte {
	return []byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":` + meta + `}]}`)
}

// metaOfType is $meta of a type or of the system: the profiles, tags and labels of visible resources.
// $meta of the system leaves out types that the requester may not search.
func (s *Server) metaOfType(ctx context.Context, c *call) (*answer, error) {
	types := s.capability.types
	if c.typ != "" {
		if err := s.checkType(c.typ); err != nil {
			return nil, err
		}
		types = []string{c.typ}
	}
	var a *answer
	err := s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitRead), func(v *consent.View) error {
		c.granted = v.Grant()
		lists, seen := map[string][]string{}, map[string]map[fhir.Coding]bool{}
		var disclosed []audit.Item // the resources from which something was taken
		for _, typ := range types {
			if !v.Grant().May(typ, "r") {
				continue
			}
			for d, err := range v.Scan(ctx, store.Query{Type: typ, Where: store.And{}}) {
				if err != nil {
					return fmt.Errorf("gather meta: %w", err)
				}
				taken := false
				fhir.EachMeta(d.Body, seen, func(list, raw string) { lists[list], taken = append(lists[list], raw), true })
				if taken {
					disclosed = append(disclosed, audit.ItemOf(d, false, v.MayHaveCut(d)))
				}
			}
		}
		a = &answer{status: http.StatusOK, disclosed: disclosed, body: parametersOf(string(fhir.MetaLists(lists)))}
		return nil
	})
	return a, err
}

// metaAdd and metaDelete change the lists of a resource's meta (OPER-031, REST-104, 106). They make a
// new version, unless nothing changes.
func (s *Server) metaAdd(ctx context.Context, c *call) (*answer, error) {
	return s.metaChange(ctx, c, fhir.AddMeta, false)
}

func (s *Server) metaDelete(ctx context.Context, c *call) (*answer, error) {
	return s.metaChange(ctx, c, fhir.RemoveMeta, true)
}

func (s *Server) metaChange(ctx context.Context, c *call, change func(body, meta []byte) []byte, exact bool) (*answer, error) {
	r, err := s.metaInput(ctx, c)
	if err != nil {
		return nil, err
	}
	meta := []byte(r.Get(`parameter.#(name=="meta").valueMeta`).Raw)
	if len(meta) == 0 {
		return nil, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "required", Expression: "Parameters.parameter", Text: "The parameter meta with a valueMeta is missing."}}}
	}
	match, err := readIfMatch(c.r.Header.Values("If-Match"))
	if err != nil {
		return nil, err
	}
	ch := consent.Change{Kind: consent.ChangePatch, Ref: store.Ref{Type: c.typ, ID: c.id}, IfMatch: match, ExactMeta: exact,
		Edit: func(body []byte) ([]byte, error) { return change(body, meta), nil }}
	c.prefer.ret = "representation"
	a, err := s.commit(ctx, c, consent.PermitUpdate, func(*consent.View) ([]consent.Change, error) {
		if !fhir.ValidID(c.id) {
			return nil, fhir.NotFound()
		}
		return []consent.Change{ch}, nil
	})
	if err != nil || a.body == nil {
		return a, err
	}
	a.body = parametersOf(gjson.GetBytes(a.body, "meta").Raw)
	return a, nil
}

// metaInput reads the Parameters of metaAdd and metaDelete.
func (s *Server) metaInput(ctx context.Context, c *call) (fhir.Resource, error) {
	typ := c.typ
	if err := s.checkType(typ); err != nil {
		return fhir.Resource{}, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(consent.PermitUpdate)); err != nil {
		return fhir.Resource{}, err
	}
	body := c.body
	if body == nil {
		if err := bodyType(c.r.Header); err != nil {
			return fhir.Resource{}, err
		}
		var err error
		if body, err = readBody(c.r, s.cfg.Limits.Resource); err != nil {
			return fhir.Resource{}, err
		}
	}
	r, _, err := accept(body, "Parameters", c.validation)
	return r, err
}
