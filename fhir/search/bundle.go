package search

import (
	"context"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Disclosed is one resource version that an answer holds, for the trail.
type Disclosed struct {
	Doc      store.Doc
	Included bool
}

// Answer is a searchset, ready to send.
type Answer struct {
	Body      []byte
	Disclosed []Disclosed
	Count     *int // the total that was told, if one was
}

// Service runs searches for one server.
type Service struct {
	Base   string // public FHIR base
	Index  *index.Indexer
	Sealer *Sealer
	Limits Limits
}

// Ask is one search request, first page or later.
type Ask struct {
	Plan   *Plan
	Path   string // where it was asked: the type
	Cursor Cursor
	Token  string // the token of a later page, empty on the first
}

// Plan reads the parameters of a first page, or the token of a later one.
func (s *Service) Plan(p consent.Principal, typ string, params []Param, strict bool) (Ask, error) {
	opt := Options{Strict: strict, Limits: s.Limits}
	token, later, err := pageToken(params)
	if err != nil {
		return Ask{}, err
	}
	if !later {
		plan, err := New(s.Index, typ, params, opt)
		return Ask{Plan: plan, Path: typ}, err
	}
	pos, err := s.Sealer.Open(p, token)
	if err != nil {
		return Ask{}, err
	}
	if pos.Path != typ {
		return Ask{}, fhir.Fault(400, "invalid", "The page link belongs to another search.")
	}
	if params, err = ParseQuery(pos.Query); err != nil {
		return Ask{}, err
	}
	plan, err := New(s.Index, typ, params, opt)
	return Ask{Plan: plan, Path: typ, Cursor: pos.cursor(), Token: token}, err
}

// pageToken finds the token of a later page, which stands alone.
func pageToken(params []Param) (string, bool, error) {
	for _, param := range params {
		if param.Name != PageParam {
			continue
		}
		if len(params) > 1 {
			return "", false, fhir.Fault(400, "invalid", "A page link takes no further parameters.")
		}
		return param.Value, true, nil
	}
	return "", false, nil
}

// PageParam is the parameter of page links.
const PageParam = "_page"

// Run makes the answer of one page.
func (s *Service) Run(ctx context.Context, v *consent.View, ask Ask) (*Answer, error) {
	page, err := ask.Plan.Run(ctx, v, ask.Cursor, s.Limits)
	if err != nil {
		return nil, err
	}
	return s.bundle(v, ask, page)
}

func (s *Service) bundle(v *consent.View, ask Ask, page *Page) (*Answer, error) {
	first := s.Base + "/" + ask.Path
	if query := encode(ask.Plan.Used); query != "" {
		first += "?" + query
	}
	self := first
	if ask.Token != "" {
		self = s.Base + "/" + ask.Path + "?" + PageParam + "=" + ask.Token
	}
	b := fhir.NewBundle("searchset")
	b.Total(page.Total)
	b.Link("self", self)
	if page.Next != nil || ask.Token != "" {
		b.Link("first", first)
	}
	if page.Next != nil {
		token, err := s.Sealer.Seal(v.Grant().Principal(), position(ask.Path, encode(ask.Plan.Used), *page.Next))
		if err != nil {
			return nil, err
		}
		b.Link("next", s.Base+"/"+ask.Path+"?"+PageParam+"="+token)
	}
	a := &Answer{Count: page.Total}
	for _, d := range page.Matches {
		b.Resource(s.Base+"/"+d.Ref.String(), d.Body, "match")
		a.Disclosed = append(a.Disclosed, Disclosed{Doc: d})
	}
	for _, d := range page.Included {
		b.Resource(s.Base+"/"+d.Ref.String(), d.Body, "include")
		a.Disclosed = append(a.Disclosed, Disclosed{Doc: d, Included: true})
	}
	warnings := page.Warnings
	if ask.Token == "" {
		warnings = append(ask.Plan.Warnings, warnings...)
	}
	b.Outcome(warnings)
	if _, some := v.Signals(); some {
		b.Outcome([]fhir.Issue{withheld()})
	}
	a.Body = b.Bytes()
	return a, nil
}

// withheld is S2 (CON-1103): it carries no count, type, date or label.
func withheld() fhir.Issue {
	return fhir.Issue{Severity: "warning", Code: "suppressed",
		Text:   "Items excluded due to confidentiality and/or patient preferences.",
		Detail: fhir.Coding{System: "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ListWarningCode-1", Code: "confidential-items"}}
}
