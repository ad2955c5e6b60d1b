package pages_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/interop/pages"
	"carerecord/store"
)

// TestHeaders: the headers of a page, with the scheme of an app on the device (SMART-166).
func TestHeaders(t *testing.T) {
	p, _ := renderer(t, true)
	for scheme, action := range map[string]string{"": "form-action 'self'", "com.example.app:": "form-action 'self' com.example.app:"} {
		h := render(t, p, "en", pages.SignedOut{}, pages.Options{FormScheme: scheme}).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; " + action,
			"X-Frame-Options":         "DENY", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Access-Control-Allow-Origin": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("SMART-166: %s: got %q, want %q", name, got, want)
			}
		}
	}
	for _, scheme := range []string{"https:", "http:", "javascript:", "com.example.app", "com.example.app: *", "*", "com.example.app:; script-src *", "com.example.app:\r\nX: y", "https://app.example", "Com.Example:"} {
		err := p.Render(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), http.StatusOK, pages.SignedOut{}, pages.Options{FormScheme: scheme})
		if err == nil {
			t.Errorf("SMART-166: the scheme %q is written into the policy", scheme)
		}
	}
}

// TestCheck: a post is accepted with the CSRF value of its session and transaction, from our own origin, and refused with
// 403 otherwise.
func TestCheck(t *testing.T) {
	p, _ := renderer(t, true)
	value := func(binding, transaction string) string {
		d := parse(t, render(t, p, "en", pages.RoleChoice{Action: "/a"}, pages.Options{Binding: binding, Transaction: transaction}).Body.String())
		for _, n := range d.all("input") {
			if attribute(n, "name") == "csrf" {
				return attribute(n, "value")
			}
		}
		t.Fatal("the page has no CSRF value")
		return ""
	}
	right := value("session", "transaction")
	own := http.Header{"Origin": {origin}}
	for name, c := range map[string]struct {
		csrf   []string
		header http.Header
		ok     bool
	}{
		"own origin":                   {[]string{right}, own, true},
		"own site":                     {[]string{right}, http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
		"own origin and site":          {[]string{right}, http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"same-origin"}}, true},
		"neither header":               {[]string{right}, http.Header{}, false},
		"origin null":                  {[]string{right}, http.Header{"Origin": {"null"}}, false},
		"origin null from our site":    {[]string{right}, http.Header{"Origin": {"null"}, "Sec-Fetch-Site": {"same-origin"}}, false},
		"another origin":               {[]string{right}, http.Header{"Origin": {"https://evil.example"}}, false},
		"our name with another scheme": {[]string{right}, http.Header{"Origin": {"http://record.example"}}, false},
		"a longer name":                {[]string{right}, http.Header{"Origin": {origin + ".evil.example"}}, false},
		"two origins":                  {[]string{right}, http.Header{"Origin": {origin, "https://evil.example"}}, false},
		"another site":                 {[]string{right}, http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}}, false},
		"a sub-domain":                 {[]string{right}, http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		"typed by the user":            {[]string{right}, http.Header{"Sec-Fetch-Site": {"none"}}, false},
		"no value":                     {nil, own, false},
		"an empty value":               {[]string{""}, own, false},
		"two values":                   {[]string{right, right}, own, false},
		"of another session":           {[]string{value("other", "transaction")}, own, false},
		"of another transaction":       {[]string{value("session", "other")}, own, false},
		"of no session":                {[]string{value("", "transaction")}, own, false},
		"of the pieces moved":          {[]string{value("sessiontransaction", "")}, own, false},
	} {
		r := post("/a", url.Values{"csrf": c.csrf})
		for name, values := range c.header {
			r.Header[name] = values
		}
		err := p.Check(r, "session", "transaction")
		var f *pages.Failure
		if c.ok != (err == nil) || err != nil && (!errors.As(err, &f) || f.Kind != pages.Forbidden || f.Kind.Status() != http.StatusForbidden) {
			t.Errorf("%s: got %v, want accepted: %v", name, err, c.ok)
		}
	}
	unbound := post("/a", url.Values{"csrf": {value("", "")}})
	unbound.Header.Set("Origin", origin)
	if p.Check(unbound, "", "") == nil {
		t.Error("a form of no session and no browser is accepted")
	}
	large := post("/a", url.Values{"csrf": {right}, "a": {strings.Repeat("a", 64<<10)}})
	large.Header.Set("Origin", origin)
	if err := p.Check(large, "session", "transaction"); err == nil {
		t.Error("a body of more than 64 KB is accepted")
	}
	r := httptest.NewRequest(http.MethodPost, origin+"/a?csrf="+right, strings.NewReader(""))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	if p.Check(r, "session", "transaction") == nil {
		t.Error("a CSRF value in the query is accepted")
	}
}

