package token

import (
	"context"
	"errors"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// refresh answers grant_type=refresh_token (SMART-341 to 346).
func (e *Endpoint) refresh(ctx context.Context, q *request) (*Response, error) {
	if q.client.Kind == clients.Backend {
		return nil, oauth.Refuse(oauth.UnauthorizedClient, "A backend client uses client_credentials.")
	}
	if !q.form.Has("refresh_token") {
		return nil, oauth.Refuse(oauth.InvalidRequest, "refresh_token is required.")
	}
	owner, err := e.Grants.ClientOfRefresh(ctx, q.form.Get("refresh_token"))
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	if owner != q.client.ID { // nothing of it is used up: the client that owns it goes on
		return nil, invalidGrant(errors.New("a refresh token of another client, or an unknown one"))
	}
	token, g, err := e.Grants.ReadRefresh(ctx, q.form.Get("refresh_token"), q.id, q.address)
	if err != nil {
		return nil, grantError(err)
	}
	narrower := ""
	granted, err := scopes.Stored(g.Scopes)
	if err != nil {
		return nil, err
	}
	if q.form.Has("scope") {
		requested, err := granted.Narrower(q.form.Get("scope"))
		if err != nil {
			return nil, oauth.Refuse(oauth.InvalidScope, "The scope is wider than what was granted.").Because("%w", err)
		}
		granted, narrower = requested, requested.String()
	}
	if err := e.Allowed(ctx, &g); err != nil {
		return nil, grantError(err)
	}
	if e.Refreshed != nil {
		if err := e.Refreshed(ctx, &g, q.id, q.address); err != nil {
			return nil, grantError(err)
		}
	}
	if told := withoutDropped(&g, granted); len(told.Other) != len(granted.Other) && !told.Empty() {
		narrower = told.String()
	}
	issued, err := e.Grants.Refresh(ctx, token, g, narrower, e.Lives.For(q.client), q.id, q.address)
	if err != nil {
		return nil, grantError(err)
	}
	return e.response(&issued)
}

// withoutDropped returns the scopes without those of what the grant does not name any more of who the user is (SMART-381, 384). The grant
// keeps them, since a client may send at each refresh the scopes that it was granted.
func withoutDropped(g *grants.Grant, granted scopes.Set) scopes.Set {
	if g.FHIRUser == "" {
		granted = granted.Without(scopes.FHIRUser)
	}
	if g.Name == "" {
		granted = granted.Without(scopes.Profile)
	}
	return granted
}
