package rest

import (
	"net/http"
	"strings"

	"carerecord/fhir/cors"
)

// The headers that pages of registered origins may send and read (REST-021, SMART-473).
const (
	corsSends = "Authorization, Content-Type, Accept, Prefer, If-Match, If-None-Match, If-None-Exist, If-Modified-Since, X-Request-Id, X-Security-Context, traceparent"
	corsReads = "ETag, Location, Content-Location, Content-Disposition, Last-Modified, Retry-After, X-Progress, X-Request-Id, X-Security-Context, WWW-Authenticate"
)

// metadataPath is the path of the CapabilityStatement, which pages of any origin may read (SMART-471).
const metadataPath = basePath + "/metadata"

// cors adds the headers for pages of other origins. It reports whether the request was a preflight, which it answers. The token of a
// request is not known yet: write looks at its client.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if r.Header.Get("Origin") == "" {
		return false
	}
	route := cors.Route{Pages: cors.Registered, Sends: corsSends, Reads: corsReads}
	if r.URL.Path == metadataPath {
		route.Pages = cors.Any
	}
	if r.Method == http.MethodOptions {
		_, _, route.Methods, _ = s.dispatcher.find("", strings.TrimPrefix(r.URL.Path, basePath))
	}
	s.cfg.CORS.Permit(w.Header(), r, route)
	return !HasLeakedToken(r) && s.cfg.CORS.Preflight(w, r, route)
}
