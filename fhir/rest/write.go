package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
	"carerecord/store"
)

// create is POST of a type, plain or conditional (section 9).
func (s *Server) create(ctx context.Context, c *call) (*answer, error) {
	r, err := s.incoming(ctx, c, consent.CreateLetter)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(c.r.URL.RawQuery) != "" && len(filterParams(c)) > 0 {
		return nil, fhir.Fault(400, "not-supported", "A create takes no criteria in its URL: use If-None-Exist.")
	}
	if err := noConditionalReferences(r); err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.CreateLetter, func(v *consent.View) (consent.Change, error) {
		return s.createChange(ctx, v, r, c.r.Header.Values("If-None-Exist"))
	})
}

// createChange makes the change of a create: the match of its criteria, or a
// new document.
func (s *Server) createChange(ctx context.Context, v *consent.View, r fhir.Resource, criteria []string) (consent.Change, error) {
	ch := consent.Change{Form: consent.ToCreate, Ref: store.Ref{Type: r.Type, ID: s.cfg.NewID()}, Body: r.Body}
	if len(criteria) == 0 {
		return ch, nil
	}
	plan, err := s.criteria(r.Type, criteria)
	if err != nil {
		return ch, err
	}
	refs, err := firstTwo(ctx, v, plan)
	if err != nil {
		return ch, err
	}
	switch len(refs) {
	case 0:
		ch.Absent, ch.Claims = plan.Where(), plan.Claims
	case 1:
		return consent.Change{Form: consent.ToFind, Ref: refs[0]}, nil
	default:
		return ch, fhir.Fault(412, "multiple-matches", "The criteria match more than one resource.")
	}
	return ch, nil
}

// criteria plans the criteria of a conditional write: always strict, and with
// one equality that can be claimed (SRCH-011, REST-127).
func (s *Server) criteria(typ string, values []string) (*search.Plan, error) {
	if len(values) > 1 {
		return nil, fhir.Fault(400, "invalid", "If-None-Exist stands twice.")
	}
	text := strings.TrimPrefix(strings.TrimPrefix(values[0], typ), "?")
	params, err := search.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	plan, err := search.New(s.cfg.Index, []string{typ}, params, search.Options{Criteria: true, Limits: s.cfg.Search.Limits})
	if err != nil {
		return nil, err
	}
	if len(plan.Claims) == 0 {
		return nil, fhir.Fault(400, "required", "The criteria need one equality: a token with its code, a reference, a uri or _id.")
	}
	return plan, nil
}

// firstTwo returns up to two matches of criteria: none, one or several.
func firstTwo(ctx context.Context, v *consent.View, plan *search.Plan) ([]store.Ref, error) {
	var refs []store.Ref
	for d, err := range v.Scan(ctx, store.Query{Type: plan.Type(), Where: plan.Where(), KeysOnly: true}) {
		if err != nil {
			return nil, fmt.Errorf("evaluate criteria: %w", err)
		}
		if refs = append(refs, d.Ref); len(refs) == 2 {
			break
		}
	}
	return refs, nil
}

// update is PUT of an id (section 10).
func (s *Server) update(ctx context.Context, c *call) (*answer, error) {
	r, err := s.incoming(ctx, c, consent.UpdateLetter)
	if err != nil {
		return nil, err
	}
	ch, err := updateChange(r, c.typ, c.id, c.r.Header)
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, c, consent.UpdateLetter, func(*consent.View) (consent.Change, error) { return ch, nil })
}

func updateChange(r fhir.Resource, typ, id string, h http.Header) (consent.Change, error) {
	switch {
	case !fhir.ValidID(id):
		return consent.Change{}, fhir.Fault(400, "value", "The id in the URL is not 1 to 64 of letters, digits, hyphen and dot.")
	case r.ID == "":
		return consent.Change{}, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "required", Text: "The body has no id.", Expression: typ + ".id"}}}
	case r.ID != id:
		return consent.Change{}, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Text: "The id of the body is not that of the URL.", Expression: typ + ".id"}}}
	}
	if len(h.Values("If-None-Match")) > 0 {
		return consent.Change{}, fhir.Fault(400, "not-supported", "If-None-Match is not supported on PUT.")
	}
	match, err := readIfMatch(h.Values("If-Match"))
	if err != nil {
		return consent.Change{}, err
	}
	if err := noConditionalReferences(r); err != nil {
		return consent.Change{}, err
	}
	return consent.Change{Form: consent.ToUpdate, Ref: store.Ref{Type: typ, ID: id}, Body: r.Body, IfMatch: match}, nil
}

// readIfMatch reads If-Match: versions, 0 for * (REST-046).
func readIfMatch(values []string) ([]uint64, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var out []uint64
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			out = append(out, 0)
			continue
		}
		text := strings.TrimPrefix(part, "W/")
		if len(text) < 3 || text[0] != '"' || text[len(text)-1] != '"' {
			return nil, fhir.Fault(400, "value", `If-Match is W/"version", not %q.`, part)
		}
		n, err := strconv.ParseUint(text[1:len(text)-1], 10, 64)
		if err != nil || n == 0 {
			n = 1<<64 - 1 // an opaque version that no resource has
		}
		out = append(out, n)
	}
	return out, nil
}

// delete is DELETE of an id (REST-180 to 182).
func (s *Server) delete(ctx context.Context, c *call) (*answer, error) {
	if err := s.served(c.typ); err != nil {
		return nil, err
	}
	match, err := readIfMatch(c.r.Header.Values("If-Match"))
	if err != nil {
		return nil, err
	}
	if !fhir.ValidID(c.id) {
		if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(consent.DeleteLetter)); err != nil {
			return nil, err
		}
		return &answer{status: 204}, nil
	}
	return s.commit(ctx, c, consent.DeleteLetter, func(*consent.View) (consent.Change, error) {
		return consent.Change{Form: consent.ToDelete, Ref: store.Ref{Type: c.typ, ID: c.id}, IfMatch: match}, nil
	})
}

