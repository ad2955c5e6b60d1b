package clientauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"carerecord/consent/audit"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/jwks"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
)

// Authenticator authenticates clients. It is safe for concurrent use.
type Authenticator struct {
	Clients  *clients.Registry
	KeySets  *jwks.Cache
	Audience string // the URL of the token endpoint, which an assertion names
	// Failures limits failed authentications, and codes and refresh tokens that are not valid, of each client at each address (SMART-482),
	// and with them its requests in progress. Address returns that of a request.
	Failures *limits.Limit
	Address  func(*http.Request) string
	Refusals *ledger.Refusals
}

// The methods of authentication.
const (
	None      = ""
	Basic     = "client_secret_basic"
	Assertion = "private_key_jwt"
	Bearer    = "bearer" // of introspection and of the launch API alone: an access token of the client
)

// Result is an authenticated client, or a public one that named itself.
type Result struct {
	Client *clients.Client
	Method string // None for a public client
	// User is whose access token the request has, of Bearer alone; nil for the client's own.
	User *audit.Agent
}

// ByToken returns the Result of an access token that is active. What is refused of a user's token is not the client's (SMART-483): the user
// may send it without the client.
func ByToken(active *grants.Active) Result {
	out := Result{Client: active.Client, Method: Bearer}
	if active.Grant.User != "" {
		agent := active.Grant.Event("", "", "").Agent
		out.User = &agent
	}
	return out
}

// TwoMethods returns the refusal of a request that tries two ways at once (SMART-317).
func TwoMethods() error {
	return oauth.Refuse(oauth.InvalidRequest, "Use exactly one method of client authentication.").Because("two methods of authentication")
}

// Authenticate returns the client of a request. named is called for one that names no client. The error is an *oauth.Error: invalid_client (401) where the client
// is not who it says, invalid_request where the request has two methods, 503 where the store does not answer.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, form oauth.Form, named Named) (Result, error) {
	basic := r.Header.Values("Authorization")
	asserts := form.Has("client_assertion") || form.Has("client_assertion_type")
	switch {
	case len(basic) > 1, len(basic) == 1 && asserts, form.Has("client_secret") && (asserts || len(basic) > 0):
		return Result{}, TwoMethods()
	case form.Has("client_secret"):
		return Result{}, refused("client_secret in the body is not supported", false)
	case asserts:
		c, err := a.byAssertion(ctx, form)
		return Result{Client: c, Method: Assertion}, err
	case len(basic) == 1:
		c, err := a.bySecret(ctx, r.Header, form.Get("client_id"))
		return Result{Client: c, Method: Basic}, err
	}
	id := form.Get("client_id")
	if id == "" && named != nil {
		var err error
		if id, err = named(ctx); err != nil {
			return Result{}, oauth.Unavailable(err)
		}
	}
	if id == "" {
		return Result{}, refused("no client_id and no authentication", false)
	}
	c, err := a.serving(ctx, id)
	if err != nil {
		return Result{}, err
	}
	if c == nil || c.Kind != clients.Public {
		return Result{}, refused("a client that must authenticate did not", false)
	}
	return Result{Client: c, Method: None}, nil
}

// serving returns a client that is served; nil for none.
func (a *Authenticator) serving(ctx context.Context, id string) (*clients.Client, error) {
	c, err := a.Clients.Serving(ctx, id)
	if errors.Is(err, clients.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	return c, nil
}

// basicOf returns the client and the secret of a request with HTTP Basic: of one Authorization header alone, with one space after the
// scheme. Whoever counts failures and whoever compares secrets reads them here, so that both have the same client.
func basicOf(h http.Header) (id, value string, ok bool) {
	headers := h.Values("Authorization")
	if len(headers) != 1 {
		return "", "", false
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	plain, err := base64.StdEncoding.DecodeString(text)
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return "", "", false
	}
	id, value, ok = strings.Cut(string(plain), ":")
	if decoded, err := url.QueryUnescape(id); err == nil {
		id = decoded
	}
	return id, value, ok
}

// bySecret authenticates by HTTP Basic. An unknown client and a wrong secret take the same time and have
// the same answer (SMART-319). Ids and secrets have unreserved characters alone, so it does not matter whether
// the client encodes them as a form first (SMART-063).
func (a *Authenticator) bySecret(ctx context.Context, h http.Header, bodyID string) (*clients.Client, error) {
	id, value, ok := basicOf(h)
	if !ok {
		return nil, refused("the Authorization header is not Basic", true)
	}
	c, err := a.serving(ctx, id)
	if err != nil {
		return nil, err
	}
	compared := c
	if compared == nil {
		compared = &clients.Client{}
	}
	right := a.Clients.HasSecret(compared, value)
	switch {
	case c == nil:
		return nil, refused("an unknown client", true)
	case c.Kind != clients.Symmetric:
		return nil, refused("a client of another kind uses Basic", true)
	case !right:
		return nil, refused("a wrong secret", true)
	case bodyID != "" && bodyID != c.ID:
		return nil, refused("another client_id in the body", true)
	}
	return c, nil
}

// refused returns the refusal of a client. basic adds the header that RFC 6749 wants where Basic was used.
func refused(cause string, basic bool) *oauth.Error {
	e := &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidClient, Description: "The client is not authenticated.", Cause: errors.New(cause)}
	if basic {
		e.Header = http.Header{"Www-Authenticate": {`Basic realm="carerecord"`}}
	}
	return e
}
