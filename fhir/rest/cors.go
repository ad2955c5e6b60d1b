package rest

import (
	"net/http"
	"slices"
	"strings"
)

// The headers that pages of registered origins may send and read (REST-021, SMART-473).
const (
	corsSends = "Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, If-None-Exist, If-Modified-Since, X-Request-Id, X-Security-Context, traceparent"
	corsReads = "ETag, Location, Content-Location, Content-Disposition, Last-Modified, Retry-After, X-Progress, X-Request-Id, X-Security-Context, WWW-Authenticate"
)

// metadataPath is the path of the CapabilityStatement, which pages of any origin may read (SMART-471).
const metadataPath = basePath + "/metadata"

// allows reports whether pages of an origin may call for a client; for an empty one, for any active client. If the registry of clients does not answer,
// only those of the settings may.
func (s *Server) allows(r *http.Request, origin, client string) bool {
	if slices.Contains(s.cfg.Origins, origin) {
		return true
	}
	if s.cfg.AllowsOrigin == nil {
		return false
	}
	allowed, err := s.cfg.AllowsOrigin(r.Context(), origin, client)
	if err != nil {
		s.cfg.Log.Warn("the origins of clients cannot be read", "error", err)
	}
	return allowed && err == nil
}

// cors adds the headers for pages of registered origins; other origins get none. It reports whether the
// request was a preflight, which it answers. The token of a request is not known yet: keepOrigin looks at its client.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin, h := r.Header.Get("Origin"), w.Header()
	switch {
	case origin == "":
		return false
	case r.URL.Path == metadataPath:
		h.Set("Access-Control-Allow-Origin", "*")
	case origin == "null" || !s.allows(r, origin, ""):
		return false
	default:
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
	}
	h.Set("Access-Control-Expose-Headers", corsReads)
	if r.Method != http.MethodOptions || HasLeakedToken(r) || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	_, _, methods, _ := s.dispatcher.find("", strings.TrimPrefix(r.URL.Path, basePath))
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", corsSends)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// keepOrigin takes the permission to read an answer from pages of an origin that the client of the token has not registered
// (SMART-472). Answers without a client, and those that say that there is none, that there are too many requests, or that the server is
// not available, may be read by pages of every registered origin.
func (s *Server) keepOrigin(h http.Header, c *call, a *answer) {
	origin := h.Get("Access-Control-Allow-Origin")
	if origin == "" || origin == "*" || c.caller.Client == "" {
		return
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return
	}
	if !s.allows(c.r, origin, c.caller.Client) {
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Expose-Headers")
	}
}
