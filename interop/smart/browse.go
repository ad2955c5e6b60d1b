package smart

import (
	"errors"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/browse"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/session"
)

// browsePath begins the paths of the pages that show answers of the FHIR API, in a demonstration.
const browsePath = "/browse/"

// ServeFHIR sets the handler of the FHIR API, from which a demonstration shows answers below /browse/. Call it before the server
// is used.
func (s *Server) ServeFHIR(h http.Handler) {
	if s.users != nil && s.cfg.Demo {
		s.users.browse = &browse.Reader{Base: s.cfg.Site + "/fhir", FHIR: h}
	}
}

// reader is somebody who browses: a person in one role, and the session.
type reader struct {
	as      string // in paths
	person  policy.Person
	session *session.Session
}

// readers returns who may browse in a browser: the people who have signed in, in each of their roles. The path says which one
// reads, so two windows never mix people (SMART-163).
func (s *Server) readers(r *http.Request) (list []reader, err error) {
	for _, kind := range []session.Kind{session.Patient, session.Staff} {
		current, err := s.users.sessions.Current(r, kind)
		if errors.Is(err, session.ErrNone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		person, ok := s.cfg.Policy.Person(current.Account)
		if !ok || !person.SignsInAs(current.Issuer, current.Subject) {
			continue
		}
		if person.Kind == policy.KindPatient {
			list = append(list, reader{"patient", person, current})
		}
		for _, role := range person.AllRoles() {
			in, _ := person.As(role)
			list = append(list, reader{role.Organisation + "." + role.Role, in, current})
		}
	}
	return list, nil
}

// serveBrowse answers the pages below /browse/, by GET alone.
func (s *Server) serveBrowse(w http.ResponseWriter, r *http.Request) error {
	if s.users.browse == nil {
		return pages.Fail(pages.NotFound, nil)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD"}
	}
	readers, err := s.readers(r)
	if err != nil {
		return err
	}
	if len(readers) == 0 {
		return s.noReader(w, r)
	}
	as, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), browsePath), "/")
	if as == "" {
		if answered, err := s.remindFirst(w, r, browsePage()); answered || err != nil {
			return err
		}
		return s.users.pages.Render(w, r, http.StatusOK, s.starts(readers), s.browseOptions(readers[0]))
	}
	for _, one := range readers {
		if one.as == as {
			return s.browseAs(w, r, one, "/"+path)
		}
	}
	return pages.Fail(pages.NotFound, nil)
}

// noReader answers a browser in which nobody who may browse has signed in: with the sign-in, or with the reason for which the person
// who has signed in sees nothing (SMART-143, 203).
func (s *Server) noReader(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.current(r)
	if errors.Is(err, session.ErrNone) || err == nil && current.Kind == session.Administrator {
		return signInFirst(w, r, browsePath)
	}
	if err != nil {
		return err
	}
	reason := pages.NoRole
	if current.Kind == session.Patient {
		reason = pages.NoAuthority
	}
	return s.users.pages.Render(w, r, http.StatusForbidden, pages.Refusal{Reason: reason}, s.browseOptions(reader{session: current}))
}

func (s *Server) browseOptions(one reader) pages.Options {
	return pages.Options{Binding: one.session.Binding, Account: one.session.Account, SignOut: SignOutPath}
}

// starts is the page on which one begins.
func (s *Server) starts(readers []reader) pages.Browse {
	var page pages.Browse
	for _, one := range readers {
		start := pages.BrowseStart{Person: one.person.User}
		if one.person.Kind == policy.KindStaff {
			role, _ := s.cfg.Policy.Role(one.person.Role)
			organisation, _ := s.cfg.Policy.Organisation(one.person.Organisation)
			start.Role, start.Organisation = role.Name, organisation.Name
		}
		for _, request := range []string{"Patient", "Condition", "Observation?_count=20", "MedicationRequest", "AllergyIntolerance", "Encounter", "DocumentReference"} {
			start.Links = append(start.Links, pages.BrowseLink{Text: request, Path: browsePath + one.as + "/" + request})
		}
		page.Starts = append(page.Starts, start)
	}
	return page
}

// browseAs shows one answer as a person sees it, for direct care or at the request of the patient.
func (s *Server) browseAs(w http.ResponseWriter, r *http.Request, one reader, path string) error {
	p, err := s.browser(r, one)
	if err != nil {
		return err
	}
	answer, err := s.users.browse.Get(r.Context(), r, p, path, r.URL.RawQuery)
	if errors.Is(err, browse.ErrLarge) {
		return pages.Fail(pages.BadRequest, err)
	}
	if err != nil {
		return err
	}
	page := pages.Browse{Path: r.URL.Path[len(browsePath)+len(one.as):], Status: answer.Status}
	if gjson.ValidBytes(answer.Body) {
		page.Tree = browse.Tree(answer.Body, s.cfg.Site+"/fhir", browsePath+one.as)
	} else {
		page.Text = string(answer.Body)
	}
	return s.users.pages.Render(w, r, answer.Status, page, s.browseOptions(one))
}

// browser returns the Principal of a person who browses.
func (s *Server) browser(r *http.Request, one reader) (consent.Principal, error) {
	purpose := one.person.DefaultPurpose()
	client := &clients.Client{ID: "browse", Kind: clients.Symmetric, Purposes: []string{purpose}}
	g := grants.Grant{ID: one.session.ID, User: one.person.User, Client: client.ID, Organisation: one.person.Organisation, Role: one.person.Role, Purpose: purpose, Scopes: "user/*.rs"}
	return s.Resource.Principal(r.Context(), &grants.Active{Grant: g, Client: client}, address(r))
}
