package rest

import (
	"context"
	"net/url"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// stepOf reads the request of an entry, and tests the right to it.
func (s *Server) stepOf(ctx context.Context, c *call, en entry) (*step, error) {
	st := &step{entry: en}
	if en.method == "GET" || en.method == "HEAD" {
		var err error
		st.call, st.handle, err = s.subcall(ctx, c, en)
		if err == nil {
			st.typ, st.id = st.call.typ, st.call.id
		}
		return st, err
	}
	u, err := url.Parse("/" + en.url)
	if err != nil {
		return nil, fhir.Fault(400, "value", "The url of the request cannot be read.")
	}
	st.typ, st.id, _ = strings.Cut(strings.Trim(u.Path, "/"), "/")
	req := consent.Request{Type: st.typ, Write: true}
	switch where := u.RawQuery != ""; {
	case en.method == "POST" && st.id == "" && !where:
		req.Interaction, req.Permission = consent.Create, consent.PermitCreate
	case en.method == "PUT" && (st.id == "") == where:
		req.Interaction, req.Permission = consent.Update, consent.PermitUpdate
	case en.method == "PATCH" && (st.id == "") == where:
		req.Interaction, req.Permission = consent.Patch, consent.PermitUpdate
	case en.method == "DELETE" && (st.id == "") == where:
		req.Interaction, req.Permission = consent.Delete, consent.PermitDelete
	case (en.method == "PUT" || en.method == "PATCH" || en.method == "DELETE") && st.id == "":
		return nil, fhir.Fault(400, "required", "%s of a type needs criteria.", en.method)
	default:
		return nil, fhir.Fault(400, "not-supported", "%s %s is not supported in a transaction.", en.method, u.Path)
	}
	if err := s.served(st.typ); err != nil {
		return nil, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, req); err != nil {
		return nil, err
	}
	if u.RawQuery != "" {
		if err := s.where(ctx, c, st, u.RawQuery); err != nil {
			return nil, err
		}
	}
	if en.method == "DELETE" {
		if err := s.closed(st.typ); err != nil {
			return nil, err
		}
		return st, st.prepareDelete()
	}
	if en.method == "PATCH" {
		return st, s.preparePatch(ctx, c, st)
	}
	if int64(len(en.resource)) > s.cfg.Limits.Resource {
		return nil, fhir.Fault(413, "too-long", "The resource is larger than %d bytes.", s.cfg.Limits.Resource)
	}
	return st, nil
}

// where plans the criteria of a conditional form.
func (s *Server) where(ctx context.Context, c *call, st *step, criteria string) error {
	err := s.maySearch(ctx, c.caller, st.typ)
	if err == nil {
		st.criteria, err = s.criteria(ctx, c.caller, st.typ, []string{criteria})
	}
	return err
}

func (st *step) prepareDelete() error {
	match, err := readIfMatch(st.header.Values("If-Match"))
	st.change = consent.Change{Kind: consent.ChangeDelete, Ref: store.Ref{Type: st.typ, ID: st.id}, IfMatch: match}
	return err
}

// prepareWrite makes the change of a POST or PUT whose resource was read.
func (s *Server) prepareWrite(ctx context.Context, c *call, st *step) error {
	if st.method == "POST" {
		if criteria := st.header.Values("If-None-Exist"); len(criteria) > 0 {
			return s.where(ctx, c, st, criteria[0])
		}
		return nil
	}
	var err error
	if st.criteria != nil {
		if err = conditions(&st.change, st.header); err == nil {
			err = s.careful(st.typ, &st.change)
		}
		return err
	}
	st.change, err = updateChange(fhir.Resource{Type: st.resource.Type, ID: st.resource.ID, Body: []byte("{}")}, st.typ, st.id, st.header)
	if e, ok := fhir.AsError(err); ok && e.Issues[0].Expression != "" {
		return e.At("entry.resource")
	}
	if err == nil {
		err = s.careful(st.typ, &st.change)
	}
	return err
}

// preparePatch makes the change of a PATCH (REST-239).
func (s *Server) preparePatch(ctx context.Context, c *call, st *step) error {
	p, err := entryPatch(st.entry.resource)
	if err != nil {
		return at(err, "entry.resource")
	}
	own := &call{r: c.r, caller: c.caller, typ: st.typ, interaction: consent.Patch, validation: c.validation}
	st.change = consent.Change{Kind: consent.ChangePatch, Ref: store.Ref{Type: st.typ, ID: st.id}}
	if st.change.Edit, err = s.editor(ctx, own, p); err != nil {
		return err
	}
	if st.change.IfMatch, err = readIfMatch(st.header.Values("If-Match")); err == nil {
		err = s.careful(st.typ, &st.change)
	}
	return err
}
