package rest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// entry is one entry of a batch or transaction as it was sent.
type entry struct {
	place    string // Bundle.entry[i]
	method   string
	url      string // of the request, relative to the base
	fullURL  string
	header   http.Header // of its conditions
	resource []byte      // nil for none
}

// bundle is POST of the base: batch or transaction (section 13).
func (s *Server) bundle(ctx context.Context, c *call) (*answer, error) {
	if err := s.cfg.Guard.Check(ctx, c.caller, consent.Request{Interaction: c.interaction}); err != nil {
		return nil, err
	}
	if err := bodyType(c.r.Header); err != nil {
		return nil, err
	}
	body, err := readBody(c.r, s.cfg.Limits.Bundle)
	if err != nil {
		return nil, err
	}
	r, err := acceptBundle(body, c.validation)
	if err != nil {
		return nil, err
	}
	switch typ := r.Get("type").Str; typ {
	case "batch":
		entries, err := s.entries(r)
		if err != nil {
			return nil, err
		}
		if err := s.leaksInEntries(ctx, c, entries); err != nil {
			return nil, err
		}
		return s.batch(ctx, c, entries)
	case "transaction":
		c.interaction = consent.Transaction
		entries, err := s.entries(r)
		if err != nil {
			return nil, err
		}
		if err := s.leaksInEntries(ctx, c, entries); err != nil {
			return nil, err
		}
		return s.transaction(ctx, c, entries)
	default:
		return nil, &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: "Bundle.type",
			Text: "Only Bundles of type batch and transaction are processed here."}}}
	}
}

// entries reads the entries; what each must have is tested for all of them
// (REST-220).
func (s *Server) entries(r fhir.Resource) ([]entry, error) {
	list := r.Get("entry")
	var out []entry
	var issues []fhir.Issue
	list.ForEach(func(_, e gjson.Result) bool {
		place := "Bundle.entry[" + strconv.Itoa(len(out)) + "]"
		en := entry{place: place, header: http.Header{}}
		e.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "fullUrl":
				en.fullURL = value.Str
			case "resource":
				en.resource = []byte(value.Raw)
			case "request":
				s.request(&en, value)
			}
			return true
		})
		need := func(code, at, text string) {
			issues = append(issues, fhir.Issue{Code: code, Text: text, Expression: place + at})
		}
		switch {
		case en.method == "" || en.url == "" && !(en.method == "GET"):
			need("required", ".request", "The entry has no request with method and url.")
		case (en.method == "POST" || en.method == "PUT" || en.method == "PATCH") && en.resource == nil:
			need("required", ".resource", "An entry of "+en.method+" needs a resource.")
		}
		out = append(out, en)
		return len(out) <= s.cfg.Limits.Entries
	})
	if len(out) > s.cfg.Limits.Entries {
		return nil, fhir.Fault(413, "too-long", "The bundle has more than %d entries.", s.cfg.Limits.Entries)
	}
	if len(issues) > 0 {
		return nil, &fhir.Error{Status: 400, Issues: issues[:min(len(issues), fhir.MaxIssues)]}
	}
	return out, nil
}

// request reads the request of an entry.
func (s *Server) request(en *entry, request gjson.Result) {
	if !request.IsObject() {
		return
	}
	request.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "method":
			en.method = value.Str
		case "url":
			en.url = strings.TrimPrefix(value.Str, s.cfg.Base+"/")
		case "ifMatch":
			en.header.Set("If-Match", value.String())
		case "ifNoneMatch":
			en.header.Set("If-None-Match", value.String())
		case "ifNoneExist":
			en.header.Set("If-None-Exist", value.String())
		case "ifModifiedSince":
			en.header.Set("If-Modified-Since", value.String())
		}
		return true
	})
}

