package signin

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// assertionType is the value of client_assertion_type (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionLife is how long an assertion is valid; the bound is five minutes (SMART-183).
const assertionLife = 2 * time.Minute

// assertion returns a new assertion of private_key_jwt for the token endpoint of the issuer (OpenID Connect Core section
// 9).
func (i *issuer) assertion(tokenEndpoint string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(i.Key.Algorithm), Key: i.Key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign assertion: %w", err)
	}
	now := i.clock()
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: i.ClientID, Subject: i.ClientID, Audience: jwt.Audience{tokenEndpoint}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign assertion: %w", err)
	}
	return text, nil
}

// Keys answers with the public halves of the keys that sign assertions, as a JSON Web Key Set (RFC 7517). Its path is one
// of its own: these keys sign nothing else.
func (u *Upstream) Keys(w http.ResponseWriter, _ *http.Request) error {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	seen := map[string]bool{}
	for _, i := range u.issuers {
		if public := i.Key.Public(); !seen[public.KeyID] {
			seen[public.KeyID] = true
			public.Use = "sig"
			set.Keys = append(set.Keys, public)
		}
	}
	body, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, err = w.Write(body)
	return err
}
