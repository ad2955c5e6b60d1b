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

// origins says which web pages may call an endpoint (section 22).
type origins int

const (
	noOrigin         origins = iota // none (SMART-474)
	anyOrigin                       // any: public documents (SMART-471)
	registeredOrigin                // those of active clients (SMART-472)
)

// endpoint is one path of the server.
type endpoint struct {
	handle  http.HandlerFunc
	origins origins
}

func (s *Server) newEndpoints(t *token.Endpoint, i *introspect.Endpoint, r *revoke.Endpoint) map[string]endpoint {
	serve := s.answers.Serve
	d := s.documents
	all := map[string]endpoint{
		"GET /fhir/.well-known/smart-configuration": {d.SMART, anyOrigin},
		"POST /oauth/token":                         {serve(t.Serve), registeredOrigin},
		"POST /oauth/revoke":                        {serve(r.Serve), registeredOrigin},
		"POST /oauth/introspect":                    {serve(i.Serve), noOrigin},
	}
	if s.users != nil { // these describe and serve people who sign in
		if s.cfg.Capabilities.Has(capabilities.SignOn) {
			all["GET /oauth/jwks.json"] = endpoint{d.Keys, anyOrigin}
			for _, path := range []string{"/fhir/.well-known/openid-configuration", "/fhir/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/fhir"} {
				all["GET "+path] = endpoint{d.OpenID, anyOrigin}
			}
		}
		for path := range s.users.providers {
			all["POST "+signin.LogoutPath+strings.TrimPrefix(path, idp.Path)] = endpoint{serve(s.serveLogout), noOrigin}
		}
		if s.cfg.Capabilities.Has(capabilities.LaunchEHR) {
			all["POST "+launchPath] = endpoint{serve(s.users.launches.Serve), noOrigin}
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
		return u.pages.Handle(s.serveApps)
	case path == openPath, strings.HasPrefix(path, openPath+"/"):
		return u.pages.Handle(s.serveOpen)
	case path == DevelopersPath:
		return u.pages.Handle(s.serveDevelopers)
	case path == TextsPath:
		return u.pages.Handle(s.serveTexts)
	case path == "/browse", strings.HasPrefix(path, browsePath):
		return u.pages.Handle(s.serveBrowse)
	case path == homePath:
		return u.pages.Handle(s.serveHome)
	case path == sessionsPath:
		return u.pages.Handle(s.serveSessions)
	case path == SignOutPath:
		return u.pages.Handle(s.serveSignOut)
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
	if r.Method == http.MethodOptions && s.preflight(w, r) {
		return
	}
	e, ok := s.endpoints[method+" "+r.URL.Path]
	if !ok {
		s.missing(w, r)
		return
	}
	if e.origins == registeredOrigin {
		if err := s.allowOrigin(w, r); err != nil {
			s.answers.WriteError(w, oauth.Unavailable(err))
			return
		}
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
		s.answers.WriteError(w, &oauth.Error{Status: http.StatusNotFound, Code: oauth.InvalidRequest, Description: "There is no such endpoint."})
		return
	}
	slices.Sort(allow)
	s.answers.WriteError(w, &oauth.Error{Status: http.StatusMethodNotAllowed, Code: oauth.InvalidRequest, Description: "The endpoint has another method.",
		Header: http.Header{"Allow": {strings.Join(allow, ", ")}}})
}

// preflight answers a CORS preflight of an endpoint that web pages may call.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) bool {
	method := r.Header.Get("Access-Control-Request-Method")
	e, ok := s.endpoints[method+" "+r.URL.Path]
	if !ok || e.origins == noOrigin || r.Header.Get("Origin") == "" {
		return false
	}
	h := w.Header()
	if e.origins == anyOrigin {
		h.Set("Access-Control-Allow-Origin", "*")
	} else if err := s.allowOrigin(w, r); err != nil {
		s.answers.WriteError(w, oauth.Unavailable(err))
		return true
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, X-Request-Id, traceparent")
		h.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowOrigin adds the CORS headers for a page of a registered origin (SMART-472).
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) error {
	origin := r.Header.Get("Origin")
	w.Header().Add("Vary", "Origin")
	if origin == "" || origin == "null" {
		return nil
	}
	allowed, err := s.Clients.AllowsOrigin(r.Context(), origin, "")
	if allowed {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id, WWW-Authenticate")
	}
	return err
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
