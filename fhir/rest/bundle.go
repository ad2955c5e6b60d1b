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
	location string // Bundle.entry[i]
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
		if err := s.checkEntryTokens(ctx, c, entries); err != nil {
			return nil, err
		}
		return s.batch(ctx, c, entries)
	case "transaction":
		c.interaction = consent.Transaction
		entries, err := s.entries(r)
		if err != nil {
			return nil, err
		}
		if err := s.checkEntryTokens(ctx, c, entries); err != nil {
			return nil, err
		}
		return s.transaction(ctx, c, entries)
	default:
		return nil, &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: "Bundle.type",
			Text: "Only Bundles of type batch or transaction can be posted to the base."}}}
	}
}

// entries reads the entries. Missing members of all entries are reported together (REST-220).
func (s *Server) entries(r fhir.Resource) ([]entry, error) {
	list := r.Get("entry")
	var out []entry
	var issues []fhir.Issue
	list.ForEach(func(_, e gjson.Result) bool {
		location := "Bundle.entry[" + strconv.Itoa(len(out)) + "]"
		en := entry{location: location, header: http.Header{}}
		e.ForEach(func(key, value gjson.Result) bool {
			switch key.Str {
			case "fullUrl":
				en.fullURL = value.Str
			case "resource":
				en.resource = []byte(value.Raw)
			case "request":
				s.readRequest(&en, value)
			}
			return true
		})
		need := func(code, at, text string) {
			issues = append(issues, fhir.Issue{Code: code, Text: text, Expression: location + at})
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

// readRequest reads Bundle.entry.request.
func (s *Server) readRequest(en *entry, request gjson.Result) {
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

// batch runs each entry as a request of its own (REST-235): each is decided, recorded and answered
// separately.
func (s *Server) batch(ctx context.Context, c *call, entries []entry) (*answer, error) {
	b := fhir.NewBundle("batch-response")
	creates := map[string]string{} // location of the entry that creates the resource of a fullUrl
	for _, en := range entries {
		if (en.method == "POST" || strings.HasPrefix(en.fullURL, "urn:")) && en.fullURL != "" {
			creates[en.fullURL] = en.location
		}
	}
	hungUp := false
	for _, en := range entries {
		sub, to, err := s.entryCall(ctx, c, en)
		h := to.handle
		if err == nil {
			err = independent(en, creates)
		}
		if err != nil {
			sub = &call{request: request{r: c.r, interaction: "unknown", caller: c.caller, requestID: c.requestID, entry: true}}
			h = func(context.Context, *call) (*answer, error) { return nil, err }
		}
		//law:batch-entry
		a := s.answer(ctx, sub, h, false)
		s.responseEntry(b, sub, a)
		hungUp = hungUp || a.hungUp
	}
	return &answer{status: 200, body: b.Bytes(), hungUp: hungUp}, nil
}

// independent refuses an entry of a batch that refers to a resource which another entry creates
// (REST-236).
func independent(en entry, creates map[string]string) error {
	if len(creates) == 0 || en.resource == nil {
		return nil
	}
	var err error
	edit.Links(en.resource, func(link edit.Link) string {
		if location, ok := creates[link.Value]; ok && location != en.location && err == nil {
			err = (&fhir.Error{Status: 400, Issues: []fhir.Issue{{Code: "invalid", Text: "An entry of a batch cannot refer to a resource that another entry creates."}}}).At(en.location + ".resource")
		}
		return link.Value
	})
	return err
}

// entryCall returns an entry as a call of its own, with its route.
func (s *Server) entryCall(ctx context.Context, c *call, en entry) (*call, route, error) {
	u, err := url.Parse("/" + en.url)
	if err != nil {
		return nil, route{}, fhir.Fault(400, "value", "The url of the request cannot be read.").At(en.location + ".request.url")
	}
	r := (&http.Request{Method: en.method, URL: u, Header: en.header, RemoteAddr: c.r.RemoteAddr}).WithContext(ctx)
	r.Header.Set("Prefer", strings.Join(c.r.Header.Values("Prefer"), ","))
	to, params, _, found := s.dispatcher.find(en.method, strings.TrimSuffix(u.Path, "/"))
	sub := &call{
		request: request{r: r, pathParams: params, interaction: to.interaction, caller: c.caller, requestID: c.requestID,
			entry: true, location: en.location, body: en.resource},
		negotiated: negotiated{validation: c.validation},
	}
	if !found || to.path == "" || to.open {
		return sub, route{}, fhir.Fault(404, "not-supported", "%s %s is not supported in a batch.", en.method, u.Path)
	}
	return sub, to, nil
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
