package pages

import (
	"errors"
	"net/http"
	"net/url"

	xlanguage "golang.org/x/text/language"
)

// languageCookie keeps the choice of the language. It names a language and nothing else.
const languageCookie = "carerecord-language"

// languageForm stands for the transaction in the CSRF value of the form for the language.
const languageForm = "language"

// languageOf returns the language of a request: the choice in the cookie, else the best of Accept-Language, else the
// first. No parameter changes it.
func (p *Renderer) languageOf(r *http.Request) language {
	if c, err := r.Cookie(languageCookie); err == nil {
		if l, ok := p.served(c.Value); ok {
			return l
		}
	}
	accepted, _, err := xlanguage.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(accepted) == 0 {
		return p.languages[0]
	}
	_, i, confidence := p.matcher.Match(accepted...)
	if confidence == xlanguage.No {
		return p.languages[0]
	}
	return p.languages[i]
}

// matcher returns the matcher of the served languages.
func matcher(served []language) xlanguage.Matcher {
	var tags []xlanguage.Tag
	for _, l := range served {
		tags = append(tags, xlanguage.Make(l.Language))
	}
	return xlanguage.NewMatcher(tags)
}

func (p *Renderer) served(name string) (language, bool) {
	for _, l := range p.languages {
		if l.Language == name {
			return l, true
		}
	}
	return language{}, false
}

// chooseLanguage sets the cookie and sends the browser back to the page that it came from, which the browser itself says
// in the header Referer; a path of this origin alone counts, else the answer is the page at /. There is no parameter for
// it (SMART-165).
func (p *Renderer) chooseLanguage(w http.ResponseWriter, r *http.Request) error {
	if err := p.Check(r, p.cfg.Browser(w, r), languageForm); err != nil {
		return err
	}
	l, ok := p.served(r.PostForm.Get("language"))
	if !ok {
		return Fail(BadRequest, errors.New("a language that is not served"))
	}
	u, err := url.Parse(p.cfg.Origin)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: l.Language, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		Secure: u.Scheme == "https", SameSite: http.SameSiteLaxMode})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", p.origin(r.Header.Get("Referer")))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// origin returns the path and query of a URL of our own origin, or "/" for any other.
func (p *Renderer) origin(referer string) string {
	u, err := url.Parse(referer)
	if err != nil || u.Scheme+"://"+u.Host != p.cfg.Origin || u.User != nil {
		return "/"
	}
	return p.cfg.Origin + u.RequestURI()
}
