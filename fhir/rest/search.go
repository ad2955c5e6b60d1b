package rest

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/r4"
	"carerecord/fhir/search"
	"carerecord/store"
)

// search is the search of one type (section 20).
func (s *Server) search(ctx context.Context, c *call) (*answer, error) {
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	return s.findMatches(ctx, c, search.SearchTarget{Path: c.typ, Types: []string{c.typ}}, nil)
}

// searchAll is the search of several types, or of all (SRCH-151, 152). A type in _type that the requester
// may not search is refused; without _type such types are left out (SMART-277).
func (s *Server) searchAll(ctx context.Context, c *call) (*answer, error) {
	if err := s.readForm(ctx, c); err != nil {
		return nil, err
	}
	params, err := s.readPageToken(ctx, c, "")
	if err != nil {
		return nil, err
	}
	var types []string
	filtered := false
	for _, p := range params {
		if p.Name == "_type" && p.Modifier == "" && p.Value != "" {
			types = append(types, strings.Split(p.Value, ",")...)
		}
		filtered = filtered || p.Name != "_type" && !search.IsControl(p.Name) && p.Value != ""
	}
	switch {
	case len(types) == 0 && !filtered:
		return nil, fhir.Fault(400, "too-costly", "A search of all types needs _type or a parameter that filters.")
	case len(types) == 0:
		types = slices.DeleteFunc(slices.Clone(s.capability.types), func(typ string) bool { return !mayList(c.caller, typ) })
	}
	slices.Sort(types)
	types = slices.Compact(types)
	for _, typ := range types {
		if !s.capability.serves(typ) {
			return nil, fhir.Fault(400, "value", "_type: resource type %q is not supported.", typ)
		}
		req := c.decision(consent.PermitSearch)
		req.Type = typ
		if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
			return nil, err
		}
	}
	return s.findMatches(ctx, c, search.SearchTarget{Types: types}, nil)
}

// searchWithin is the search of a compartment, of one type or of all its types
// (SRCH-153 to 155).
func (s *Server) searchWithin(ctx context.Context, c *call) (*answer, error) {
	if strings.HasPrefix(c.member, "$") || strings.HasPrefix(c.member, "_") {
		return noRoute(ctx, c)
	}
	members := r4.Compartment(c.typ)
	if members == nil || c.member != "*" && !s.capability.serves(c.member) {
		return nil, fhir.Fault(404, "not-supported", "There is no compartment of %s with %q.", c.typ, c.member)
	}
	types := []string{c.member}
	if c.member == "*" {
		types = slices.DeleteFunc(slices.Clone(s.capability.types), func(typ string) bool {
			return members[typ] == nil && typ != c.typ || !mayList(c.caller, typ)
		})
	} else if members[c.member] == nil && c.member != c.typ {
		return nil, fhir.Fault(400, "not-supported", "%s is not a member of the compartment of a %s.", c.member, c.typ)
	}
	owner := store.Ref{Type: c.typ, ID: c.id}
	c.nameSelf()
	scope := search.SearchTarget{Path: owner.String() + "/" + c.member, Types: types, Named: c.named.ID,
		Within: func(typ string) (store.Pred, error) { return s.cfg.Index.InCompartment(c.typ, c.id, typ, members[typ]) }}
	return s.findMatches(ctx, c, scope, &owner)
}

// findMatches runs a search. The search of a compartment whose owner does not exist finds nothing
// (SRCH-155).
func (s *Server) findMatches(ctx context.Context, c *call, scope search.SearchTarget, owner *store.Ref) (*answer, error) {
	if err := s.readForm(ctx, c); err != nil {
		return nil, err
	}
	if len(scope.Types) == 0 {
		return nil, fhir.Fault(403, "forbidden", "The token has no scope to search any of these types.")
	}
	request, err := s.cfg.Search.ParsePage(ctx, c.caller, scope, c.params, c.prefer.strict)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, c, request, owner)
}

// run runs a planned search.
func (s *Server) run(ctx context.Context, c *call, request search.PageRequest, owner *store.Ref) (*answer, error) {
	c.named = request.Query.Named
	//law:page-decision
	for _, typ := range request.Query.Joined {
		//law:joined-type
		req := consent.Request{Interaction: c.interaction, Type: typ, Permission: consent.PermitSearch}
		if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
			return nil, err
		}
	}
	if err := s.needNames(c.caller, request.Query); err != nil {
		return nil, err
	}
	if err := c.indent(request.Query.Used); err != nil {
		return nil, err
	}
	var a *answer
	err := s.cfg.Guard.Read(ctx, c.caller, c.decision(consent.PermitSearch), func(v *consent.View) error {
		c.granted = v.Grant()
		if owner != nil {
			if there, err := hasOwner(ctx, v, *owner); err != nil {
				return err
			} else if !there {
				request.Query.Empty()
			}
		}
		found, err := s.cfg.Search.Run(ctx, v, request)
		if err != nil {
			return err
		}
		a = searchAnswer(v, found)
		return nil
	})
	return a, err
}

// readPageToken returns the parameters of a call, or those in its page token.
func (s *Server) readPageToken(ctx context.Context, c *call, path string) ([]search.Param, error) {
	if len(c.params) != 1 || c.params[0].Name != search.PageParam {
		return c.params, nil
	}
	pos, err := s.cfg.Search.Sealer.Open(ctx, c.caller, c.params[0].Value)
	if err != nil {
		return nil, err
	}
	if pos.Path != path {
		return nil, fhir.Fault(400, "invalid", "The page link belongs to another search.")
	}
	return search.ParseQuery(pos.Query)
}

// readForm adds the parameters of a form body to those of the URL (SRCH-002).
func (s *Server) readForm(ctx context.Context, c *call) error {
	if c.r.Method != http.MethodPost || c.form {
		return nil
	}
	c.form = true
	typ, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || typ != "application/x-www-form-urlencoded" {
		if c.r.ContentLength == 0 {
			return nil
		}
		return fhir.Fault(415, "not-supported", "The body of a search must be application/x-www-form-urlencoded.")
	}
	body, err := readBody(c.r, s.cfg.Limits.Form)
	if err != nil {
		return err
	}
	c.formText = string(body)
	if token, found := LeakedToken(c.formText); found {
		return s.refuseLeaked(ctx, c, "a form", token)
	}
	params, err := search.ParseQuery(c.formText)
	if err != nil {
		return err
	}
	if c.params = append(c.params, params...); len(c.params) > search.MaxParams {
		return fhir.Fault(400, "too-costly", "The query has more than %d parameters.", search.MaxParams)
	}
	return c.indent(c.params)
}

// hasOwner reports whether a compartment has a live owner that is visible (SRCH-155). Without any scope on its type, policy alone decides:
// the token searches the members.
func hasOwner(ctx context.Context, v *consent.View, owner store.Ref) (bool, error) {
	if v.Grant().May(owner.Type, "rs") {
		return exists(ctx, v, owner)
	}
	return visible(ctx, v.WithPermission(""), owner)
}

// exists reports whether a live resource is visible, and the scopes permit to read it or to search for it.
func exists(ctx context.Context, v *consent.View, ref store.Ref) (bool, error) {
	return visible(ctx, v.WithPermission("rs"), ref)
}

// visible reports whether a View shows a live resource.
func visible(ctx context.Context, v *consent.View, ref store.Ref) (bool, error) {
	if !fhir.ValidID(ref.ID) {
		return false, nil
	}
	d, err := v.Get(ctx, ref)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return !d.Deleted(), nil
}
