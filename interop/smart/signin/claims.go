package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"carerecord/interop/smart/session"
)

// identity applies the assurance rules of the issuer to a verified ID token. Anything that is not listed is refused.
func (i *issuer) identity(t *token) (*Identity, error) {
	level := 0
	switch i.Assurance {
	case AssuranceSample:
		level = i.Levels[t.acr]
	case AssuranceNHSLogin, AssuranceCIS2: // New refuses them
	}
	if level <= 0 {
		return nil, fmt.Errorf("the acr value %q gives no level", printable(t.acr))
	}
	return &Identity{User: session.User{Issuer: i.Issuer.Issuer, Subject: t.subject, Kind: i.Kind}, AuthTime: t.authTime, Level: level}, nil
}

// claims returns the claims that the configuration names, from the ID token, and from UserInfo what it lacks. A claim
// that is not a text is refused.
func (i *issuer) claims(ctx context.Context, p *provider, t *token, accessToken string) (map[Claim]string, error) {
	out := map[Claim]string{}
	if err := i.read(t.claims, out); err != nil {
		return nil, err
	}
	if !i.UserInfo || len(out) == len(i.Claims) {
		return out, nil
	}
	if !i.sameSafety(p.UserInfoEndpoint()) {
		return nil, errors.New("the issuer has no UserInfo endpoint with a safe address")
	}
	body, err := i.get(ctx, p.UserInfoEndpoint(), accessToken)
	if err != nil {
		return nil, fmt.Errorf("read UserInfo: %w", withoutBody(err))
	}
	var info map[string]json.RawMessage
	var subject string
	if json.Unmarshal(body, &info) != nil || json.Unmarshal(info["sub"], &subject) != nil || subject != t.subject {
		return nil, errors.New("UserInfo is of another person, or cannot be read") // OpenID Connect Core section 5.3.2
	}
	return out, i.read(info, out)
}

// read adds the claims that out lacks.
func (i *issuer) read(from map[string]json.RawMessage, out map[Claim]string) error {
	for claim, name := range i.Claims {
		raw, ok := from[name]
		if _, known := out[claim]; !ok || known {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return fmt.Errorf("the claim for %s is not a text", claim)
		}
		out[claim] = text
	}
	return nil
}
