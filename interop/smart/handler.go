package smart

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/fhir/cors"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/idp"
	"carerecord/interop/smart/introspect"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/revoke"
	"carerecord/interop/smart/signin"
	"carerecord/interop/smart/token"
)

// The paths of the endpoints of tokens.
const (
	tokenPath      = "/oauth/token"
	introspectPath = "/oauth/introspect"
	revokePath     = "/oauth/revoke"
)

// endpoint is one path of the server.
type endpoint struct {
	handle http.HandlerFunc
	pages  cors.Pages // that may call it (section 22)
}

// The headers that pages of other origins may send to an endpoint and read (SMART-473).
const (
	pagesSend = "Authorization, Content-Type, Accept, X-Request-Id, traceparent"
	pagesRead = "Retry-After, X-Request-Id, WWW-Authenticate"
)

func (s *Server) newEndpoints(t *token.Endpoint, i *introspect.Endpoint, r *revoke.Endpoint) map[string]endpoint {
	serve := s.answers.Serve
	d := s.documents
	all := map[string]endpoint{
		"GET /fhir/.well-known/smart-configuration": {d.SMART, cors.Any},
		"POST " + tokenPath:                         {serve(t.Serve), cors.Registered},
		"POST " + revokePath:                        {serve(r.Serve), cors.Registered},
		"POST " + introspectPath:                    {serve(i.Serve), cors.None},
	}
	if s.users != nil { // these describe and serve people who sign in
		if s.cfg.Capabilities.Has(capabilities.SignOn) {
			all["GET /oauth/jwks.json"] = endpoint{d.Keys, cors.Any}
			for _, path := range []string{"/fhir/.well-known/openid-configuration", "/fhir/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/fhir"} {
				all["GET "+path] = endpoint{d.OpenID, cors.Any}
			}
		}
		for path := range s.users.providers {
			all["POST "+signin.LogoutPath+strings.TrimPrefix(path, idp.Path)] = endpoint{serve(s.serveLogout), cors.None}
		}
		if s.cfg.Capabilities.Has(capabilities.LaunchEHR) {
			all["POST "+launchPath] = endpoint{serve(s.users.launches.Serve), cors.None}
		}
	}
	return all
}

// Owns reports whether a path is one of the authorization server.
func (s *Server) Owns(path string) bool {
	return strings.HasPrefix(path, "/oauth/") || s.endpoints["GET "+path].handle != nil || s.page(path) != nil
}

// referenceHeader carries the id of a request to the pages, which show it. What a client sends is replaced.
const referenceHeader = "Carerecord-Request"

// page returns the handler of a page; nil for a path that is none.
func (s *Server) page(path string) http.Handler {
	u := s.users
	if u == nil {
		return nil
	}
	if signIn := s.serveOwnSignIn(path); signIn != nil {
		return u.pages.Handle(signIn)
	}
	if reminder := s.serveOwnReminder(path); reminder != nil {
		return u.pages.Handle(reminder)
	}
	switch {
	case path == authorize.Path:
		return u.pages.Handle(u.authorize.ServeRequest)
	case strings.HasPrefix(path, authorize.TransactionPath):
		return u.pages.Handle(u.authorize.ServeTransaction)
	case strings.HasPrefix(path, signin.CallbackPath):
		return u.pages.Handle(s.callback(u.answers))
	case path == "/oauth/sign-in-keys.json":
		return u.pages.Handle(u.upstream.Keys)
	case path == AppsPath:
		return u.pages.Handle(withForm(s.serveApps))
	case path == ChoicesPath:
		return u.pages.Handle(s.serveChoices)
	case path == openPath, strings.HasPrefix(path, openPath+"/"):
		return u.pages.Handle(withForm(s.serveOpen))
	case path == DevelopersPath:
		return u.pages.Handle(s.serveDevelopers)
	case path == TextsPath:
		return u.pages.Handle(s.serveTexts)
	case path == "/browse", strings.HasPrefix(path, browsePath):
		return u.pages.Handle(s.serveBrowse)
	case path == homePath:
		return u.pages.Handle(s.serveHome)
	case path == sessionsPath:
		return u.pages.Handle(withForm(s.serveSessions))
	case path == SignOutPath:
		return u.pages.Handle(withForm(s.serveSignOut))
	case strings.HasPrefix(path, clients.LogoPath):
		return u.pages.Handle(s.serveLogo)
	case strings.HasPrefix(path, pages.Path):
		return u.pages.Handler()
	}
	for at, p := range u.providers {
		if strings.HasPrefix(path, at) {
			return p.Handler()
		}
	}
	return nil
}

// withForm refuses methods other than those of a page and of its form.
func withForm(page func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodPost:
			return page(w, r)
		}
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD, POST"}
	}
}

// maxHeader is how many bytes the headers of a request may have (SMART-484).
const maxHeader = 16 << 10

// requestTime is how long a request may take by default: a store that does not answer in that time is like one that is down.
const requestTime = 10 * time.Second

// ServeHTTP answers requests for the paths that the server owns.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Request-Id", id)
	r.Header.Set(referenceHeader, id)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if size(r.Header) > maxHeader {
		s.refused(endpointOf(r.URL.Path), longHeaders)
		s.answers.WriteError(w, &oauth.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Code: oauth.InvalidRequest, Description: "The headers are longer than 16 KB."})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), cmp.Or(s.cfg.Deadline, requestTime))
	defer cancel()
	r = r.WithContext(ctx)
	if page := s.page(r.URL.Path); page != nil {
		page.ServeHTTP(w, r)
		return
	}
	requested := method
	if method == http.MethodOptions {
		requested = r.Header.Get("Access-Control-Request-Method")
	}
	route := cors.Route{Pages: s.endpoints[requested+" "+r.URL.Path].pages, Methods: requested, Sends: pagesSend, Reads: pagesRead}
	s.CORS.Permit(w.Header(), r, route)
	if s.CORS.Preflight(w, r, route) {
		return
	}
	e, ok := s.endpoints[method+" "+r.URL.Path]
	if !ok {
		s.missing(w, r)
		return
	}
	e.handle(w, r)
}

// missing answers 405 for a path that has another method, else 404.
func (s *Server) missing(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for pattern := range s.endpoints {
		if method, path, _ := strings.Cut(pattern, " "); path == r.URL.Path {
			allow = append(allow, method)
		}
	}
	if allow == nil {
		s.refused(endpointOf(r.URL.Path), string(pages.NotFound))
		s.answers.WriteError(w, &oauth.Error{Status: http.StatusNotFound, Code: oauth.InvalidRequest, Description: "There is no such endpoint."})
		return
	}
	s.refused(endpointOf(r.URL.Path), string(pages.MethodRefused))
	slices.Sort(allow)
	s.answers.WriteError(w, &oauth.Error{Status: http.StatusMethodNotAllowed, Code: oauth.InvalidRequest, Description: "The endpoint has another method.",
		Header: http.Header{"Allow": {strings.Join(allow, ", ")}}})
}

func size(h http.Header) (n int) {
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

// requestID returns a new request id.
func requestID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// address returns the network address of a client, without the port.
func address(r *http.Request) string {
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 {
		return r.RemoteAddr[:i]
	}
	return r.RemoteAddr
}
