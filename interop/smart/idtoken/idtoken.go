// Package idtoken makes the ID tokens that tell a client who signed in (OpenID Connect Core, section 2). They
// hold an identifier that means nothing elsewhere, and no demographic data but the name, with the scope profile (SMART-381).
package idtoken

import (
	"encoding/json"
	"fmt"
	"time"

	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/keys"
	"carerecord/interop/smart/scopes"
)

// Life is how long an ID token is valid (SMART-381).
const Life = 10 * time.Minute

// Maker makes ID tokens. It is safe for concurrent use.
type Maker struct {
	Issuer string // the FHIR base (SMART-001)
	Keys   *keys.Keys
	Clock  func() time.Time
}

// claims are those of SMART-381.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	AuthTime int64  `json:"auth_time,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	FHIRUser string `json:"fhirUser,omitempty"`
	Name     string `json:"name,omitempty"`
}

// Make returns the ID token of a grant for the scopes that were granted. nonce is that of the authorization request; "" for none.
func (m *Maker) Make(g *grants.Grant, nonce string, granted scopes.Set) (string, error) {
	now := m.Clock()
	c := claims{Issuer: m.Issuer, Subject: g.Subject, Audience: g.Client, Issued: now.Unix(), Expires: now.Add(Life).Unix(), Nonce: nonce}
	if !g.AuthTime.IsZero() {
		c.AuthTime = g.AuthTime.Unix()
	}
	if granted.Has(scopes.Profile) {
		c.Name = g.Name
	}
	if granted.Has(scopes.FHIRUser) && g.FHIRUser != "" {
		c.FHIRUser = m.Issuer + "/" + g.FHIRUser
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("make an ID token: %w", err)
	}
	return m.Keys.Sign(payload)
}
