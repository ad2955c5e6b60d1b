package rest

import (
	"context"
	"fmt"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// criteria parses the criteria of a conditional write: strict, with at least one equality (SRCH-011,
// REST-127).
func (s *Server) criteria(ctx context.Context, p consent.Principal, typ string, values []string) (*search.Query, error) {
	if len(values) > 1 {
		return nil, fhir.Fault(400, "invalid", "The criteria are repeated.")
	}
	text := strings.TrimPrefix(strings.TrimPrefix(values[0], typ), "?")
	params, err := search.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	q, err := search.New(s.cfg.Index, []string{typ}, params, search.Options{Criteria: true, Limits: s.cfg.Search.Limits})
	if err != nil {
		return nil, err
	}
	for _, joined := range q.Joined {
		if err := s.maySearch(ctx, p, joined); err != nil {
			return nil, err
		}
	}
	if err := s.needNames(p, q); err != nil {
		return nil, err
	}
	if len(q.Claims) == 0 {
		return nil, fhir.Fault(400, "required", "The criteria need an equality: a token with its code, a reference, a uri or _id.")
	}
	return q, nil
}

// criteriaOf is criteria for a requester, who also needs the permission to search (SMART-290, 291).
func (s *Server) criteriaOf(ctx context.Context, c *call, values []string) (*search.Query, error) {
	refused := s.maySearch(ctx, c.caller, c.typ)
	q, err := s.criteria(ctx, c.caller, c.typ, values)
	if q != nil {
		c.criteria = q.Named
	}
	if refused != nil {
		return nil, refused
	}
	return q, err
}

func (s *Server) maySearch(ctx context.Context, p consent.Principal, typ string) error {
	return s.cfg.Guard.Check(ctx, p, consent.Request{Interaction: consent.Search, Type: typ, Permission: consent.PermitSearch})
}

// matches returns at most max visible matches of criteria, without those that the same bundle
// deletes, and the predicate of the criteria with its joins evaluated (REST-128).
func (s *Server) matches(ctx context.Context, v *consent.View, criteria *search.Query, max int, deleted map[store.Ref]bool) (store.Pred, []store.Ref, error) {
	where, err := criteria.Resolve(ctx, v, s.cfg.Search.Limits)
	if err != nil {
		return nil, nil, err
	}
	//law:criteria-scan
	var refs []store.Ref
	for d, err := range v.WithPermission("s").Scan(ctx, store.Query{Type: criteria.Type(), Where: where, KeysOnly: true}) {
		if err != nil {
			return nil, nil, fmt.Errorf("evaluate criteria: %w", err)
		}
		if deleted[d.Ref] {
			continue
		}
		if refs = append(refs, d.Ref); len(refs) == max {
			break
		}
	}
	return where, refs, nil
}

func multipleMatches() error {
	return fhir.Fault(412, "multiple-matches", "The criteria match more than one resource.")
}

// toCreate returns the change of a create: the match of its criteria, or a new document. criteria is
// nil for an unconditional create (section 9).
func (s *Server) toCreate(ctx context.Context, v *consent.View, r fhir.Resource, criteria *search.Query, deleted map[store.Ref]bool) (consent.Change, error) {
	ch := consent.Change{Kind: consent.ChangeCreate, Ref: store.Ref{Type: r.Type, ID: s.cfg.NewID()}, Body: r.Body}
	if criteria == nil {
		return ch, nil
	}
	where, refs, err := s.matches(ctx, v, criteria, 2, deleted)
	if err != nil {
		return ch, err
	}
	switch len(refs) {
	case 0:
		demandAbsent(&ch, where, criteria.Claims, deleted)
	case 1:
		return consent.Change{Kind: consent.ChangeFind, Ref: refs[0]}, nil
	default:
		return ch, multipleMatches()
	}
	return ch, nil
}

// demandAbsent makes it a precondition of the change that nothing matches. A bundle that deletes
// something has no such precondition, because the match may be a resource that it deletes.
func demandAbsent(ch *consent.Change, where store.Pred, claims []store.Key, deleted map[store.Ref]bool) {
	if len(deleted) == 0 {
		ch.Absent, ch.Claims = where, claims
	}
}

// toUpdate returns the change of a conditional update (REST-146, 147, 151). ch has the body and the
// preconditions.
func (s *Server) toUpdate(ctx context.Context, v *consent.View, ch consent.Change, r fhir.Resource, criteria *search.Query, deleted map[store.Ref]bool) (consent.Change, error) {
	where, refs, err := s.matches(ctx, v, criteria, 2, deleted)
	if err != nil {
		return ch, err
	}
	switch {
	case len(refs) > 1:
		return ch, multipleMatches()
	case len(refs) == 1 && r.ID != "" && r.ID != refs[0].ID:
		return ch, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Expression: r.Type + ".id", Text: "The id in the body differs from the id of the match."}}}
	case len(refs) == 1:
		ch.Kind, ch.Ref = consent.ChangeUpdate, refs[0]
		return ch, nil
	case ch.IfMatch != nil:
		return ch, fhir.Fault(412, "conflict", "No resource matches the criteria, but If-Match requires a version.")
	}
	demandAbsent(&ch, where, criteria.Claims, deleted)
	if ch.Ref.Type = r.Type; r.ID == "" {
		ch.Kind, ch.Ref.ID = consent.ChangeCreate, s.cfg.NewID()
		return ch, nil
	}
	ch.Kind, ch.Ref.ID = consent.ChangeUpdate, r.ID
	if taken, err := exists(ctx, v, ch.Ref); err != nil || !taken {
		return ch, err
	}
	return ch, fhir.Fault(409, "conflict", "The id in the body belongs to a resource that does not match the criteria.")
}

