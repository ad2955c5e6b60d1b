// Package cors decides which web pages of other origins may call which endpoint and read its answer (SMART-470 to 474, REST-021). It is the
// only place that writes Access-Control headers. It never permits credentials: a page sends its token itself, and a cookie of ours has no
// effect on an endpoint.
package cors

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
)

// Pages are the web pages that may call an endpoint.
type Pages int

const (
	None       Pages = iota // of our own origin alone (SMART-474)
	Any                     // of any origin: public documents (SMART-471)
	Registered              // of origins that a client has registered, or that the settings name (SMART-472)
)

// Route is what the pages of an endpoint may do.
type Route struct {
	Pages   Pages
	Methods string // of the path, separated by ", "
	Sends   string // request headers, separated by ", "
	Reads   string // headers of the answer, separated by ", "
}

// Rules are the registered origins. nil and the zero Rules have none. They are safe for concurrent use.
type Rules struct {
	// Settings are origins of the settings, such as https://app.example, whose pages may call for every client.
	Settings []string
	// Clients reports whether pages of an origin may call for a client, because it has registered the origin; an empty client is any
	// active one. nil: no client has one.
	Clients func(ctx context.Context, origin, client string) (bool, error)
	Log     *slog.Logger // of failures of Clients; nil logs nothing
}

// allows reports whether pages of an origin may call for a client. If the registry of clients does not answer, only those of the settings may.
func (c *Rules) allows(r *http.Request, origin, client string) bool {
	if c == nil || origin == "" || origin == "null" {
		return false
	}
	if slices.Contains(c.Settings, origin) {
		return true
	}
	if c.Clients == nil {
		return false
	}
	allowed, err := c.Clients(r.Context(), origin, client)
	if err != nil && c.Log != nil {
		c.Log.Warn("the origins of clients cannot be read", "error", err)
	}
	return allowed && err == nil
}

// Permit writes the headers for the page of a request, before its client is known: any active client counts.
func (c *Rules) Permit(h http.Header, r *http.Request, route Route) {
	origin := r.Header.Get("Origin")
	switch {
	case route.Pages == Any:
		h.Set("Access-Control-Allow-Origin", "*")
	case route.Pages == None:
		return
	default:
		h.Add("Vary", "Origin") // also without an Origin: a kept answer has no permission for a page that asks later
		if !c.allows(r, origin, "") {
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if origin != "" && route.Reads != "" {
		h.Set("Access-Control-Expose-Headers", route.Reads)
	}
}

// Preflight answers a request for which Permit was called, and returns true, if it is the preflight of a page that may call. Other
// requests with the method OPTIONS are left to the caller, which has no such method.
func (c *Rules) Preflight(w http.ResponseWriter, r *http.Request, route Route) bool {
	h := w.Header()
	if r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" || h.Get("Access-Control-Allow-Origin") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", route.Methods)
	h.Set("Access-Control-Allow-Headers", route.Sends)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// Keep takes the permission to read an answer from pages of an origin that the client of the request has not registered. Answers that
// say that there is no client, that there are too many requests, or that the server is not available keep it, and so do those of a
// request without a client (SMART-472).
func (c *Rules) Keep(h http.Header, r *http.Request, client string, status int) {
	origin := h.Get("Access-Control-Allow-Origin")
	if origin == "" || origin == "*" || client == "" {
		return
	}
	switch status {
	case http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return
	}
	if !c.allows(r, origin, client) {
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Expose-Headers")
	}
}
