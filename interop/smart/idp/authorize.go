package idp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"carerecord/interop/pages"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/signin"
)

// request is a valid authorization request.
type request struct{ redirect, state, nonce, challenge string }

// challenge matches a PKCE challenge of S256 (RFC 7636 section 4.2).
var challenge = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// refusal is an OAuth error code that the client learns by a redirect.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// read reads an authorization request from the query. A wrong client or redirect URI gives a page; another mistake gives
// a refusal with the request as far as the answer needs it.
func (p *Provider) read(r *http.Request) (request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, pages.Fail(pages.BadRequest, errors.New("the query cannot be read"))
	}
	for name, values := range query {
		if len(values) != 1 {
			return request{}, pages.Fail(pages.BadRequest, fmt.Errorf("a parameter is repeated: %q", name))
		}
	}
	if query.Get("client_id") != p.client || query.Get("redirect_uri") != p.redirect() {
		return request{}, pages.Fail(pages.BadRequest, errors.New("the client or its redirect URI is unknown"))
	}
	out := request{redirect: p.redirect(), state: query.Get("state"), nonce: query.Get("nonce"), challenge: query.Get("code_challenge")}
	switch {
	case query.Get("response_type") != "code":
		return out, refusal("unsupported_response_type")
	case !slices.Contains(strings.Split(query.Get("scope"), " "), "openid"):
		return out, refusal("invalid_scope")
	case out.state == "" || out.nonce == "" || query.Get("code_challenge_method") != "S256" || !challenge.MatchString(out.challenge):
		return out, refusal("invalid_request")
	case query.Get("prompt") == "none":
		return out, refusal("login_required")
	}
	return out, nil
}

func (p *Provider) redirect() string { return p.cfg.Origin + signin.CallbackPath + p.cfg.Name }

// options bind the form to the browser and to this one request.
func (p *Provider) options(w http.ResponseWriter, r *http.Request) pages.Options {
	return pages.Options{Binding: p.cfg.Browser(w, r), Transaction: p.cfg.Digests.Of("idp\x00" + r.URL.RawQuery)}
}

// authorize shows the people to pick from.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) error {
	req, err := p.read(r)
	var refused refusal
	if errors.As(err, &refused) {
		return p.send(w, req, url.Values{"error": {string(refused)}})
	}
	if err != nil {
		return err
	}
	return p.cfg.Pages.Render(w, r, http.StatusOK, p.page(r.URL.RequestURI(), false), p.options(w, r))
}

// choose receives the choice and sends the browser back with a code.
func (p *Provider) choose(w http.ResponseWriter, r *http.Request) error {
	req, err := p.read(r)
	if err != nil {
		return pages.Fail(pages.BadRequest, err)
	}
	options := p.options(w, r)
	if err := p.cfg.Pages.Check(r, options.Binding, options.Transaction); err != nil {
		return err
	}
	person, ok := p.person(r.PostForm.Get("person"))
	if !ok {
		return p.cfg.Pages.Render(w, r, http.StatusBadRequest, p.page(r.URL.RequestURI(), true), options)
	}
	code, now := secret.New(secret.Code), p.cfg.Clock().UTC()
	value, err := json.Marshal(issued{Subject: person.Subject, Nonce: req.nonce, Challenge: req.challenge, AuthTime: now})
	if err != nil {
		return fmt.Errorf("write code: %w", err)
	}
	if err := p.cfg.State.Insert(r.Context(), p.codeKey(code), value, now.Add(codeLife)); err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	return p.send(w, req, url.Values{"code": {code}})
}

// send sends the browser to the redirect URI, which is the registered one.
func (p *Provider) send(w http.ResponseWriter, req request, answer url.Values) error {
	answer.Set("iss", p.issuer)
	if req.state != "" {
		answer.Set("state", req.state)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("Location", req.redirect+"?"+answer.Encode())
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// issued is the State value of a code.
type issued struct {
	Subject   string    `json:"subject"`
	Nonce     string    `json:"nonce"`
	Challenge string    `json:"challenge"`
	AuthTime  time.Time `json:"authTime"`
}

func (p *Provider) codeKey(code string) string {
	return "idp/" + p.cfg.Name + "/code/" + p.cfg.Digests.Of(code)
}