// toDelete returns the changes of a conditional delete (REST-186).
func (s *Server) toDelete(ctx context.Context, v *consent.View, ch consent.Change, criteria *search.Query) ([]consent.Change, error) {
	most := max(2, s.cfg.Limits.ConditionalDelete+1)
	_, refs, err := s.matches(ctx, v, criteria, most, nil)
	if err != nil {
		return nil, err
	}
	switch {
	case len(refs) == 0 && ch.IfMatch != nil:
		return nil, fhir.Fault(412, "conflict", "No resource matches the criteria, but If-Match requires a version.")
	case len(refs) > 1 && s.cfg.Limits.ConditionalDelete == 0:
		return nil, multipleMatches()
	case len(refs) == most && s.cfg.Limits.ConditionalDelete > 0:
		return nil, fhir.Fault(400, "too-costly", "The criteria match more than %d resources.", s.cfg.Limits.ConditionalDelete)
	}
	changes := make([]consent.Change, len(refs))
	for i, ref := range refs {
		changes[i] = ch
		changes[i].Kind, changes[i].Ref = consent.ChangeDelete, ref
	}
	return changes, nil
}

// criteriaText returns the criteria in a URL, without the parameters of formatting.
func criteriaText(c *call) string {
	var parts []string
	for _, p := range filterParams(c) {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, "&")
}

// updateWhere is PUT of a type with criteria.
func (s *Server) updateWhere(ctx context.Context, c *call) (*answer, error) {
	r, err := s.incoming(ctx, c, consent.PermitUpdate)
	if err != nil {
		return nil, err
	}
	criteria, err := s.criteriaOf(ctx, c, []string{criteriaText(c)})
	if err != nil {
		return nil, err
	}
	ch := consent.Change{Body: r.Body}
	if err := conditions(&ch, c.r.Header); err != nil {
		return nil, err
	}
	if err := s.checkUpdate(c.typ, &ch); err != nil {
		return nil, err
	}
	if err := noConditionalReferences(r); err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.PermitUpdate, func(v *consent.View) ([]consent.Change, error) {
		ch, err := s.toUpdate(ctx, v, ch, r, criteria, nil)
		return []consent.Change{ch}, err
	})
}

// deleteWhere is DELETE of a type with criteria (REST-186, 187).
func (s *Server) deleteWhere(ctx context.Context, c *call) (*answer, error) {
	if err := s.checkType(c.typ); err != nil {
		return nil, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(consent.PermitDelete)); err != nil {
		return nil, err
	}
	if err := s.checkDeletable(c.typ); err != nil {
		return nil, err
	}
	criteria, err := s.criteriaOf(ctx, c, []string{criteriaText(c)})
	if err != nil {
		return nil, err
	}
	match, err := readIfMatch(c.r.Header.Values("If-Match"))
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.PermitDelete, func(v *consent.View) ([]consent.Change, error) {
		return s.toDelete(ctx, v, consent.Change{IfMatch: match}, criteria)
	})
}