// writing says that the call writes, for the decision.
func (c *call) writing(letter consent.Letter) consent.Request {
	req := c.request(letter)
	req.Write = true
	return req
}

// filterParams are the parameters of a URL beside those of formatting.
func filterParams(c *call) []search.Param {
	var out []search.Param
	for _, p := range c.params {
		if p.Name != "_format" && p.Name != "_pretty" {
			out = append(out, p)
		}
	}
	return out
}

// incoming tests what needs no patient, then reads and checks the body.
func (s *Server) incoming(ctx context.Context, c *call, letter consent.Letter) (fhir.Resource, error) {
	if err := s.served(c.typ); err != nil {
		return fhir.Resource{}, err
	}
	if err := s.cfg.Guard.Check(ctx, c.caller, c.writing(letter)); err != nil {
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
	r, issues, err := accept(body, c.typ, c.validation)
	if c.place != "" {
		place := c.place + ".resource"
		issues = (&fhir.Error{Issues: issues}).At(place).Issues
		if e, ok := fhir.AsError(err); ok {
			err = e.At(place)
		}
	}
	c.warnings = issues
	return r, err
}

// checkBody tests what a resource says of itself against where it was sent.
func checkBody(r fhir.Resource, typ string) error {
	if r.Type != typ {
		return &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Expression: "resourceType",
			Text: "The body is a " + r.Type + ", the URL says " + typ + "."}}}
	}
	for _, tag := range r.Get("meta.tag").Array() {
		if tag.Get("code").Str == "SUBSETTED" && tag.Get("system").Str == "http://terminology.hl7.org/CodeSystem/v3-ObservationValue" {
			return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: typ + ".meta.tag",
				Text: "The resource is marked SUBSETTED: parts of it are missing, so it cannot be written back."}}}
		}
	}
	return nil
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fhir.Fault(413, "too-long", "The body is larger than %d bytes.", limit)
	}
	if err != nil {
		return nil, &fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "structure", Text: "The body ended before its end."}}, Cause: err}
	}
	return body, nil
}

// attempts is how often a write that loses a race is tried again; the deadline
// of the request ends it before.
const attempts = 100

// commit decides, makes one change and answers; a lost race is run again.
func (s *Server) commit(ctx context.Context, c *call, letter consent.Letter, prepare func(*consent.View) (consent.Change, error)) (*answer, error) {
	var a *answer
	err := s.retry(ctx, func() error {
		a = nil
		return s.cfg.Guard.Read(ctx, c.caller, c.writing(letter), func(v *consent.View) error {
			c.granted = v.Grant()
			ch, err := prepare(v)
			if err != nil {
				return err
			}
			results, err := v.Commit(ctx, []consent.Change{ch}, func(rs []consent.Result) ([][]byte, error) {
				a = s.written(c, v, ch, rs[0])
				return s.recordOf(c, a)
			})
			if err == nil && a == nil {
				a = s.written(c, v, ch, results[0])
			}
			if err == nil {
				a.recorded = s.cfg.Trail != nil
			}
			return err
		})
	})
	return a, err
}

// retry runs f again while it loses races.
func (s *Server) retry(ctx context.Context, f func() error) error {
	for i := 0; ; i++ {
		err := f()
		if !errors.Is(err, store.ErrConflict) || i == attempts || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(min(i, 20)) * time.Millisecond):
		}
	}
}

// recordOf is the record that a commit carries.
func (s *Server) recordOf(c *call, a *answer) ([][]byte, error) {
	if s.cfg.Trail == nil {
		return nil, nil
	}
	payload, err := s.cfg.Trail.Encode(s.recordWritten(c, a))
	return [][]byte{payload}, err
}

func (s *Server) recordWritten(c *call, a *answer) audit.Record {
	r := s.record(c, a, nil)
	if a.doc.Version > 0 {
		r.Written = []audit.Item{audit.ItemOf(a.doc, false, false)}
	}
	return r
}

// written makes the answer of a write (REST-060, 120, 123, 180).
func (s *Server) written(c *call, v *consent.View, ch consent.Change, r consent.Result) *answer {
	a := &answer{status: 200, header: map[string]string{}}
	if r.Doc.Version > 0 {
		a.header = versionHeaders(r.Doc)
	}
	if r.Written {
		a.doc = r.Doc
	}
	if ch.Form == consent.ToDelete {
		a.status = 204
		if !r.Written {
			a.header = nil
		}
		if c.prefer.ret == "OperationOutcome" {
			a.status, a.body = 200, fhir.Outcome([]fhir.Issue{{Severity: "information", Code: "informational", Text: "The resource is deleted."}})
		}
		return a
	}
	location := s.cfg.Base + "/" + r.Doc.Ref.String() + "/_history/" + strconv.FormatUint(r.Doc.Version, 10)
	switch {
	case r.Written && r.Doc.Origin != store.Updated:
		a.status = 201
		a.header["Location"] = location
	case ch.Form == consent.ToFind:
		a.header["Location"] = location
	}
	ret := c.prefer.ret
	if ret == "" && c.entry {
		ret = "minimal"
	}
	switch {
	case ret == "minimal", !v.Grant().May(r.Doc.Ref.Type, "r"): // VIS-011
	case ret == "OperationOutcome":
		a.body = fhir.Outcome(append([]fhir.Issue{{Severity: "information", Code: "informational", Text: "The resource is stored."}}, c.warnings...))
	default:
		a.body = r.Doc.Body
		a.disclosed = []audit.Item{audit.ItemOf(r.Doc, false, v.Cuts())}
	}
	return a
}