// batch runs each entry as its own request (REST-235): each is decided,
// recorded and answered alone.
func (s *Server) batch(ctx context.Context, c *call, entries []entry) (*answer, error) {
	b := fhir.NewBundle("batch-response")
	made := map[string]string{} // place of the entry that makes what has a fullUrl
	for _, en := range entries {
		if (en.method == "POST" || strings.HasPrefix(en.fullURL, "urn:")) && en.fullURL != "" {
			made[en.fullURL] = en.place
		}
	}
	hungUp := false
	for _, en := range entries {
		sub, h, err := s.subcall(ctx, c, en)
		if err == nil {
			err = independent(en, made)
		}
		if err != nil {
			sub = &call{r: c.r, interaction: "unknown", caller: c.caller, requestID: c.requestID, entry: true}
			h = func(context.Context, *call) (*answer, error) { return nil, err }
		}
		//law:batch-entry
		a := s.answer(ctx, sub, h, false)
		s.responseEntry(b, sub, a)
		hungUp = hungUp || a.hungUp
	}
	return &answer{status: 200, body: b.Bytes(), hungUp: hungUp}, nil
}

// independent refuses an entry of a batch that refers to what another one makes
// (REST-236).
func independent(en entry, made map[string]string) error {
	if len(made) == 0 || en.resource == nil {
		return nil
	}
	var err error
	edit.Links(en.resource, func(link edit.Link) string {
		if place, ok := made[link.Value]; ok && place != en.place && err == nil {
			err = (&fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Text: "An entry of a batch cannot refer to what another entry makes."}}}).At(en.place + ".resource")
		}
		return link.Value
	})
	return err
}

// subcall makes the call of a batch entry and finds its handler.
func (s *Server) subcall(ctx context.Context, c *call, en entry) (*call, handler, error) {
	u, err := url.Parse("/" + en.url)
	if err != nil {
		return nil, nil, fhir.Fault(400, "value", "The url of the request cannot be read.").At(en.place + ".request.url")
	}
	r := (&http.Request{Method: en.method, URL: u, Header: en.header, RemoteAddr: c.r.RemoteAddr}).WithContext(ctx)
	r.Header.Set("Prefer", strings.Join(c.r.Header.Values("Prefer"), ","))
	sub := &call{r: r, caller: c.caller, requestID: c.requestID, entry: true, body: en.resource,
		place: en.place, validation: c.validation}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/"), "/")
	for _, route := range s.routes() {
		if route.path != "" && route.method == en.method && sub.take(route, parts) {
			return sub, route.handle, nil
		}
	}
	return nil, nil, fhir.Fault(404, "not-supported", "%s %s is not supported in a batch.", en.method, u.Path)
}

// take matches a path against a route and keeps its parameters.
func (c *call) take(r route, parts []string) bool {
	pattern := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	if len(pattern) != len(parts) {
		return false
	}
	for i, p := range pattern {
		named := strings.HasPrefix(parts[i], "_") || strings.HasPrefix(parts[i], "$") // no type, id or member
		if given := strings.HasPrefix(p, ":"); !given && p != parts[i] || given && named {
			return false
		}
	}
	for i, p := range pattern {
		switch p {
		case ":type":
			c.typ = parts[i]
		case ":id":
			c.id = parts[i]
		case ":vid":
			c.version = parts[i]
		case ":member":
			c.member = parts[i]
		}
	}
	c.interaction = r.interaction
	return true
}

// responseEntry writes the response to one entry (REST-234, 235).
func (s *Server) responseEntry(b *fhir.Bundle, c *call, a *answer) {
	response := `"response":{"status":` + fhir.Quoted(fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)))
	for _, m := range []struct{ header, name string }{{"Location", "location"}, {"ETag", "etag"}} {
		if v := a.header[m.header]; v != "" {
			response += `,"` + m.name + `":` + fhir.Quoted(v)
		}
	}
	if a.doc.Version > 0 {
		response += `,"lastModified":"` + a.doc.Updated.UTC().Format(fhir.InstantFormat) + `"`
	}
	var members []string
	switch outcome := gjson.GetBytes(a.body, "resourceType").Str == "OperationOutcome"; {
	case len(a.body) == 0:
	case outcome && (a.status >= 400 || c.interaction != consent.Read):
		response += `,"outcome":` + string(a.body)
	default:
		members = append(members, `"resource":`+string(a.body))
	}
	b.Entry(append(members, response+"}")...)
}
