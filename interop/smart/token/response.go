package token

import (
	"encoding/json"
	"fmt"

	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/scopes"
)

// Response is the answer to a request for a token (SMART-313, 370 to 376).
type Response struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Style        string `json:"smart_style_url,omitempty"`
	Context
}

// Context is the launch context as a client sees it, in the answer of the token endpoint and in introspection.
type Context struct {
	Patient   string          `json:"patient,omitempty"`
	Encounter string          `json:"encounter,omitempty"`
	FHIR      json.RawMessage `json:"fhirContext,omitempty"`
	Banner    *bool           `json:"need_patient_banner,omitempty"`
	Intent    string          `json:"intent,omitempty"`
	Tenant    string          `json:"tenant,omitempty"`
}

// ContextOf returns the launch context of a grant. The person key is not in it.
func ContextOf(g *grants.Grant) Context {
	return Context{Patient: g.Patient, Encounter: g.Encounter, FHIR: g.FHIR, Banner: g.Banner, Intent: g.Intent, Tenant: g.Tenant}
}

// response returns the answer with some tokens.
func (e *Endpoint) response(i *grants.Issued) (*Response, error) {
	granted, err := scopes.Stored(i.Scopes)
	if err != nil {
		return nil, err
	}
	r := &Response{AccessToken: i.Access, TokenType: "Bearer", ExpiresIn: int(i.Life.Seconds()), Scope: i.Scopes, RefreshToken: i.Refresh, Context: ContextOf(&i.Grant)}
	if e.Capabilities.Has(capabilities.ContextStyle) {
		r.Style = i.Grant.Style
	}
	if granted.Has(scopes.OpenID) && i.Grant.User != "" {
		if r.IDToken, err = e.IDs.Make(&i.Grant, i.Code.Nonce, granted); err != nil {
			return nil, fmt.Errorf("answer with an ID token: %w", err)
		}
	}
	return r, nil
}