// TestHandle: an error becomes a page with the status of its kind and a reference number, and the cause is in the log
// alone; a panic and an error of another type are internal.
func TestHandle(t *testing.T) {
	for name, c := range map[string]struct {
		handler func(http.ResponseWriter, *http.Request) error
		status  int
		header  string
	}{
		"a failure": {func(http.ResponseWriter, *http.Request) error {
			return pages.Fail(pages.Forbidden, errors.New("secret cause"))
		}, http.StatusForbidden, ""},
		"another error": {func(http.ResponseWriter, *http.Request) error { return errors.New("secret cause") }, http.StatusInternalServerError, ""},
		"a store that is down": {func(http.ResponseWriter, *http.Request) error {
			return fmt.Errorf("secret cause: %w", store.ErrUnavailable)
		}, http.StatusServiceUnavailable, ""},
		"a panic": {func(http.ResponseWriter, *http.Request) error { panic("secret cause") }, http.StatusInternalServerError, ""},
		"too many": {func(http.ResponseWriter, *http.Request) error {
			return &pages.Failure{Kind: pages.TooMany, RetryAfter: 1500 * time.Millisecond, Err: errors.New("secret cause")}
		}, http.StatusTooManyRequests, "2"},
		"an unknown one": {func(http.ResponseWriter, *http.Request) error {
			return &pages.Failure{Kind: pages.InternalFailed, Err: errors.New("secret cause")}
		}, http.StatusInternalServerError, ""},
	} {
		p, logged := renderer(t, false)
		w := httptest.NewRecorder()
		p.Handle(c.handler).ServeHTTP(w, httptest.NewRequest(http.MethodGet, origin+"/a", nil))
		if w.Code != c.status || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "REF-1") || w.Header().Get("Retry-After") != c.header {
			t.Errorf("%s: got %d, Retry-After %q\n%s", name, w.Code, w.Header().Get("Retry-After"), w.Body)
		}
		if len(*logged) != 1 || !strings.Contains((*logged)[0].Error(), "secret cause") {
			t.Errorf("%s: logged %v", name, *logged)
		}
	}
	p, _ := renderer(t, false)
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("an aborted answer: got the panic %v", v)
		}
	}()
	p.Handle(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin+"/a", nil))
}

// TestAssets: the style has a name by its content and is kept for a year; other paths give a page.
func TestAssets(t *testing.T) {
	p, _ := renderer(t, true)
	d := parse(t, render(t, p, "en", pages.SignedOut{}, pages.Options{}).Body.String())
	path := attribute(d.all("link")[0], "href")
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, origin+path, nil))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || !digest.MatchString(path) {
		t.Errorf("%s: got %d with %v", path, w.Code, w.Header())
	}
	for _, path := range []string{"/pages/", "/pages/assets/pages.css", "/pages/assets/pages.0000000000000000.css", "/pages/templates/layout.html"} {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, origin+path, nil))
		if w.Code != http.StatusNotFound || w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: got %d, want the page for 404", path, w.Code)
		}
	}
}

// TestConfig: a Renderer needs an origin alone, not a URL with a path.
func TestConfig(t *testing.T) {
	none := func(*http.Request) string { return "" }
	browser := func(http.ResponseWriter, *http.Request) string { return "" }
	for _, bad := range []string{"", "record.example", "https://record.example/", "https://record.example/fhir", "https://a@record.example", "https://record.example?a"} {
		if _, err := pages.New(pages.Config{Origin: bad, Digests: digester(t), Browser: browser, Reference: none}); err == nil {
			t.Errorf("the origin %q is accepted", bad)
		}
	}
	if _, err := pages.New(pages.Config{Origin: origin, Digests: digester(t)}); err == nil {
		t.Error("a Renderer without functions is made")
	}
	if _, err := pages.New(pages.Config{Origin: origin, Browser: browser, Reference: none}); err == nil {
		t.Error("a Renderer without a key of digests is made")
	}
}
