package pages

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	xlanguage "golang.org/x/text/language"

	"carerecord/interop/smart/secret"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Config has the dependencies of a Renderer.
type Config struct {
	// Origin is the scheme, host and port of the server as browsers see it, for example https://record.example. Posts
	// from other origins are refused.
	Origin  string
	Digests secret.Digester
	// Demonstration marks each page, and allows texts that nobody reviewed.
	Demonstration bool
	// Browser returns the binding of the browser that sent a request, or "", and may send it a cookie for it
	// (session.Sessions.Browser). The form for the language is bound to it.
	Browser func(http.ResponseWriter, *http.Request) string
	// Reference returns the number of a request, which error pages show and Log writes.
	Reference func(*http.Request) string
	// Log writes an error that a page does not explain. May be nil.
	Log func(r *http.Request, reference string, err error)
	// Refused is called with the error of a page before it becomes an error page, and returns the error to answer. May be nil.
	Refused func(r *http.Request, err error) error
}

// Renderer renders pages. It never changes after New and is safe for concurrent use.
type Renderer struct {
	cfg       Config
	languages []language // those that are served; the first is the source of the texts
	matcher   xlanguage.Matcher
	templates map[templateKey]*template.Template
	styles    asset
}

type templateKey struct{ language, page string }

// New returns a Renderer. It returns an error for a catalogue with a missing or wrong text and for an origin that is not
// one; both are mistakes of the program or its configuration.
func New(cfg Config) (*Renderer, error) {
	if u, err := url.Parse(cfg.Origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != cfg.Origin {
		return nil, fmt.Errorf("origin %q of the pages: want scheme, host and port alone", cfg.Origin)
	}
	if cfg.Reference == nil || cfg.Browser == nil || cfg.Digests.Of("") == (secret.Digester{}).Of("") {
		return nil, errors.New("pages need the functions Reference and Browser, and a key of digests")
	}
	all, err := readCatalogues()
	if err != nil {
		return nil, err
	}
	p := &Renderer{cfg: cfg, templates: map[templateKey]*template.Template{}, styles: newAsset("pages.css", "text/css; charset=utf-8", styleSheet)}
	for _, l := range all {
		if !cfg.Demonstration && !l.reviewed() {
			continue
		}
		p.languages = append(p.languages, l)
		layout, err := template.New("layout.html").Funcs(l.functions()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
		if err != nil {
			return nil, fmt.Errorf("read layout: %w", err)
		}
		for _, name := range pageNames {
			page, err := template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html")
			if err != nil {
				return nil, fmt.Errorf("read page %s: %w", name, err)
			}
			p.templates[templateKey{l.Language, name}] = page
		}
	}
	p.matcher = matcher(p.languages)
	return p, nil
}

// Demonstration reports whether the pages are marked as those of a demonstration.
func (p *Renderer) Demonstration() bool { return p.cfg.Demonstration }

// Options are the parts of a page that do not depend on its type.
type Options struct {
	// Binding is that of the session, or of the browser before the sign-in. With Transaction it decides the CSRF value
	// of the forms, which Check expects. A page with a form needs it.
	Binding     string
	Transaction string // id; also a field of each form, unless empty
	// FormScheme is the scheme, with a colon, of an app on the device to which the server redirects after a post of this page. Empty
	// for none.
	FormScheme string
	Account    string // name of the person who is signed in, shown with the button for the sign-out
	SignOut    string // path that the button posts to; empty: no button
	// Logo is the path of the image of the app that the page is about, and App the name beside it; empty for none.
	Logo, App string
}

// view is the data of the layout. Page is the data of the page itself.
type view struct {
	Options
	Page          Page
	Lang          string
	Others        []language // languages to choose from
	LanguagePath  string
	LanguageCSRF  string
	CSRF          string
	Style         string
	Demonstration bool
	Problems      []problem
}

// problem is a line of the error summary: a text, and the id of the field that it is about.
type problem struct{ Text, Field string }

// Render writes a page. Nothing is written if the error is not nil, except when the client has gone away.
func (p *Renderer) Render(w http.ResponseWriter, r *http.Request, status int, page Page, o Options) error {
	l := p.languageOf(r)
	v := view{Options: o, Page: page, Lang: l.Language, LanguagePath: LanguagePath, Style: p.styles.path, Demonstration: p.cfg.Demonstration,
		CSRF: p.csrf(o.Binding, o.Transaction), LanguageCSRF: p.csrf(p.cfg.Browser(w, r), languageForm), Problems: page.problems()}
	for _, other := range p.languages {
		if other.Language != l.Language {
			v.Others = append(v.Others, other)
		}
	}
	if !formScheme.MatchString(o.FormScheme) {
		return fmt.Errorf("%q is no private scheme", o.FormScheme)
	}
	if choice, ok := page.(PatientChoice); ok && len(choice.People) > MaxCandidates {
		return fmt.Errorf("a choice of %d patients is longer than %d", len(choice.People), MaxCandidates)
	}
	var b bytes.Buffer
	if err := p.templates[templateKey{l.Language, page.name()}].ExecuteTemplate(&b, "layout.html", v); err != nil {
		return fmt.Errorf("render page %s: %w", page.name(), err)
	}
	setHeaders(w.Header(), o.FormScheme)
	w.Header().Set("Content-Language", l.Language)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}
