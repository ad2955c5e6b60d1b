package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/oauth"
)

// exchange answers grant_type=authorization_code (SMART-320). A failed attempt with a valid code uses the code
// up, and a second use of a code ends all tokens of the first (SMART-091, 114).
func (e *Endpoint) exchange(ctx context.Context, q *request) (*Response, error) {
	verifier := q.form.Get("code_verifier")
	if q.client.Kind == clients.Backend {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, "A backend client uses client_credentials.")
	}
	if !q.form.Has("code") || !q.form.Has("redirect_uri") {
		return nil, oauth.Refuse(oauth.InvalidRequest, "code and redirect_uri are required.")
	}
	code, err := e.Grants.ReadCode(ctx, q.form.Get("code"))
	if err != nil {
		return nil, grantError(err)
	}
	fail := func(why string, refusal error) (*Response, error) {
		if err := e.Grants.BurnCode(ctx, code, why, q.id, q.address); err != nil {
			return nil, oauth.Unavailable(err)
		}
		return nil, refusal
	}
	c := code.Content
	switch {
	case c.Used:
		return fail("the code was used a second time", invalidGrant(grants.ErrUsed))
	case c.Client != q.client.ID:
		return fail("the code was used by another client", invalidGrant(errors.New("a code of another client")))
	case !e.Grants.Ledger.Now().Before(c.Ends):
		return nil, invalidGrant(errors.New("a code that has expired"))
	case c.Redirect != q.form.Get("redirect_uri"):
		return fail("the redirect URI is another one", invalidGrant(errors.New("another redirect URI")))
	case strings.TrimSpace(verifier) == "":
		return fail("there is no code verifier", oauth.Refuse(oauth.InvalidRequest, "code_verifier is required."))
	case !verifies(verifier, c.Challenge):
		return fail("the code verifier is wrong", invalidGrant(errors.New("a wrong code verifier")))
	}
	if g, err := e.Grants.Get(ctx, c.Grant); err != nil {
		return nil, grantError(err)
	} else if err := e.Allowed(ctx, &g); err != nil {
		return nil, grantError(err)
	}
	issued, err := e.Grants.Exchange(ctx, code, e.Lives.For(q.client), q.id, q.address)
	if errors.Is(err, grants.ErrUsed) {
		if code, err = e.Grants.ReadCode(ctx, q.form.Get("code")); err != nil {
			return nil, grantError(err)
		}
		return fail("the code was used twice at once", invalidGrant(grants.ErrUsed))
	}
	if err != nil {
		return nil, grantError(err)
	}
	return e.response(&issued)
}

// verifies reports whether a code verifier hashes to a challenge (RFC 7636, SMART-113).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, notUnreserved) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// notUnreserved reports the characters that a code verifier must not have.
func notUnreserved(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._~", c))
}
