// Package revoke is the revocation endpoint (RFC 7009): a client ends a token of its own. The end of a refresh
// token ends all tokens of its grant. Both hold from the next request on (SMART-401).
package revoke

import (
	"errors"
	"net/http"

	"carerecord/fhir/cors"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/oauth"
)

// Endpoint answers revocation requests. It is safe for concurrent use.
type Endpoint struct {
	Auth    *clientauth.Authenticator
	Grants  *grants.Store
	Address func(*http.Request) string
	CORS    *cors.Rules
}

// Serve answers POST /oauth/revoke. An unknown token is answered like one that was ended (SMART-400). What is refused is counted and recorded
// (SMART-482, 494).
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	attempt := clientauth.Attempt{Request: r, ID: w.Header().Get("X-Request-Id"), Event: "client-refused"}
	form, err := oauth.ReadForm(r)
	if err != nil {
		return e.Auth.Refused(ctx, attempt, clientauth.Result{}, err)
	}
	attempt.Form = form
	client := ""
	err = e.Auth.Checked(ctx, attempt, func(result clientauth.Result) error {
		client = result.Client.ID
		return e.revoke(r, form, client, attempt.ID)
	})
	status := http.StatusOK
	if err != nil {
		status = oauth.AsError(err).Status
	}
	if client != "" {
		e.CORS.Keep(w.Header(), r, client, status)
	}
	if err != nil {
		return err
	}
	oauth.NoStore(w.Header())
	w.WriteHeader(http.StatusOK)
	return nil
}

// revoke ends the token of a request of a client.
func (e *Endpoint) revoke(r *http.Request, form oauth.Form, client, request string) error {
	if !form.Has("token") {
		return oauth.Refuse(oauth.InvalidRequest, "token is required.")
	}
	err := e.Grants.Revoke(r.Context(), form.Get("token"), client, request, e.Address(r))
	switch {
	case errors.Is(err, grants.ErrOther):
		return oauth.Refuse(oauth.UnauthorizedClient, "The token is of another client.")
	case err != nil:
		return oauth.Unavailable(err)
	}
	return nil
}
