package smart

import (
	"errors"
	"net/http"
	"strings"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/session"
)

// The paths of pages that belong to nobody's authorization.
const (
	homePath     = "/"
	sessionsPath = "/my/sessions"
)

// allSessions is the value of the field "session" that ends all of them.
const allSessions = "all"

// serveHome answers the page at / of a demonstration: its people, its clients, and requests to begin with.
func (s *Server) serveHome(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD"}
	}
	page := pages.Home{Developers: DevelopersPath, EHR: s.cfg.EHR, App: s.cfg.App, Requests: []pages.HomeRequest{
		{Text: "GET /fhir/metadata", Path: "/fhir/metadata"},
		{Text: "GET /fhir/.well-known/smart-configuration", Path: "/fhir/.well-known/smart-configuration"},
		{Text: "GET " + browsePath, Path: browsePath},
		{Text: "GET " + ChoicesPath, Path: ChoicesPath},
		{Text: "GET " + AppsPath, Path: AppsPath},
		{Text: "GET " + sessionsPath, Path: sessionsPath},
	}}
	for _, p := range s.cfg.Policy.People {
		people := &page.People
		if !signsIn(p) {
			people = &page.Tokens
		}
		roles := p.AllRoles()
		if len(roles) == 0 {
			*people = append(*people, pages.HomePerson{Name: p.User})
		}
		for _, r := range roles {
			role, _ := s.cfg.Policy.Role(r.Role)
			o, _ := s.cfg.Policy.Organisation(r.Organisation)
			*people = append(*people, pages.HomePerson{Name: p.User, Role: role.Name, Organisation: o.Name})
		}
	}
	list, err := s.Clients.List(r.Context())
	if err != nil {
		return err
	}
	for _, c := range list {
		if !s.Clients.Serves(c) { // one that waits for an approval, or is suspended
			continue
		}
		page.Clients = append(page.Clients, pages.HomeClient{ID: c.ID, Name: c.Name, Kind: string(c.Kind), Scopes: c.Scopes, Rights: strings.Join(c.Rights, " ")})
	}
	return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{Binding: s.users.sessions.Browser(w, r)})
}

// signsIn reports whether a person of the policy signs in on the pages: the others have tokens from the command line alone.
func signsIn(p policy.Person) bool {
	switch p.Kind {
	case policy.KindStaff, policy.KindPatient, policy.KindProxy, policy.KindAdministrator:
		return p.Subject != ""
	}
	return false
}

// serveSessions answers the page of a user's sessions, and its forms (SMART-170).
func (s *Server) serveSessions(w http.ResponseWriter, r *http.Request) error {
	current, err := s.users.current(r)
	if errors.Is(err, session.ErrNone) {
		return signInFirst(w, r, sessionsPath)
	}
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
			return err
		}
		which := r.PostForm.Get("session")
		if err := s.endSessions(r, current, which); err != nil {
			return err
		}
		if which != allSessions && which != current.ID {
			seeOther(w, sameSession(sessionsPath, r))
			return nil
		}
		// Nothing that was begun in this browser goes on, as after a sign-out.
		if _, err := s.users.sessions.SignOut(w, r, current.Kind); err != nil && !errors.Is(err, session.ErrNone) {
			return err
		}
		seeOther(w, SignOutPath)
		return nil
	}
	if answered, err := s.remindFirst(w, r, sessionsPage()); answered || err != nil {
		return err
	}
	list, err := s.users.sessions.List(r.Context(), current.User)
	if err != nil {
		return err
	}
	page := pages.SessionList{Action: sameSession(sessionsPath, r), Apps: sameSession(AppsPath, r)}
	for _, one := range list {
		page.List = append(page.List, pages.BrowserSession{Value: one.ID, Started: one.Started, LastUsed: one.LastUsed, Current: one.ID == current.ID})
	}
	return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
}

// endSessions ends one session of a user, or all of them, with the grants that depend on them.
func (s *Server) endSessions(r *http.Request, current *session.Session, id string) error {
	before, err := s.users.sessions.List(r.Context(), current.User)
	if err != nil {
		return err
	}
	if id == allSessions {
		var ended []session.Session // one may have begun since
		ended, err = s.users.sessions.EndAll(r.Context(), current.User)
		before = append(before, ended...)
	} else if err = s.users.sessions.End(r.Context(), current.User, id); errors.Is(err, session.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, one := range before {
		if id == allSessions || one.ID == id {
			if err := s.endOnline(r, &one); err != nil {
				return err
			}
		}
	}
	return nil
}

// seeOther sends the browser on after a post.
func seeOther(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
