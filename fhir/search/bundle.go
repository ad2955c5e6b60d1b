package search

import (
	"context"
	"slices"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Disclosed is one resource version in an answer, for the audit record.
type Disclosed struct {
	Doc      store.Doc
	Included bool
}

// Answer is a searchset Bundle, ready to send.
type Answer struct {
	Body      []byte
	Disclosed []Disclosed
	Count     *int // the total of the Bundle; nil if it has none
}

// Service runs the searches of one server. It is safe for concurrent use.
type Service struct {
	Base   string // public FHIR base
	Index  *index.Indexer
	Sealer *TokenSealer
	Limits Limits
}

// PageRequest is the request for one page of a search, the first or a later one.
type PageRequest struct {
	Query    *Query
	Path     string // the path of the request below the base
	Cursor   Cursor
	Token    string   // the token of a later page, empty on the first
	previous []Cursor // the first positions of the latest pages before this one
	Sent     []byte   // marks of the referenced resources that earlier pages of $everything sent
}

// SearchTarget is the scope of a search: one type, several, or the members of a compartment.
type SearchTarget struct {
	Path  string // below the base: "Observation", "", "Patient/1/Observation"
	Types []string
	// Within returns a predicate that rows of a type must satisfy in addition to the parameters; nil
	// for none.
	Within func(typ string) (store.Pred, error)
	// Named is the id of the patient whom the path names.
	Named string
}

// ParsePage reads the parameters of a first page, or the token of a later one. Errors are *fhir.Error.
func (s *Service) ParsePage(ctx context.Context, p consent.Principal, scope SearchTarget, params []Param, strict bool) (PageRequest, error) {
	request := PageRequest{Path: scope.Path}
	params, err := s.Resume(ctx, p, &request, params)
	if err != nil {
		return request, err
	}
	if request.Query, err = New(s.Index, scope.Types, params, Options{Strict: strict, System: scope.Path == "", Limits: s.Limits}); err != nil {
		return request, err
	}
	return request, request.Query.within(scope)
}

// Resume returns the parameters of the first page: params, or those in their page token. A page token
// also sets the position of the request.
func (s *Service) Resume(ctx context.Context, p consent.Principal, request *PageRequest, params []Param) ([]Param, error) {
	token, later, err := pageToken(params)
	if err != nil || !later {
		return params, err
	}
	pos, err := s.Sealer.Open(ctx, p, token)
	if err != nil {
		return nil, err
	}
	if pos.Path != request.Path {
		return nil, fhir.Fault(400, "invalid", "The page link belongs to another search.")
	}
	request.Token, request.Cursor, request.previous, request.Sent = token, pos.At.cursor(), cursors(pos.Before), pos.Seen
	return ParseQuery(pos.Query)
}

// within restricts a Query to a target.
func (q *Query) within(scope SearchTarget) error {
	if scope.Named != "" {
		q.Named = consent.NamedPatient{ID: scope.Named}
	}
	if scope.Within == nil {
		return nil
	}
	q.countable, q.affirmative = false, true
	for i := range q.Types {
		pred, err := scope.Within(q.Types[i].Type)
		if err != nil {
			return err
		}
		q.Types[i].Where = store.And{pred, q.Types[i].Where}
	}
	return nil
}

// pageToken returns the token of a later page. It must be the only parameter.
func pageToken(params []Param) (string, bool, error) {
	for _, param := range params {
		if param.Name != PageParam {
			continue
		}
		if len(params) > 1 {
			return "", false, fhir.Fault(400, "invalid", "A page link has no other parameters.")
		}
		return param.Value, true, nil
	}
	return "", false, nil
}

// PageParam is the parameter of page links.
const PageParam = "_page"

// Run returns the answer of one page.
func (s *Service) Run(ctx context.Context, v *consent.View, request PageRequest) (*Answer, error) {
	page, err := request.Query.Run(ctx, v, request.Cursor, s.Limits)
	if err != nil {
		return nil, err
	}
	return s.Bundle(ctx, v, request, page)
}

// url returns the address of a path below the base.
func (s *Service) url(path, query string) string {
	out := s.Base
	if path != "" {
		out += "/" + path
	}
	if query != "" {
		out += "?" + query
	}
	return out
}

// keptPages is how many pages a client can go back.
const keptPages = 8

// links adds the links self, first, previous and next (SRCH-206, 207).
func (s *Service) links(ctx context.Context, b *fhir.Bundle, p consent.Principal, request PageRequest, next *Cursor, seen []byte) error {
	used := encode(request.Query.Used)
	first := s.url(request.Path, used)
	self := first
	if request.Token != "" {
		self = s.url(request.Path, PageParam+"="+request.Token)
	}
	b.Link("self", self)
	if next == nil && request.Token == "" {
		return nil
	}
	b.Link("first", first)
	page := func(relation string, at Cursor, before []Cursor) error {
		token, err := s.Sealer.Seal(ctx, p, PageToken{Path: request.Path, Query: used, At: tokenCursorOf(at), Before: tokenCursors(before), Seen: seen[:at.Seen*SentSize]})
		if err == nil {
			b.Link(relation, s.url(request.Path, PageParam+"="+token))
		}
		return err
	}
	if n := len(request.previous); n > 0 {
		if at := request.previous[n-1]; at.After == nil {
			b.Link("previous", first)
		} else if err := page("previous", at, request.previous[:n-1]); err != nil {
			return err
		}
	}
	if next == nil {
		return nil
	}
	before := append(slices.Clone(request.previous), request.Cursor)
	return page("next", *next, before[max(0, len(before)-keptPages):])
}

// Bundle writes a page as a searchset. Entries name the source of their resource to staff (IDN-125).
func (s *Service) Bundle(ctx context.Context, v *consent.View, request PageRequest, page *Page) (*Answer, error) {
	b := fhir.NewBundle("searchset")
	b.Total(page.Total)
	if err := s.links(ctx, b, v.Grant().Principal(), request, page.Next, page.Sent); err != nil {
		return nil, err
	}
	a := &Answer{Count: page.Total, Disclosed: make([]Disclosed, 0, len(page.Matches)+len(page.Included))}
	b.Room(s.roomFor(v, page.Matches) + s.roomFor(v, page.Included))
	extensions := sourceExtensions{base: s.Base, view: v, texts: map[string]string{}}
	for _, d := range page.Matches {
		b.Resource(s.Base+"/"+d.Ref.String(), request.Query.Selection.Cut(d.Body), "match", extensions.of(d))
		a.Disclosed = append(a.Disclosed, Disclosed{Doc: d})
	}
	for _, d := range page.Included {
		b.Resource(s.Base+"/"+d.Ref.String(), request.Query.Selection.included().Cut(d.Body), "include", extensions.of(d))
		a.Disclosed = append(a.Disclosed, Disclosed{Doc: d, Included: true})
	}
	warnings := page.Warnings
	if request.Token == "" {
		warnings = append(request.Query.Warnings, warnings...)
	}
	b.Outcome(append(warnings, v.Contradictions(page.Matches, page.Included)...))
	//law:withheld-notice
	if _, withholds := v.WithheldNotice(); withholds {
		b.Outcome([]fhir.Issue{withheld()})
	}
	a.Body = b.Bytes()
	return a, nil
}

// sourceExtensions makes the extension of entries that names the source of a resource, once for each source.
type sourceExtensions struct {
	base  string
	view  *consent.View
	texts map[string]string // by ODS code
}

func (e sourceExtensions) of(d store.Doc) string {
	source := e.view.SourceOf(d)
	text, known := e.texts[source]
	if !known {
		text = fhir.SourceExtension(e.base, source)
		e.texts[source] = text
	}
	return text
}

// withheld is the notice S2 (CON-1103). It has no count, type, date or label.
func withheld() fhir.Issue {
	return fhir.Issue{Severity: "warning", Code: "suppressed",
		Text:   "Items excluded due to confidentiality and/or patient preferences.",
		Detail: fhir.Coding{System: "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ListWarningCode-1", Code: "confidential-items"}}
}

// roomFor estimates the size in bytes of the entries of documents.
func (s *Service) roomFor(v *consent.View, docs []store.Doc) int {
	frame, n := 160, 0 // address, mode and the JSON around them
	if len(docs) > 0 {
		frame += len(fhir.SourceExtension(s.Base, v.SourceOf(docs[0])))
	}
	for _, d := range docs {
		n += len(d.Body) + frame
	}
	return n
}
