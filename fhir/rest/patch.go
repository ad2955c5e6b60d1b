package rest

import (
	"context"
	"mime"

	"github.com/tidwall/gjson"

	"carerecord/conformance/validate"
	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/patch"
	"carerecord/fhir/search"
	"carerecord/store"
)

const jsonPatch = "application/json-patch+json"

// patch is PATCH of an id (section 11).
func (s *Server) patch(ctx context.Context, c *call) (*answer, error) {
	ch, err := s.patchOf(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.PermitUpdate, func(*consent.View) ([]consent.Change, error) {
		if !fhir.ValidID(c.id) {
			return nil, fhir.NotFound()
		}
		ch.Ref = store.Ref{Type: c.typ, ID: c.id}
		return []consent.Change{ch}, nil
	})
}

// patchWhere is PATCH of a type with criteria (REST-166).
func (s *Server) patchWhere(ctx context.Context, c *call) (*answer, error) {
	ch, err := s.patchOf(ctx, c)
	if err != nil {
		return nil, err
	}
	criteria, err := s.criteriaOf(ctx, c, []string{criteriaText(c)})
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.PermitUpdate, func(v *consent.View) ([]consent.Change, error) {
		ch, err := s.toPatch(ctx, v, ch, criteria, nil)
		return []consent.Change{ch}, err
	})
}

// toPatch returns the change of a conditional patch.
func (s *Server) toPatch(ctx context.Context, v *consent.View, ch consent.Change, criteria *search.Query, deleted map[store.Ref]bool) (consent.Change, error) {
	_, refs, err := s.matches(ctx, v, criteria, 2, deleted)
	switch {
	case err != nil:
		return ch, err
	case len(refs) == 0:
		return ch, fhir.NotFound()
	case len(refs) > 1:
		return ch, multipleMatches()
	}
	ch.Ref = refs[0]
	return ch, nil
}

// patchOf reads the patch document and the conditions of a call.
func (s *Server) patchOf(ctx context.Context, c *call) (consent.Change, error) {
	ch := consent.Change{Kind: consent.ChangePatch}
	if err := s.checkType(c.typ); err != nil {
		return ch, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(consent.PermitUpdate)); err != nil {
		return ch, err
	}
	p, err := s.document(c)
	if err != nil {
		return ch, err
	}
	ch.Reads = p.Reads()
	if ch.Edit, err = s.editor(ctx, c, p); err != nil {
		return ch, err
	}
	if ch.IfMatch, err = readIfMatch(c.r.Header.Values("If-Match")); err == nil {
		err = s.checkUpdate(c.typ, &ch)
	}
	return ch, err
}

// document parses a patch by its media type (REST-160 to 162). In a bundle it is a Parameters
// resource.
func (s *Server) document(c *call) (patch.Patch, error) {
	if c.body != nil {
		return entryPatch(c.body)
	}
	typ, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || typ != jsonPatch && typ != fhirJSON {
		e := fhir.Fault(415, "not-supported", "A patch must be %s, or Parameters as %s.", jsonPatch, fhirJSON)
		e.Header = map[string]string{"Accept-Patch": jsonPatch + ", " + fhirJSON}
		return patch.Patch{}, e
	}
	body, err := readBody(c.r, s.cfg.Limits.Resource)
	if err != nil {
		return patch.Patch{}, err
	}
	if typ == jsonPatch {
		return patch.JSON(body)
	}
	return patch.FHIRPath(body)
}

// entryPatch parses the patch of a bundle's entry (REST-239).
func entryPatch(resource []byte) (patch.Patch, error) {
	if typ := gjson.GetBytes(resource, "resourceType").Str; typ != "Parameters" {
		return patch.Patch{}, fhir.Fault(400, "not-supported", "A patch in a bundle must be a Parameters resource, not %s.", typ)
	}
	return patch.FHIRPath(resource)
}

// editor returns the edit of a patch. Its result is validated like an update (REST-163). A patch whose
// errors reveal a stored value needs the permission to read (SMART-288).
func (s *Server) editor(ctx context.Context, c *call, p patch.Patch) (func([]byte) ([]byte, error), error) {
	if p.Reads() {
		req := c.decision(consent.PermitRead)
		req.Interaction = consent.Read
		if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
			return nil, err
		}
	}
	return func(body []byte) ([]byte, error) {
		out, err := p.Apply(body)
		if err != nil {
			return nil, err
		}
		issues := validate.Resource(out, c.validation)
		if err := p.Illegal(issues); err != nil {
			return nil, err
		}
		c.warnings = issues
		r, err := fhir.Part(out)
		if err == nil {
			err = checkBody(r, r.Type)
		}
		if err == nil {
			err = noConditionalReferences(r)
		}
		return out, err
	}, nil
}
