// Package resource is the resource server's side of SMART: the access token of a request becomes a Principal, or a
// refusal (SMART-003). It is the only place where a Principal is made (CON-201), from the grant of the token, the
// registry of clients and the policy as they are at the request. Everything a token permits is decided again each
// time (SMART-260, 411).
package resource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
	"carerecord/store"
)

// Verifier makes Principals of tokens. It is safe for concurrent use.
type Verifier struct {
	Grants *grants.Store
	Policy *policy.Folder
	// SignIn returns the Patient of a person by NHS number and birth date (consent.Guard.SignIn).
	SignIn func(ctx context.Context, number, birthDate string) (consent.SignIn, error)
	Clock  func() time.Time
	Kept   *Kept // nil keeps nothing
	// Used is called with the grant of each token that was verified, before its request runs (SMART-348). Nil: nothing is.
	Used func(ctx context.Context, g *grants.Grant)
}

// identified is the authentication level of somebody whose identity was proved: P9 of NHS login (CON-204).
const identified = 9

// Verify returns the Principal of a request with a bearer token (SMART-410 to 413). Errors are a
// *fhir.Error: 401 for a token that is missing or not active, or whose user is not in the policy any more
// with the role of the grant; 503 if the store does not answer.
func (v *Verifier) Verify(ctx context.Context, h http.Header, address string) (consent.Principal, error) {
	token, err := bearerToken(h)
	if err != nil {
		return consent.Principal{}, err
	}
	if found, ok := v.Kept.get(token, v.Clock()); ok {
		v.used(ctx, &found.active)
		return v.principal(ctx, &found.active, found.set, address)
	}
	epoch := v.Kept.now()
	active, err := v.Grants.Resolve(ctx, token)
	switch {
	case errors.Is(err, grants.ErrExpired):
		return consent.Principal{}, invalidToken("expired")
	case errors.Is(err, grants.ErrInactive):
		return consent.Principal{}, invalidToken("login")
	case err != nil:
		return consent.Principal{}, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "Tokens cannot be verified now. Try again."}},
			Cause: fmt.Errorf("look up a token: %w", err), Header: map[string]string{"Retry-After": "1"}}
	}
	set, err := setOf(&active)
	if err != nil {
		return consent.Principal{}, err
	}
	v.Kept.put(token, keptToken{epoch, active, set})
	v.used(ctx, &active)
	return v.principal(ctx, &active, set, address)
}

func (v *Verifier) used(ctx context.Context, a *grants.Active) {
	if v.Used != nil {
		v.Used(ctx, &a.Grant)
	}
}

// setOf returns the scopes of a token.
func setOf(a *grants.Active) (scopes.Set, error) {
	set, err := scopes.Stored(a.ScopeString())
	if err != nil {
		return scopes.Set{}, fmt.Errorf("read the scopes of a token: %w", err)
	}
	return set, nil
}

func bearerToken(h http.Header) (string, error) {
	if len(h.Values("Authorization")) == 0 {
		return "", &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: "login", Text: "An access token is required: Authorization: Bearer …"}},
			Header: map[string]string{"WWW-Authenticate": `Bearer realm="carerecord"`}}
	}
	token, ok := oauth.Bearer(h)
	if !ok {
		return "", invalidToken("login")
	}
	return token, nil
}

// invalidToken returns the error for every invalid token. Only the code of an expired one differs
// (SMART-412).
func invalidToken(code string) *fhir.Error {
	return &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: code, Text: "The access token is not valid."}},
		Header: map[string]string{"WWW-Authenticate": `Bearer realm="carerecord", error="invalid_token"`}}
}

// Principal returns the Principal of an active token (CON-202). Errors are those of Verify.
func (v *Verifier) Principal(ctx context.Context, a *grants.Active, address string) (consent.Principal, error) {
	set, err := setOf(a)
	if err != nil {
		return consent.Principal{}, err
	}
	return v.principal(ctx, a, set, address)
}

