package pages_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"carerecord/interop/pages"
	"carerecord/interop/smart/secret"
)

const (
	origin  = "https://record.example"
	browser = "binding-of-the-browser"
)

func digester(t *testing.T) secret.Digester {
	t.Helper()
	d, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// renderer returns a Renderer, and the errors that it logs.
func renderer(t *testing.T, demonstration bool) (*pages.Renderer, *[]error) {
	t.Helper()
	var logged []error
	p, err := pages.New(pages.Config{
		Origin: origin, Digests: digester(t), Demonstration: demonstration,
		Browser:   func(http.ResponseWriter, *http.Request) string { return browser },
		Reference: func(*http.Request) string { return "REF-1" },
		Log:       func(_ *http.Request, _ string, err error) { logged = append(logged, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, &logged
}

// render returns the answer with a page, for a reader of a language.
func render(t *testing.T, p *pages.Renderer, language string, page pages.Page, o pages.Options) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin+"/oauth/authorize", nil)
	r.Header.Set("Accept-Language", language)
	if err := p.Render(w, r, http.StatusOK, page, o); err != nil {
		t.Fatal(err)
	}
	return w
}
