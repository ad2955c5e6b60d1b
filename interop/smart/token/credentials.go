package token

import (
	"context"

	"carerecord/fhir/r4"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// credentials answers grant_type=client_credentials (SMART Backend Services; SMART-360 to 367). Purpose and
// organisation come from the registration.
func (e *Endpoint) credentials(ctx context.Context, q *request) (*Response, error) {
	c := q.client
	if c.Kind != clients.Backend || q.method != clientauth.Assertion {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, "client_credentials are for backend clients with private_key_jwt.")
	}
	granted, err := Negotiate(c, q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	if e.Capabilities.Permitted(granted, false).String() != granted.String() {
		return nil, oauth.Refuse(oauth.InvalidScope, "Scopes of this version are not supported here.")
	}
	event := func(g *grants.Grant, tokenID string) ledger.Event {
		e := g.Event("token-issue", q.id, q.address)
		e.Agent.Token = tokenID
		return e
	}
	issued, err := e.Grants.Direct(ctx, event, grants.Grant{
		Client: c.ID, Scopes: granted.String(), Requested: q.form.Get("scope"), Purpose: c.Purposes[0], Organisation: c.Organisation,
	}, e.Lives.Backend)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return e.response(&issued)
}

// Negotiate returns the scopes that a backend client gets of those it asks for (SMART-361, 362): none of them may
// be unknown or of a person, and they are cut to the ceiling.
func Negotiate(c *clients.Client, requested string) (scopes.Set, error) {
	refuse := func(text string) (scopes.Set, error) { return scopes.Set{}, oauth.Refuse(oauth.InvalidScope, text) }
	if requested == "" {
		return refuse("scope is required.")
	}
	set, unknown, err := scopes.Parse(requested, c.Rights)
	if err != nil {
		return scopes.Set{}, oauth.Refuse(oauth.InvalidScope, "The scope cannot be read.").Because("%w", err)
	}
	if len(unknown) > 0 || set.Level("patient") || set.Level("user") {
		return refuse("Only system scopes on the types of this server are granted to a backend client.")
	}
	for _, other := range set.Other {
		if !c.HasRight(other) {
			return refuse("A scope of users is not granted to a backend client.")
		}
	}
	ceiling, err := c.Ceiling(r4.IsResource)
	if err != nil {
		return scopes.Set{}, err
	}
	if set = set.Within(ceiling); set.Empty() {
		return refuse("None of these scopes is registered for the client.")
	}
	return set, nil
}
