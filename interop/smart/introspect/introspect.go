// Package introspect is the introspection endpoint (RFC 7662): it tells a resource server or the owner of a token
// whether a token is active, and what it permits. Of a token that is not active it tells nothing but that
// (SMART-394).
package introspect

import (
	"context"
	"errors"
	"net/http"

	"carerecord/consent/policy"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/token"
)

// Endpoint answers introspection requests. It is safe for concurrent use.
type Endpoint struct {
	Auth   *clientauth.Authenticator
	Grants *grants.Store
	Issuer string // of ID tokens: the FHIR base
	Policy *policy.Folder
	// SessionLives returns nil if the session of a grant that is online lives, and for any other grant; grants.ErrInactive if not, or an error of
	// the store. Allowed returns nil if the user of a grant may still have tokens (token.Endpoint). Neither notes activity: introspection
	// is none of the user's (SMART-348).
	SessionLives, Allowed func(ctx context.Context, g *grants.Grant) error
	// Calls limits the requests of each caller (SMART-482).
	Calls *limits.Limit
}

// answer is the answer of SMART-392, 393 and 395.
type answer struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
	Issued   int64  `json:"iat,omitempty"`
	Type     string `json:"token_type,omitempty"`
	Audience string `json:"aud,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub,omitempty"`
	FHIRUser string `json:"fhirUser,omitempty"`
	token.Context
	Extensions *extensions `json:"extensions,omitempty"`
}

// extensions carries purpose, role and organisation in the form of IHE IUA (SMART-433).
type extensions struct {
	IUA iua `json:"ihe_iua"`
}

type iua struct {
	Purpose        []code `json:"purpose_of_use,omitempty"`
	Role           []code `json:"subject_role,omitempty"`
	Organisation   string `json:"subject_organization,omitempty"` // name
	OrganisationID string `json:"subject_organization_id,omitempty"`
}

