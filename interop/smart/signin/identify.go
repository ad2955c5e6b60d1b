package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"carerecord/interop/smart/oauth"
)

// identify exchanges the code of an answer and verifies what the issuer returns. Tokens of the issuer are in memory only
// while it runs (SMART-186).
func (u *Upstream) identify(r *http.Request, i *issuer, l leg, a answer) (*Identity, error) {
	provider, err := i.discovered(r.Context())
	if err != nil {
		return nil, u.failed(Down, l, err)
	}
	if a.issuer != "" && a.issuer != i.Issuer.Issuer || a.issuer == "" && provider.sendsIssuer {
		return nil, u.failed(WrongIssuer, l, errors.New("the answer does not name the issuer"))
	}
	if a.err != "" {
		reason := Refused
		if a.err == "server_error" || a.err == "temporarily_unavailable" {
			reason = Down
		}
		return nil, u.failed(reason, l, fmt.Errorf("the issuer answers %s", codeOf(a.err)))
	}
	if a.code == "" {
		return nil, u.failed(Invalid, l, errors.New("the answer has neither a code nor an error"))
	}
	token, raw, err := u.exchange(r.Context(), i, provider, a)
	if err != nil {
		return nil, u.failed(reasonOf(err), l, err)
	}
	verified, err := u.verify(r.Context(), i, provider, raw, token.AccessToken, u.nonce(a.state), l)
	if err != nil {
		return nil, u.failed(reasonOf(err), l, err)
	}
	id, err := i.identity(verified)
	if err != nil {
		return nil, u.failed(TooWeak, l, err)
	}
	if id.Claims, err = i.claims(r.Context(), provider, verified, token.AccessToken); err != nil {
		return nil, u.failed(reasonOf(err), l, err)
	}
	return id, nil
}

// exchange sends the code with the PKCE verifier and an assertion, and returns the token and the ID token in it.
func (u *Upstream) exchange(ctx context.Context, i *issuer, p *provider, a answer) (*oauth2.Token, string, error) {
	assertion, err := i.assertion(p.Endpoint().TokenURL)
	if err != nil {
		return nil, "", err
	}
	token, err := u.client(i, p).Exchange(oidc.ClientContext(ctx, i.http), a.code, oauth2.VerifierOption(u.verifier(a.state)),
		oauth2.SetAuthURLParam("client_assertion_type", assertionType), oauth2.SetAuthURLParam("client_assertion", assertion))
	if err != nil {
		return nil, "", fmt.Errorf("exchange code: %w", withoutBody(err))
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, "", errors.New("the token answer has no ID token")
	}
	return token, raw, nil
}

// unreachable is an error of a request that got no usable answer, so that the person may try again.
type unreachable struct{ error }

func (e unreachable) Unwrap() error { return e.error }

// reasonOf tells an issuer that is down from one that refuses.
func reasonOf(err error) Reason {
	var e unreachable
	if errors.As(err, &e) || errors.Is(err, errDown) {
		return Down
	}
	return Invalid
}

// withoutBody returns an error of an HTTP request without the body of the answer, which may hold a token, and without the
// address of the request.
func withoutBody(err error) error {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) && answer.Response != nil {
		text := fmt.Errorf("status %d, error %q", answer.Response.StatusCode, printable(answer.ErrorCode))
		if answer.Response.StatusCode >= http.StatusInternalServerError {
			return unreachable{text}
		}
		return text
	}
	var already unreachable
	if errors.As(err, &already) {
		return already
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		return unreachable{transport.Err}
	}
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return errors.New("the discovery document names another issuer")
	}
	return errors.New("the answer cannot be read")
}

// codeOf names the error code of an answer in the log: one of the standards, since anything else of a query may be a value (SMART-495).
func codeOf(text string) string {
	if !slices.Contains(oauth.Codes(), text) {
		return "an error that no standard has"
	}
	return text
}

// printable returns the start of a text from outside, in printable ASCII letters, for a log.
func printable(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
