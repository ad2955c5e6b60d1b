// Package printed issues the access tokens that the command "carerecord token" prints, for a demonstration only: a
// grant without a person's act, made through the same store as every other (SMART-009).
package printed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir/r4"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
)

// Request selects the token to issue.
type Request struct {
	User    string // empty for a backend client
	Client  string
	Scope   string // empty: the scopes that the client may have for this user
	Purpose string // empty: TREAT, for a patient PATRQT
	Patient string // of staff: id of the Patient in context; empty for none
	Life    time.Duration
}

// Issuer issues printed tokens. It is safe for concurrent use.
type Issuer struct {
	Grants  *grants.Store
	Clients *clients.Registry
	Policy  *policy.Folder
	// PersonKey returns the person key of a Patient that the user of a grant may see; "" for none.
	PersonKey func(ctx context.Context, g grants.Grant, client *clients.Client, patient string) (string, error)
}

// ErrNotBuilt is the error for people and clients of the design that do not exist yet.
var ErrNotBuilt = errors.New("not built yet")

// life is how long a printed token is valid.
const life = 12 * time.Hour

// Issue returns a new token and its id. The error may be shown to the operator who.
func (i *Issuer) Issue(ctx context.Context, who string, request Request) (token, id string, err error) {
	g, err := i.grant(ctx, request)
	if err != nil {
		return "", "", err
	}
	if request.Life == 0 {
		request.Life = life
	}
	event := func(g *grants.Grant, tokenID string) ledger.Event {
		e := g.Event("token-issue", "", "local")
		e.Of, e.Agent = "token/"+tokenID, audit.Agent{Kind: "operator", Subject: who}
		return e
	}
	out, err := i.Grants.Direct(ctx, event, g, request.Life)
	return out.Access, out.TokenID, err
}

func (i *Issuer) grant(ctx context.Context, request Request) (grants.Grant, error) {
	client, err := i.Clients.Serving(ctx, request.Client)
	if errors.Is(err, clients.ErrUnknown) {
		return grants.Grant{}, unknown("client", request.Client, []string{"demo-backend", "demo-index"})
	}
	if err != nil {
		return grants.Grant{}, err
	}
	g := grants.Grant{Client: client.ID, Printed: true, User: request.User, Requested: request.Scope, Purpose: request.Purpose, Organisation: client.Organisation}
	kind, fallback := "", "TREAT"
	if len(client.Purposes) == 1 {
		fallback = client.Purposes[0]
	}
	if request.User != "" {
		person, ok := i.Policy.Person(request.User)
		if !ok {
			return grants.Grant{}, unknown("user", request.User, []string{"psychiatrist", "social-worker", "privacy", "parent", "teen"})
		}
		if kind = person.Kind; kind == clients.ForPatients {
			fallback = "PATRQT"
		}
		g.Organisation, g.Role = person.Organisation, person.Role
	}
	if client.Kind == clients.Backend && request.User != "" {
		return grants.Grant{}, fmt.Errorf("client %s is a backend client and acts for no person: omit --user", client.ID)
	}
	if client.Kind != clients.Backend && !slices.Contains(client.Audience, kind) {
		return grants.Grant{}, fmt.Errorf("client %s does not act for a person of kind %q: name one of %v with --user", client.ID, kind, client.Audience)
	}
	if g.Purpose == "" {
		g.Purpose = fallback
	}
	if !slices.Contains(client.Purposes, g.Purpose) {
		return grants.Grant{}, fmt.Errorf("client %s is not registered for the purpose %q: it has %v", client.ID, g.Purpose, client.Purposes)
	}
	if person, ok := i.Policy.Person(request.User); ok && person.Kind != policy.KindProxy && !i.Policy.PermitsPurpose(person, g.Purpose) {
		return grants.Grant{}, fmt.Errorf("the person %s has no grant for the purpose %q in the role %q", request.User, g.Purpose, person.Role)
	}
	if request.Patient != "" {
		if err := i.inContext(ctx, &g, client, kind, request.Patient); err != nil {
			return grants.Grant{}, err
		}
	}
	granted, err := scopesFor(client, kind, g.Patient != "", request.Scope)
	g.Scopes = granted.String()
	if kind == clients.ForAdministrators {
		g.Scopes = strings.TrimSpace(g.Scopes + " " + strings.Join(client.Rights, " "))
	}
	return g, err
}

// inContext sets the patient in context.
func (i *Issuer) inContext(ctx context.Context, g *grants.Grant, client *clients.Client, kind, patient string) error {
	if kind != clients.ForClinicians {
		return errors.New("--patient is for a person of kind clinician: a patient's own record needs no name")
	}
	key, err := i.PersonKey(ctx, *g, client, patient)
	if err != nil {
		return err
	}
	if key == "" {
		return fmt.Errorf("there is no Patient %q", patient)
	}
	g.Patient, g.Person = patient, key
	return nil
}

func unknown(kind, name string, planned []string) error {
	if slices.Contains(planned, name) {
		return fmt.Errorf("%s %s: %w", kind, name, ErrNotBuilt)
	}
	return fmt.Errorf("there is no %s %q", kind, name)
}

// scopesFor returns the requested scopes that are within the ceiling of the client and have a level
// for this kind of user (SMART-236, 242).
func scopesFor(client *clients.Client, kind string, context bool, text string) (consent.Scopes, error) {
	ceiling, err := client.Ceiling(r4.IsResource)
	if err != nil {
		return nil, fmt.Errorf("ceiling of client %s: %w", client.ID, err)
	}
	levels := map[string][]string{"": {"system"}, clients.ForClinicians: {"user"}, clients.ForPatients: {"patient", "user"}}[kind]
	if context {
		levels = append(levels, "patient")
	}
	ceiling = slices.DeleteFunc(ceiling, func(s consent.Scope) bool {
		return !slices.Contains(levels, s.Level) && (kind == clients.ForClinicians || kind == clients.ForPatients || s != consent.Operations())
	})
	if text == "" {
		return ceiling, nil
	}
	requested, err := consent.ParseScopes(text, r4.IsResource)
	if err != nil {
		return nil, err
	}
	got := requested.Within(ceiling)
	if len(got) == 0 {
		return nil, fmt.Errorf("client %s may not have any of the scopes %q here: its ceiling is %q", client.ID, text, ceiling)
	}
	return got, nil
}
