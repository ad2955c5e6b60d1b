package smart

import (
	"net/http"
	"slices"
	"strings"

	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// ownPage is a page of the server for which a person signs in without an app. The list is closed, and the path of the sign-in says
// which page it is for, so there is no return address (SMART-165).
type ownPage struct {
	transaction string // takes the place of a transaction in the sign-in
	path        string // of the page, to which the sign-in leads
	kinds       []pages.SignInKind
}

// signInOf is the last part of the path of the sign-in of a page.
const signInOf = "/sign-in"

func (p ownPage) signIn() string { return strings.TrimSuffix(p.path, "/") + signInOf }

// ownPages are the pages for which a person signs in without an app.
func ownPages() []ownPage {
	return []ownPage{browsePage(), {"apps", AppsPath, allKinds()}, sessionsPage(), choicesPage()}
}

func browsePage() ownPage   { return ownPage{"browse", browsePath, careKinds()} }
func sessionsPage() ownPage { return ownPage{"sessions", sessionsPath, allKinds()} }

// choicesPage is for patients alone, so nobody is asked which kind of person signs in.
func choicesPage() ownPage {
	return ownPage{"choices", ChoicesPath, []pages.SignInKind{{Value: string(session.Patient), Text: pages.PersonPatient}}}
}

func careKinds() []pages.SignInKind {
	return []pages.SignInKind{{Value: string(session.Patient), Text: pages.PersonPatient}, {Value: string(session.Staff), Text: pages.PersonStaff}}
}

func allKinds() []pages.SignInKind {
	return append(careKinds(), pages.SignInKind{Value: string(session.Administrator), Text: pages.PersonOffice})
}

// continueAt returns where a browser goes after a sign-in: on with its transaction, or to the page of ours.
func continueAt(transaction string) string {
	for _, p := range ownPages() {
		if p.transaction == transaction {
			return p.path
		}
	}
	return authorize.Continue(transaction)
}

// signInFirst sends a browser without a session to the sign-in of a page. A post of it is refused.
func signInFirst(w http.ResponseWriter, r *http.Request, path string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.Forbidden, Retry: path, Err: session.ErrNone}
	}
	for _, p := range ownPages() {
		if p.path == path {
			seeOther(w, p.signIn())
		}
	}
	return nil
}

// serveOwnSignIn returns the handler of the sign-in of a page of ours; nil for a path that is none.
func (s *Server) serveOwnSignIn(path string) func(http.ResponseWriter, *http.Request) error {
	for _, p := range ownPages() {
		if p.signIn() == path {
			return func(w http.ResponseWriter, r *http.Request) error { return s.signInFor(w, r, p) }
		}
	}
	return nil
}

// signInFor asks which kind of people signs in, and starts the sign-in.
func (s *Server) signInFor(w http.ResponseWriter, r *http.Request, p ownPage) error {
	if p.path == browsePath && s.users.browse == nil {
		return pages.Fail(pages.NotFound, nil)
	}
	binding := s.users.sessions.Browser(w, r)
	page := pages.SignIn{Action: p.signIn(), Kinds: p.kinds}
	options := pages.Options{Binding: binding}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return s.users.pages.Render(w, r, http.StatusOK, page, options)
	case http.MethodPost:
	default:
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD, POST"}
	}
	if err := s.users.pages.Check(r, binding, ""); err != nil {
		return err
	}
	if !s.users.authorize.SignIns.Count(limits.Source(address(r))) {
		s.refusals.Count(address(r))
		return pages.Fail(pages.TooMany, nil)
	}
	kind := r.PostForm.Get("kind")
	if !slices.ContainsFunc(p.kinds, func(k pages.SignInKind) bool { return k.Value == kind }) {
		page.Unanswered = true
		return s.users.pages.Render(w, r, http.StatusBadRequest, page, options)
	}
	return s.users.upstream.Start(w, r, signin.Request{Transaction: p.transaction, Kind: session.Kind(kind), Login: true})
}