type code struct {
	System  string `json:"system,omitempty"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

// Serve answers POST /oauth/introspect. What is refused is counted and recorded (SMART-482, 494).
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	attempt := clientauth.Attempt{Request: r, ID: w.Header().Get("X-Request-Id"), Event: "client-refused"}
	form, err := oauth.ReadForm(r)
	if err != nil {
		return e.Auth.Refused(ctx, attempt, clientauth.Result{}, err)
	}
	attempt.Form = form
	var a answer
	serve := func(caller clientauth.Result) (err error) {
		a, err = e.answer(ctx, form, caller)
		return err
	}
	if bearer, ok := oauth.Bearer(r.Header); ok {
		var caller clientauth.Result
		if caller, err = e.bearer(ctx, form, bearer); err == nil {
			err = serve(caller)
		}
		if err != nil {
			err = e.Auth.Refused(ctx, attempt, caller, err)
		}
	} else {
		err = e.Auth.Checked(ctx, attempt, serve)
	}
	if err != nil {
		return err
	}
	return oauth.WriteJSON(w, http.StatusOK, a)
}

// answer returns the answer to a caller.
func (e *Endpoint) answer(ctx context.Context, form oauth.Form, by clientauth.Result) (answer, error) {
	if by.Method == clientauth.None {
		return answer{}, (&oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidClient, Description: "A public client may not introspect tokens."}).Because("a public client asks")
	}
	caller, everybody := by.Client.ID, by.Client.HasRight(clients.RightIntrospect)
	counted := caller
	if by.User != nil { // one user's requests block neither another's nor the client's own (SMART-483)
		counted += " " + by.User.Subject
	}
	if !e.Calls.Count(counted) {
		return answer{}, oauth.TooMany("Too many requests. Try again in a minute.")
	}
	if !form.Has("token") {
		return answer{}, oauth.Refuse(oauth.InvalidRequest, "token is required.")
	}
	a, owner, err := e.describe(ctx, form.Get("token"), caller)
	if err != nil || !a.Active || !everybody && owner != caller {
		return answer{}, err
	}
	return a, nil
}

// bearer returns the client of an access token with the right to introspect, whose user, if it has one, still has the role of the token. Of
// a token without the right, and of one whose user has lost the role, the client is returned beside the refusal.
func (e *Endpoint) bearer(ctx context.Context, form oauth.Form, token string) (clientauth.Result, error) {
	refused := &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: "The token does not permit introspection.",
		Header: http.Header{"Www-Authenticate": {`Bearer realm="carerecord", error="invalid_token"`}}}
	if form.Has("client_assertion") || form.Has("client_assertion_type") || form.Has("client_secret") {
		return clientauth.Result{}, clientauth.TwoMethods()
	}
	active, err := e.Grants.Resolve(ctx, token)
	if errors.Is(err, grants.ErrInactive) {
		return clientauth.Result{}, refused.Because("a token that is not active")
	}
	if err != nil {
		return clientauth.Result{}, oauth.Unavailable(err)
	}
	caller := clientauth.ByToken(&active)
	granted, err := scopes.Stored(active.ScopeString())
	if err != nil || !granted.Has(clients.RightIntrospect) || !caller.Client.HasRight(clients.RightIntrospect) {
		return caller, refused.Because("a token without the right")
	}
	switch holds, err := e.holds(ctx, &active.Grant); {
	case err != nil:
		return clientauth.Result{}, oauth.Unavailable(err)
	case !holds:
		return caller, refused.Because("a token whose user has lost the role or the session")
	}
	return caller, nil
}

// describe returns what is known of a token, and the client that owns it. A refresh token is described to its
// owner alone (SMART-396).
func (e *Endpoint) describe(ctx context.Context, value, caller string) (answer, string, error) {
	if secret.RefreshToken.Is(value) {
		g, ends, err := e.Grants.DescribeRefresh(ctx, value)
		if err != nil || g.Client != caller {
			return answer{}, "", storeError(err)
		}
		if err := e.Allowed(ctx, &g); err != nil {
			return answer{}, "", storeError(err)
		}
		return answer{Active: true, Scope: g.Scopes, ClientID: g.Client, Expires: ends.Unix()}, g.Client, nil
	}
	active, err := e.Grants.Resolve(ctx, value)
	if err != nil {
		return answer{}, "", storeError(err)
	}
	g := &active.Grant
	if holds, err := e.holds(ctx, g); err != nil || !holds {
		return answer{}, "", storeError(err)
	}
	a := answer{Active: true, Scope: active.ScopeString(), ClientID: g.Client, Expires: active.Ends.Unix(), Issued: active.Made.Unix(), Type: "Bearer", Audience: e.Issuer,
		Context:    token.ContextOf(g),
		Extensions: &extensions{e.userAccess(g, active.Client)}}
	granted, err := scopes.Stored(a.Scope)
	if err != nil {
		return answer{}, "", err
	}
	if granted.Has(scopes.OpenID) && g.User != "" {
		a.Issuer, a.Subject = e.Issuer, g.Subject
		if granted.Has(scopes.FHIRUser) && g.FHIRUser != "" {
			a.FHIRUser = e.Issuer + "/" + g.FHIRUser
		}
	}
	return a, g.Client, nil
}

// holds reports whether the user of a grant still has the role of the grant, as the record asks (SMART-205), and, of a grant that is
// online, the session (SMART-348). A grant without a user needs neither.
func (e *Endpoint) holds(ctx context.Context, g *grants.Grant) (bool, error) {
	if g.User == "" {
		return true, nil
	}
	if _, err := resource.PersonOf(e.Policy, g); err != nil {
		return false, nil
	}
	err := e.SessionLives(ctx, g)
	return err == nil, storeError(err)
}

// The code systems of purposes and of job roles.
const (
	actReason = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
	jobRole   = "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName"
)

// userAccess returns purpose, role and organisation of a grant: those of the user, or the organisation of a backend client.
func (e *Endpoint) userAccess(g *grants.Grant, client *clients.Client) iua {
	out := iua{Purpose: []code{{System: actReason, Code: g.Purpose}}, OrganisationID: g.Organisation}
	if g.User == "" {
		out.OrganisationID = client.Organisation
	}
	if o, ok := e.Policy.Organisation(out.OrganisationID); ok {
		out.Organisation = o.Name
	}
	if g.Role != "" {
		role, _ := e.Policy.Role(g.Role) // a role that is not in the policy has no name
		out.Role = []code{{System: jobRole, Code: g.Role, Display: role.Name}}
	}
	return out
}

// storeError returns nil for an inactive token, and 503 for an error of the store.
func storeError(err error) error {
	if err == nil || errors.Is(err, grants.ErrInactive) {
		return nil
	}
	return oauth.Unavailable(err)
}
