package token

import (
	"context"
	"errors"
	"net/http"

	"carerecord/fhir/cors"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/idtoken"
	"carerecord/interop/smart/oauth"
)

// Endpoint answers requests for tokens. It is safe for concurrent use.
type Endpoint struct {
	Auth   *clientauth.Authenticator
	Grants *grants.Store
	IDs    *idtoken.Maker
	Lives  grants.Lives
	// Allowed returns nil if the user of a grant may still have tokens: known, with the role and organisation of
	// the grant (SMART-320, 346). It returns grants.ErrInactive if not, or an error of the store.
	Allowed func(ctx context.Context, g *grants.Grant) error
	// Refreshed changes a grant before a refresh is answered: the Patient in context may have another id now
	// (SMART-148), and what is not the user any more is dropped (SMART-383). It gets the id and the address of the request, for the audit trail. nil changes nothing.
	Refreshed func(ctx context.Context, g *grants.Grant, request, address string) error
	// Capabilities are those that are on: scopes of others are refused.
	Capabilities capabilities.Set
	// People: people sign in, so there are codes and refresh tokens.
	People bool
	// Address returns the network address of a request.
	Address func(*http.Request) string
	CORS    *cors.Rules
}

// The grant types (SMART-004).
const (
	byCode        = "authorization_code"
	byRefresh     = "refresh_token"
	byCredentials = "client_credentials"
)

// request is one request for a token.
type request struct {
	*http.Request
	form    oauth.Form
	id      string // request id
	address string
	client  *clients.Client
	method  string
}

// Serve answers POST /oauth/token.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	attempt := clientauth.Attempt{Request: r, ID: w.Header().Get("X-Request-Id"), Event: "token-refused"}
	form, err := oauth.ReadForm(r)
	if err != nil {
		return e.Auth.Refused(r.Context(), attempt, clientauth.Result{}, err)
	}
	attempt.Form = form
	q := &request{Request: r, form: form, id: attempt.ID, address: e.Address(r)}
	var answer func(context.Context, *request) (*Response, error)
	switch form.Get("grant_type") {
	case byCode:
		answer = e.exchange
	case byRefresh:
		answer = e.refresh
		attempt.Named = func(ctx context.Context) (string, error) {
			return e.Grants.ClientOfRefresh(ctx, form.Get("refresh_token"))
		}
	case byCredentials:
		answer = e.credentials
	case "":
		err = oauth.Refuse(oauth.InvalidRequest, "grant_type is missing.")
	default:
		err = oauth.Refuse(oauth.UnsupportedGrantType, e.grantTypes())
	}
	if err != nil {
		return e.Auth.Refused(r.Context(), attempt, clientauth.Result{}, err)
	}
	response, err := e.answer(r.Context(), q, attempt, answer)
	status := http.StatusOK
	if err != nil {
		status = oauth.AsError(err).Status
	}
	if q.client != nil {
		e.CORS.Keep(w.Header(), r, q.client.ID, status)
	}
	if err != nil {
		return err
	}
	return oauth.WriteJSON(w, http.StatusOK, response)
}

// grantTypes tells a client which grant types the server has.
func (e *Endpoint) grantTypes() string {
	if !e.People {
		return "The one grant type is client_credentials: nobody can sign in."
	}
	return "The grant types are authorization_code, refresh_token and client_credentials."
}

// answer authenticates the client and then answers. What is refused is counted and recorded.
func (e *Endpoint) answer(ctx context.Context, q *request, attempt clientauth.Attempt, answer func(context.Context, *request) (*Response, error)) (*Response, error) {
	var response *Response
	err := e.Auth.Checked(ctx, attempt, func(result clientauth.Result) (err error) {
		q.client, q.method = result.Client, result.Method
		response, err = answer(ctx, q)
		return err
	})
	return response, err
}

// invalidGrant is the one refusal of every code and refresh token (SMART-320).
func invalidGrant(cause error) error {
	return &oauth.Error{Status: http.StatusBadRequest, Code: oauth.InvalidGrant, Description: "The code or refresh token is not valid.", Cause: cause}
}

// grantError makes a refusal of an inactive grant, and 503 of an error of the store.
func grantError(err error) error {
	if errors.Is(err, grants.ErrInactive) {
		return invalidGrant(err)
	}
	return oauth.Unavailable(err)
}
