package smart

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"carerecord/consent"
	"carerecord/fhir/r4"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/idtoken"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/session"
)

// DevelopersPath is the path of the page for those who connect an app or a system (SMART-010). Errors of OAuth endpoints refer to it.
const DevelopersPath = "/developers"

// TextsPath is the path of the page with all texts of the pages (SMART-224).
const TextsPath = DevelopersPath + "/texts"

// launchPath is the path of the launch API.
const launchPath = "/oauth/launch"

// serveDevelopers answers the page for developers. It needs no sign-in, and tells what the server does from the tables that it works
// with.
func (s *Server) serveDevelopers(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD"}
	}
	lives := grants.DefaultLives()
	page := pages.Developers{Configuration: "/fhir/.well-known/smart-configuration", Capabilities: s.capabilities(), Scopes: s.examples(), Base: s.cfg.Site + "/fhir",
		Errors: oauth.Codes(), Outcomes: consent.Codes(), Texts: TextsPath}
	for _, a := range s.documents.Addresses {
		page.Addresses = append(page.Addresses, pages.DeveloperValue{Name: a.Name, Value: a.URL})
	}
	if _, ok := s.endpoints["POST "+launchPath]; ok {
		page.Launch = s.cfg.Site + launchPath
	}
	for _, typ := range r4.Resources() {
		if names := s.cfg.Capabilities.Parameters(typ); len(names) > 0 {
			page.Parameters = append(page.Parameters, pages.TypeParameters{Type: typ, Names: names})
		}
	}
	for _, l := range []struct {
		name string
		life time.Duration
	}{
		{"access", lives.Access}, {"backend", lives.Backend}, {"code", lives.Code}, {"transaction", authorize.Life}, {"launch", launch.Life}, {"id-token", idtoken.Life},
		{"offline-unused", lives.OfflineUnused}, {"offline-total", lives.OfflineTotal}, {"session-idle", session.MaxIdle}, {"session-total", session.MaxTotal},
	} {
		page.Lives = append(page.Lives, pages.DeveloperValue{Name: l.name, Value: span(l.life)})
	}
	for _, l := range []struct {
		name  string
		value int
	}{
		{"body", oauth.MaxBody}, {"parameters", oauth.MaxParameters}, {"headers", maxHeader}, {"scope", scopes.MaxBytes}, {"scopes", scopes.MaxTokens}, {"failures", s.cfg.Failures},
	} {
		page.Limits = append(page.Limits, pages.DeveloperValue{Name: l.name, Value: strconv.Itoa(l.value)})
	}
	return s.users.pages.Render(w, r, http.StatusOK, page, pages.Options{})
}

// serveTexts answers the page with all texts of the pages, from the catalogue that they are rendered with.
func (s *Server) serveTexts(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, HEAD"}
	}
	return s.users.pages.Render(w, r, http.StatusOK, s.users.pages.Texts(), pages.Options{})
}

// span writes a duration with the symbol of its largest whole unit: s, min, h or d.
func span(d time.Duration) string {
	for _, unit := range []struct {
		long   time.Duration
		symbol string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= unit.long && d%unit.long == 0 {
			return fmt.Sprintf("%d %s", d/unit.long, unit.symbol)
		}
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