func (v *Verifier) principal(ctx context.Context, a *grants.Active, granted scopes.Set, address string) (consent.Principal, error) {
	g, client := &a.Grant, a.Client
	p := consent.Principal{
		Client: client.ID, ClientClass: client.Kind.Class(), ClientPurposes: client.Purposes, Scopes: granted.Resources,
		Purpose: g.Purpose, Token: a.ID, Session: g.ID, Address: address, At: v.Clock(),
	}
	if g.User == "" {
		p.Kind, p.Subject, p.Organisation, p.Flow, p.IDPrefix = consent.Backend, client.ID, client.Organisation, client.Flow, client.IDPrefix
		if client.Flow == consent.FlowIngest {
			p.Kind = consent.SourceSystem
		}
		return p, nil
	}
	person, err := PersonOf(v.Policy, g)
	if err != nil {
		return consent.Principal{}, invalidToken("login")
	}
	p.Subject, p.Level = person.Subject, person.Level
	if granted.Has(scopes.OpenID) && granted.Has(scopes.FHIRUser) {
		p.FHIRUser = refOf(g.FHIRUser)
	}
	if person.Kind == policy.KindPatient {
		p.Kind = consent.Patient
		if person.Level < identified {
			return p, nil // a number that was not proved names nobody (SMART-193)
		}
		in, err := v.SignIn(ctx, person.Patient, person.BirthDate)
		if err != nil {
			return consent.Principal{}, fmt.Errorf("find the patient of a token: %w", err)
		}
		p.Patient, p.Person, p.Number = in.Patient, in.Person, person.Patient
		return p, nil
	}
	role, _ := v.Policy.Role(person.Role)
	if person.Kind == policy.KindAdministrator {
		return administrator(p, person, role, granted), nil
	}
	if slices.ContainsFunc(p.Scopes, consent.Operations().Equal) { // of administrators alone
		p.Scopes = slices.DeleteFunc(slices.Clone(p.Scopes), consent.Operations().Equal)
	}
	p.Kind, p.Organisation, p.Role, p.Activities = consent.Staff, person.Organisation, person.Role, role.Activities
	p.Context = consent.Context{Patient: g.Patient, Person: g.Person}
	if org, ok := v.Policy.Organisation(person.Organisation); ok && org.Parent != "" {
		p.Parents = []string{org.Parent}
	}
	return p, nil
}

// administrator completes the Principal of an administrator: of the rights of the role, those that the token has (SMART-209). It has no
// scope on the record.
func administrator(p consent.Principal, person policy.Person, role policy.Role, granted scopes.Set) consent.Principal {
	p.Kind, p.Organisation, p.Role, p.FHIRUser, p.Scopes = consent.Administrator, person.Organisation, person.Role, store.Ref{}, nil
	if granted.Has(clients.RightClients) && slices.Contains(role.Activities, policy.ActivityClients) {
		p.Activities = append(p.Activities, policy.ActivityClients)
	}
	if granted.Has(clients.RightApps) && slices.Contains(role.Activities, policy.ActivityApps) {
		p.Activities = append(p.Activities, policy.ActivityApps)
	}
	if slices.Contains(granted.Resources, consent.Operations()) && slices.Contains(role.Activities, policy.ActivityOperations) {
		p.Activities = append(p.Activities, policy.ActivityOperations)
		p.Scopes = consent.Scopes{consent.Operations()}
	}
	return p
}

// PersonOf returns the person of a grant in the role of the grant, which the person must still have, and which must still permit the
// purpose of use of the grant (SMART-205, 346, 430); grants.ErrInactive if not, for a proxy: there are no authorities yet (SMART-143, 258), and where the policy gives the name of the user
// to somebody else now (SMART-185).
func PersonOf(folder *policy.Folder, g *grants.Grant) (policy.Person, error) {
	person, ok := folder.Person(g.User)
	if signedIn := g.SessionUser; !ok || signedIn.Subject != "" && !person.SignsInAs(signedIn.Issuer, signedIn.Subject) { // a printed token has no session
		return policy.Person{}, grants.ErrInactive
	}
	if person, ok = person.As(policy.RoleAt{Organisation: g.Organisation, Role: g.Role}); !ok || !folder.PermitsPurpose(person, g.Purpose) {
		return policy.Person{}, grants.ErrInactive
	}
	return person, nil
}

// refOf reads a relative reference; the zero Ref for anything else.
func refOf(relative string) store.Ref {
	typ, id, ok := strings.Cut(relative, "/")
	if !ok {
		return store.Ref{}
	}
	return store.Ref{Type: typ, ID: id}
}
