package cors_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"

	"carerecord/fhir/cors"
)

const own, settings, other = "https://own.test", "https://settings.test", "https://other.test"

func rules(err error) *cors.Rules {
	return &cors.Rules{Settings: []string{settings}, Clients: func(_ context.Context, origin, client string) (bool, error) {
		return origin == own && (client == "" || client == "a"), err
	}}
}

// TestPermit: which origin gets which header, before the client is known and after (SMART-470 to 472, 474).
func TestPermit(t *testing.T) {
	for name, c := range map[string]struct {
		rules  *cors.Rules
		pages  cors.Pages
		origin string
		client string
		status int
		want   string
	}{
		"a public document":                     {rules(nil), cors.Any, other, "a", 200, "*"},
		"no pages":                              {rules(nil), cors.None, own, "a", 200, ""},
		"the client's own origin":               {rules(nil), cors.Registered, own, "a", 200, own},
		"before a client is known":              {rules(nil), cors.Registered, own, "", 400, own},
		"another client's origin":               {rules(nil), cors.Registered, own, "b", 200, ""},
		"another client's, but no valid token":  {rules(nil), cors.Registered, own, "b", 401, own},
		"another client's, but too many":        {rules(nil), cors.Registered, own, "b", 429, own},
		"another client's, but unavailable":     {rules(nil), cors.Registered, own, "b", 503, own},
		"an origin of the settings":             {rules(nil), cors.Registered, settings, "b", 200, settings},
		"an unknown origin":                     {rules(nil), cors.Registered, other, "a", 200, ""},
		"an opaque origin":                      {rules(nil), cors.Registered, "null", "", 200, ""},
		"no origin":                             {rules(nil), cors.Registered, "", "a", 200, ""},
		"the registry does not answer":          {rules(errors.New("down")), cors.Registered, own, "", 503, ""},
		"the same with an origin of settings":   {rules(errors.New("down")), cors.Registered, settings, "", 503, settings},
		"a server without rules":                {nil, cors.Registered, own, "", 200, ""},
		"a public document of one without them": {nil, cors.Any, own, "", 200, "*"},
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		c.rules.Permit(w.Header(), r, cors.Route{Pages: c.pages, Reads: "ETag"})
		c.rules.Keep(w.Header(), r, c.client, c.status)
		h := w.Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != c.want || (h.Get("Access-Control-Expose-Headers") == "ETag") != (c.want != "") || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: got %v, want %q", name, h, c.want)
		}
		if varies := h.Get("Vary") == "Origin"; varies != (c.pages == cors.Registered) {
			t.Errorf("SMART-472: %s: Vary is %q", name, h.Get("Vary"))
		}
	}
}

// TestPreflight: only preflights of pages that may call are answered (SMART-472, 473).
func TestPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		method, origin, asks string
		want                 bool
	}{
		"a preflight":               {"OPTIONS", own, "PUT", true},
		"of an unknown origin":      {"OPTIONS", other, "PUT", false},
		"without an origin":         {"OPTIONS", "", "PUT", false},
		"without a method":          {"OPTIONS", own, "", false},
		"a request, no preflight":   {"PUT", own, "PUT", false},
		"an unknown opaque origin":  {"OPTIONS", "null", "PUT", false},
		"the settings' own origins": {"OPTIONS", settings, "PUT", true},
	} {
		r, w := httptest.NewRequest(c.method, "/", nil), httptest.NewRecorder()
		for header, v := range map[string]string{"Origin": c.origin, "Access-Control-Request-Method": c.asks} {
			if v != "" {
				r.Header.Set(header, v)
			}
		}
		route := cors.Route{Pages: cors.Registered, Methods: "GET, PUT", Sends: "Authorization"}
		rules(nil).Permit(w.Header(), r, route)
		got := rules(nil).Preflight(w, r, route)
		if got != c.want || c.want != (w.Code == 204 && w.Header().Get("Access-Control-Allow-Methods") == "GET, PUT" && w.Header().Get("Access-Control-Allow-Headers") == "Authorization") {
			t.Errorf("%s: answered is %v, status %d, %v", name, got, w.Code, w.Header())
		}
	}
}
