package idp

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store"
)

// token exchanges a code (OpenID Connect Core section 3.1.3): the client authenticates with private_key_jwt and proves PKCE.
func (p *Provider) token(r *http.Request) (any, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		return nil, refusal("invalid_request")
	}
	form := r.PostForm
	for _, values := range form {
		if len(values) != 1 {
			return nil, refusal("invalid_request")
		}
	}
	if form.Get("grant_type") != "authorization_code" {
		return nil, refusal("unsupported_grant_type")
	}
	if err := p.authenticate(r); err != nil {
		return nil, err
	}
	code := form.Get("code")
	if !secret.Code.Is(code) {
		return nil, refusal("invalid_grant")
	}
	raw, err := p.cfg.State.Take(r.Context(), p.codeKey(code))
	if errors.Is(err, store.ErrNotFound) {
		return nil, refusal("invalid_grant")
	}
	if err != nil {
		return nil, fmt.Errorf("take code: %w", err)
	}
	var grant issued
	if err := json.Unmarshal(raw, &grant); err != nil {
		return nil, fmt.Errorf("read code: %w", err)
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	proof := base64.RawURLEncoding.EncodeToString(sum[:])
	person, known := p.person(grant.Subject)
	if !known || form.Get("redirect_uri") != p.redirect() || subtle.ConstantTimeCompare([]byte(proof), []byte(grant.Challenge)) != 1 {
		return nil, refusal("invalid_grant")
	}
	access := secret.New(secret.AccessToken)
	id, err := p.idToken(person, grant, access)
	if err != nil {
		return nil, err
	}
	return map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": id}, nil
}

// authenticate verifies the assertion of the client (RFC 7523 section 3). Each is accepted once.
func (p *Provider) authenticate(r *http.Request) error {
	if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || r.PostForm.Has("client_secret") {
		return refusal("invalid_client")
	}
	key := p.cfg.ClientKey.Public()
	signed, err := jwt.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
	if err != nil {
		return refusal("invalid_client")
	}
	var c jwt.Claims
	if err := signed.Claims(key, &c); err != nil {
		return refusal("invalid_client")
	}
	now := p.cfg.Clock()
	expected := jwt.Expected{Issuer: p.client, Subject: p.client, AnyAudience: jwt.Audience{p.issuer + "/token"}, Time: now}
	if c.Validate(expected) != nil || c.Expiry == nil || c.Expiry.Time().After(now.Add(5*time.Minute)) || c.ID == "" {
		return refusal("invalid_client")
	}
	err = p.cfg.State.Insert(r.Context(), "idp/"+p.cfg.Name+"/jti/"+p.cfg.Digests.Of(c.ID), nil, c.Expiry.Time().Add(time.Minute))
	if errors.Is(err, store.ErrExists) {
		return refusal("invalid_client")
	}
	if err != nil {
		return fmt.Errorf("store jti: %w", err)
	}
	return nil
}

// idToken returns a signed ID token (OpenID Connect Core section 2).
func (p *Provider) idToken(person Person, grant issued, access string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.algorithm(), Key: p.key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	now := p.cfg.Clock()
	claims := map[string]any{
		"iss": p.issuer, "sub": person.Subject, "aud": p.client, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"auth_time": grant.AuthTime.Unix(), "nonce": grant.Nonce, "at_hash": p.atHash(access), "acr": acr(person.Level), "amr": []string{"sample"},
		"name": person.Name,
	}
	if p.cfg.Kind == session.Patient {
		claims["nhs_number"], claims["birthdate"] = person.NHSNumber, person.BirthDate
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return text, nil
}

// atHash is the left half of the hash of the access token, by the hash of the signature algorithm.
func (p *Provider) atHash(access string) string {
	if p.algorithm() == jose.RS512 {
		sum := sha512.Sum512([]byte(access))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
