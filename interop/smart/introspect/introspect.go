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

// Serve answers POST /oauth/introspect.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	form, err := oauth.ReadForm(r)
	if err != nil {
		return err
	}
	caller, everybody, err := e.caller(r.Context(), r, form, w.Header().Get("X-Request-Id"))
	if err != nil {
		return err
	}
	if !e.Calls.Count(caller) {
		return oauth.TooMany("Too many requests. Try again in a minute.")
	}
	if !form.Has("token") {
		return oauth.Refuse(oauth.InvalidRequest, "token is required.")
	}
	a, owner, err := e.describe(r.Context(), form.Get("token"), caller)
	if err != nil {
		return err
	}
	if !a.Active || !everybody && owner != caller {
		a = answer{}
	}
	return oauth.WriteJSON(w, http.StatusOK, a)
}

// caller returns the client that asks, and whether it may ask about tokens of everybody.
func (e *Endpoint) caller(ctx context.Context, r *http.Request, form oauth.Form, requestID string) (id string, everybody bool, err error) {
	if bearer, ok := oauth.Bearer(r.Header); ok {
		active, err := e.Grants.Resolve(ctx, bearer)
		if err != nil && !errors.Is(err, grants.ErrInactive) {
			return "", false, oauth.Unavailable(err)
		}
		granted, failed := scopes.Stored(active.ScopeString())
		if err != nil || failed != nil || !granted.Has(clients.RightIntrospect) || !active.Client.HasRight(clients.RightIntrospect) {
			return "", false, &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: "The token does not permit introspection.",
				Header: http.Header{"Www-Authenticate": {`Bearer realm="carerecord", error="invalid_token"`}}}
		}
		return active.Client.ID, true, nil
	}
	result, err := e.Auth.Checked(ctx, clientauth.Attempt{Request: r, Form: form, ID: requestID, Event: "client-refused"})
	if err != nil {
		return "", false, err
	}
	if result.Method == clientauth.None {
		return "", false, &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidClient, Description: "The client is not authenticated."}
	}
	return result.Client.ID, result.Client.HasRight(clients.RightIntrospect), nil
}

// describe returns what is known of a token, and the client that owns it. A refresh token is described to its
// owner alone (SMART-396).
func (e *Endpoint) describe(ctx context.Context, value, caller string) (answer, string, error) {
	if secret.RefreshToken.Is(value) {
		g, ends, err := e.Grants.DescribeRefresh(ctx, value)
		if err != nil || g.Client != caller || !e.hasUser(&g) {
			return answer{}, "", storeError(err)
		}
		return answer{Active: true, Scope: g.Scopes, ClientID: g.Client, Expires: ends.Unix()}, g.Client, nil
	}
	active, err := e.Grants.Resolve(ctx, value)
	if err != nil {
		return answer{}, "", storeError(err)
	}
	g := &active.Grant
	if !e.hasUser(g) {
		return answer{}, "", nil
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

// hasUser reports whether the user of a grant still has the role of the grant: the record refuses the token if not (SMART-205). A grant
// without a user needs none.
func (e *Endpoint) hasUser(g *grants.Grant) bool {
	if g.User == "" {
		return true
	}
	_, err := resource.PersonOf(e.Policy, g)
	return err == nil
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
