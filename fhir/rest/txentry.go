package rest

import (
	"context"
	"net/http"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// readTxEntry reads the request of an entry, and checks that the requester may make it.
func (s *Server) readTxEntry(ctx context.Context, c *call, en entry) (*txEntry, error) {
	st := &txEntry{entry: en}
	sub, to, err := s.entryCall(ctx, c, en)
	if sub == nil {
		return st, err
	}
	st.call, st.typ, st.id = sub, sub.typ, sub.id
	if en.method == http.MethodGet || en.method == http.MethodHead {
		st.handle = to.handle
		return st, err
	}
	req, err := st.write(to)
	if err != nil {
		return nil, err
	}
	if err := s.checkType(st.typ); err != nil {
		return nil, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
		return nil, err
	}
	if criteria := sub.r.URL.RawQuery; criteria != "" {
		if err := s.where(ctx, c, st, criteria); err != nil {
			return nil, err
		}
	}
	switch {
	case en.method == http.MethodDelete:
		if err := s.checkDeletable(st.typ); err != nil {
			return nil, err
		}
		return st, st.prepareDelete()
	case en.method == http.MethodPatch:
		return st, s.preparePatch(ctx, c, st)
	case int64(len(en.resource)) > s.cfg.Limits.Resource:
		return nil, fhir.Fault(413, "too-long", "The resource is larger than %d bytes.", s.cfg.Limits.Resource)
	}
	return st, nil
}

// write returns the decision that a writing entry needs. A conditional form has criteria and no id.
func (st *txEntry) write(to route) (consent.Request, error) {
	req := consent.Request{Type: st.typ, Write: true, Interaction: to.interaction}
	conditional := st.call.r.URL.RawQuery != ""
	switch to.interaction {
	case consent.Create:
		req.Permission = consent.PermitCreate
		if !conditional {
			return req, nil
		}
	case consent.Update, consent.Patch:
		req.Permission = consent.PermitUpdate
	case consent.Delete:
		req.Permission = consent.PermitDelete
	default: // not supported in a transaction, below
	}
	switch {
	case to.interaction == consent.Create || req.Permission == 0:
	case (st.id == "") == conditional:
		return req, nil
	case st.id == "":
		return req, fhir.Fault(400, "required", "%s of a type needs criteria.", st.method)
	}
	return req, fhir.Fault(400, "not-supported", "%s %s is not supported in a transaction.", st.method, st.call.r.URL.Path)
}

// where parses the criteria of a conditional form.
func (s *Server) where(ctx context.Context, c *call, st *txEntry, criteria string) error {
	err := s.maySearch(ctx, c.caller, st.typ)
	if err == nil {
		st.criteria, err = s.criteria(ctx, c.caller, st.typ, []string{criteria})
	}
	return err
}

func (st *txEntry) prepareDelete() error {
	match, err := readIfMatch(st.header.Values("If-Match"))
	st.change = consent.Change{Kind: consent.ChangeDelete, Ref: store.Ref{Type: st.typ, ID: st.id}, IfMatch: match}
	return err
}

// prepareWrite prepares the change of a POST or PUT after its resource was validated.
func (s *Server) prepareWrite(ctx context.Context, c *call, st *txEntry) error {
	if st.method == "POST" {
		if criteria := st.header.Values("If-None-Exist"); len(criteria) > 0 {
			return s.where(ctx, c, st, criteria[0])
		}
		return nil
	}
	var err error
	if st.criteria != nil {
		if err = conditions(&st.change, st.header); err == nil {
			err = s.checkUpdate(st.typ, &st.change)
		}
		return err
	}
	st.change, err = updateChange(fhir.Resource{Type: st.resource.Type, ID: st.resource.ID, Body: []byte("{}")}, st.typ, st.id, st.header)
	if e, ok := fhir.AsError(err); ok && e.Issues[0].Expression != "" {
		return e.At("entry.resource")
	}
	if err == nil {
		err = s.checkUpdate(st.typ, &st.change)
	}
	return err
}

// preparePatch prepares the change of a PATCH (REST-239).
func (s *Server) preparePatch(ctx context.Context, c *call, st *txEntry) error {
	p, err := entryPatch(st.entry.resource)
	if err != nil {
		return atLocation(err, "entry.resource")
	}
	own := &call{request: request{r: c.r, caller: c.caller, pathParams: pathParams{typ: st.typ}, interaction: consent.Patch},
		negotiated: negotiated{validation: c.validation}}
	st.change = consent.Change{Kind: consent.ChangePatch, Ref: store.Ref{Type: st.typ, ID: st.id}, Reads: p.Reads()}
	if st.change.Edit, err = s.editor(ctx, own, p); err != nil {
		return err
	}
	if st.change.IfMatch, err = readIfMatch(st.header.Values("If-Match")); err == nil {
		err = s.checkUpdate(st.typ, &st.change)
	}
	return err
}
