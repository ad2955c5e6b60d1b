package signin

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// token is a verified ID token.
type token struct {
	subject  string
	authTime time.Time
	acr      string
	claims   map[string]json.RawMessage
}

// verify checks an ID token (OpenID Connect Core section 3.1.3.7, SMART-182): the signature with an algorithm of the
// configuration and a key of the issuer, iss, aud, azp, exp, iat, nbf, nonce, and at_hash if it is there. The library
// checks the signature, iss and aud; the rest is here.
func (u *Upstream) verify(ctx context.Context, i *issuer, p *provider, raw, accessToken, nonce string, l leg) (*token, error) {
	keys := &keysOfToken{keySet: p.keys}
	verifier := oidc.NewVerifier(i.Issuer.Issuer, keys, &oidc.Config{ClientID: i.ClientID, SupportedSigningAlgs: names(i.Algorithms), SkipExpiryCheck: true})
	parsed, err := verifier.Verify(ctx, raw)
	if err != nil {
		if errors.Is(keys.err, errDown) {
			return nil, keys.err
		}
		return nil, fmt.Errorf("verify ID token: %s", whyUnverified(err))
	}
	var c struct {
		Issuer          string   `json:"iss"`
		AuthorizedParty string   `json:"azp"`
		Expires         *float64 `json:"exp"`
		Issued          *float64 `json:"iat"`
		NotBefore       *float64 `json:"nbf"`
		AuthTime        *float64 `json:"auth_time"`
		ACR             string   `json:"acr"`
	}
	t := &token{subject: parsed.Subject}
	if err := errors.Join(parsed.Claims(&c), parsed.Claims(&t.claims)); err != nil {
		return nil, errors.New("a claim of the ID token has the wrong type")
	}
	now := u.cfg.Clock()
	for _, seconds := range []*float64{c.Expires, c.Issued, c.NotBefore, c.AuthTime} {
		if seconds != nil && !(math.Abs(*seconds) < 1e11) {
			return nil, errors.New("an instant of the ID token is in no calendar")
		}
	}
	switch {
	case c.Issuer != i.Issuer.Issuer:
		return nil, errors.New("the ID token is of another issuer")
	case parsed.Subject == "" || len(parsed.Subject) > 255:
		return nil, errors.New("the ID token has no usable subject")
	case c.AuthorizedParty != "" && c.AuthorizedParty != i.ClientID || c.AuthorizedParty == "" && len(parsed.Audience) > 1:
		return nil, errors.New("the ID token was issued to another client")
	case c.Expires == nil || !now.Before(instant(*c.Expires).Add(skew)):
		return nil, errors.New("the ID token has expired")
	case c.Issued == nil || instant(*c.Issued).After(now.Add(skew)):
		return nil, errors.New("the ID token is from the future")
	case c.NotBefore != nil && instant(*c.NotBefore).After(now.Add(skew)):
		return nil, errors.New("the ID token is not valid yet")
	case subtle.ConstantTimeCompare([]byte(parsed.Nonce), []byte(nonce)) != 1:
		return nil, errors.New("the ID token has another nonce")
	case parsed.AccessTokenHash != "" && parsed.VerifyAccessToken(accessToken) != nil:
		return nil, errors.New("the ID token belongs to another access token")
	}
	t.acr, t.authTime = c.ACR, instant(*c.Issued)
	if c.AuthTime != nil {
		t.authTime = instant(*c.AuthTime)
	}
	if l.Login && (c.AuthTime == nil || t.authTime.Before(l.Started.Add(-skew))) {
		return nil, errors.New("the person did not authenticate again")
	}
	if t.authTime.After(now.Add(skew)) {
		return nil, errors.New("the authentication is in the future")
	}
	return t, nil
}

// whyUnverified says why the library does not verify a token, without what the token says: nobody vouches for that, so neither the log nor
// the audit trail has it (SMART-494, 495).
func whyUnverified(err error) string {
	for prefix, cause := range map[string]string{"oidc: id token issued by a different provider": "it is of another issuer", "oidc: expected audience": "it is for another audience",
		"failed to verify signature": "the signature is wrong, or of a key that the issuer does not publish"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return cause
		}
	}
	return "it cannot be read"
}

// instant returns a NumericDate as an instant.
func instant(seconds float64) time.Time { return time.Unix(int64(seconds), 0).UTC() }

// keysOfToken keeps the error of the keys for one token, which the library does not return.
type keysOfToken struct {
	*keySet
	err error
}

// VerifySignature implements oidc.KeySet.
func (k *keysOfToken) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.keySet.VerifySignature(ctx, token)
	k.err = err
	return payload, err
}

func names(algorithms []jose.SignatureAlgorithm) []string {
	var out []string
	for _, a := range algorithms {
		out = append(out, string(a))
	}
	return out
}
