// Package smart verifies access tokens and makes Principals of them. Tokens are opaque: 256
// random bits, of which the State port has a hash, so that reading the store does not reveal
// them and revocation is immediate.
//
// The OAuth endpoints are not built yet: the command "carerecord token" issues tokens, for a
// demonstration only.
package smart

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// Config has the dependencies of Tokens.
type Config struct {
	State  store.State
	Policy *policy.Folder
	// SignIn returns the Patient of a person by NHS number and birth date (consent.Guard.SignIn).
	SignIn func(ctx context.Context, number, birthDate string) (consent.SignIn, error)
	Clock  func() time.Time
}

// Tokens issues and verifies access tokens. It is safe for concurrent use.
type Tokens struct{ cfg Config }

// New returns Tokens.
func New(cfg Config) *Tokens { return &Tokens{cfg: cfg} }

// TokenRequest selects the token to issue.
type TokenRequest struct {
	User    string // empty for a backend client
	Client  string
	Scope   string // empty: the scopes that the client may have for this user
	Purpose string // empty: TREAT, for a patient PATRQT
	Patient string // launch context; not built
	Life    time.Duration
}

// storedToken is the State value of a token. Organisation, role and the ceiling of the scopes are
// not in it: Verify looks them up each time.
type storedToken struct {
	ID      string    `json:"id"`
	User    string    `json:"user,omitempty"`
	Client  string    `json:"client"`
	Scope   string    `json:"scope"`
	Purpose string    `json:"purpose"`
	Ends    time.Time `json:"ends"`
}

// identified is the authentication level of somebody whose identity was proved: P9 of NHS login (CON-204).
const identified = 9

// keepExpired is how long Verify distinguishes an expired token from an unknown one.
const keepExpired = 24 * time.Hour

// ErrNotBuilt is the error for people and clients of the design that do not exist yet.
var ErrNotBuilt = errors.New("not built yet")

// Issue returns a new token. The error may be shown to the operator.
func (t *Tokens) Issue(ctx context.Context, request TokenRequest) (string, error) {
	stored, err := t.newStoredToken(request)
	if err != nil {
		return "", err
	}
	var secret [32]byte
	rand.Read(secret[:])
	token := base64.RawURLEncoding.EncodeToString(secret[:])
	value, err := json.Marshal(stored)
	if err != nil {
		return "", fmt.Errorf("issue a token: %w", err)
	}
	if err := t.cfg.State.Insert(ctx, stateKey(token), value, stored.Ends.Add(keepExpired)); err != nil {
		return "", fmt.Errorf("store a token: %w", err)
	}
	return token, nil
}

func (t *Tokens) newStoredToken(request TokenRequest) (storedToken, error) {
	client, ok := t.cfg.Policy.Client(request.Client)
	if !ok {
		return storedToken{}, unknown("client", request.Client, []string{"demo-backend", "demo-index"})
	}
	kind, fallback := "", "TREAT"
	if len(client.Purposes) == 1 {
		fallback = client.Purposes[0]
	}
	if request.User != "" {
		person, ok := t.cfg.Policy.Person(request.User)
		if !ok {
			return storedToken{}, unknown("user", request.User, []string{"psychiatrist", "social-worker", "privacy", "parent", "teen"})
		}
		if kind = person.Kind; kind == "patient" {
			fallback = "PATRQT"
		}
	}
	if client.Kind == "backend" && request.User != "" {
		return storedToken{}, fmt.Errorf("client %s is a backend client and acts for no person: omit --user", client.ID)
	}
	if client.Kind != "backend" && !slices.Contains(client.People, kind) {
		return storedToken{}, fmt.Errorf("client %s does not act for a person of kind %q: name one of %v with --user", client.ID, kind, client.People)
	}
	if request.Patient != "" {
		return storedToken{}, fmt.Errorf("launch context (--patient): %w", ErrNotBuilt)
	}
	if request.Purpose == "" {
		request.Purpose = fallback
	}
	if !slices.Contains(client.Purposes, request.Purpose) {
		return storedToken{}, fmt.Errorf("client %s is not registered for the purpose %q: it has %v", client.ID, request.Purpose, client.Purposes)
	}
	scopes, err := t.scopes(client, kind, request.Scope)
	if err != nil {
		return storedToken{}, err
	}
	var id [12]byte
	rand.Read(id[:])
	if request.Life == 0 {
		request.Life = 12 * time.Hour
	}
	return storedToken{ID: hex.EncodeToString(id[:]), User: request.User, Client: client.ID, Scope: scopes.String(),
		Purpose: request.Purpose, Ends: t.cfg.Clock().Add(request.Life).UTC()}, nil
}

func unknown(kind, name string, planned []string) error {
	if slices.Contains(planned, name) {
		return fmt.Errorf("%s %s: %w", kind, name, ErrNotBuilt)
	}
	return fmt.Errorf("there is no %s %q", kind, name)
}

// scopes returns the requested scopes that are within the ceiling of the client and have a level
// for this kind of user (SMART-236, 242).
func (t *Tokens) scopes(client policy.Client, kind, requestedScopes string) (consent.Scopes, error) {
	ceiling, err := consent.ParseScopes(client.Scopes, r4.IsResource)
	if err != nil {
		return nil, fmt.Errorf("ceiling of client %s: %w", client.ID, err)
	}
	levels := map[string][]string{"": {"system"}, "clinician": {"user"}, "patient": {"patient", "user"}}[kind]
	ceiling = slices.DeleteFunc(ceiling, func(s consent.Scope) bool {
		return !slices.Contains(levels, s.Level) && (kind != "" || s != consent.Operations())
	})
	if requestedScopes == "" {
		return ceiling, nil
	}
	requested, err := consent.ParseScopes(requestedScopes, r4.IsResource)
	if err != nil {
		return nil, err
	}
	got := requested.Within(ceiling)
	if len(got) == 0 {
		return nil, fmt.Errorf("client %s may not have any of the scopes %q here: its ceiling is %q", client.ID, requestedScopes, ceiling)
	}
	return got, nil
}

// stateKey returns the State key of a token, with its hash.
func stateKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token/" + hex.EncodeToString(sum[:])
}

// Verify returns the Principal of a request with a bearer token (SMART-410 to 413). Errors are a
// *fhir.Error: 401 for a token that is missing, unknown or expired, or whose client or person is
// not in the policy any more; 503 if the store does not answer.
func (t *Tokens) Verify(ctx context.Context, h http.Header, address string) (consent.Principal, error) {
	token, err := bearerToken(h)
	if err != nil {
		return consent.Principal{}, err
	}
	value, err := t.cfg.State.Lookup(ctx, stateKey(token))
	if errors.Is(err, store.ErrNotFound) {
		return consent.Principal{}, invalidToken("login")
	}
	if err != nil {
		return consent.Principal{}, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "Tokens cannot be verified now. Try again."}},
			Cause: fmt.Errorf("look up a token: %w", err), Header: map[string]string{"Retry-After": "1"}}
	}
	var stored storedToken
	if err := json.Unmarshal(value, &stored); err != nil {
		return consent.Principal{}, fmt.Errorf("read a token: %w", err)
	}
	if !t.cfg.Clock().Before(stored.Ends) {
		return consent.Principal{}, invalidToken("expired")
	}
	return t.principal(ctx, stored, address)
}

func bearerToken(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: "login", Text: "An access token is required: Authorization: Bearer …"}},
			Header: map[string]string{"WWW-Authenticate": `Bearer realm="carerecord"`}}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
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

// principal builds the Principal. It is the only place that does (CON-201).
func (t *Tokens) principal(ctx context.Context, stored storedToken, address string) (consent.Principal, error) {
	client, ok := t.cfg.Policy.Client(stored.Client)
	if !ok {
		return consent.Principal{}, invalidToken("login")
	}
	scopes, err := consent.ParseScopes(stored.Scope, r4.IsResource)
	if err != nil {
		return consent.Principal{}, fmt.Errorf("read the scopes of a token: %w", err)
	}
	p := consent.Principal{
		Client: client.ID, ClientClass: client.Kind, ClientPurposes: client.Purposes, Scopes: scopes,
		Purpose: stored.Purpose, Token: stored.ID, Session: stored.ID, Address: address, At: t.cfg.Clock(),
	}
	if stored.User == "" {
		p.Kind, p.Subject, p.Organisation, p.Flow, p.IDPrefix = consent.Backend, client.ID, client.Organisation, client.Flow, client.IDPrefix
		if client.Flow == consent.FlowIngest {
			p.Kind = consent.SourceSystem
		}
		return p, nil
	}
	person, ok := t.cfg.Policy.Person(stored.User)
	if !ok {
		return consent.Principal{}, invalidToken("login")
	}
	p.Subject, p.Level = person.Subject, person.Level
	if person.Kind == "patient" {
		p.Kind = consent.Patient
		in, err := t.cfg.SignIn(ctx, person.Patient, person.BirthDate)
		if err != nil {
			return consent.Principal{}, fmt.Errorf("find the patient of a token: %w", err)
		}
		p.Patient, p.Person = in.Patient, in.Person
		if person.Level >= identified {
			p.Number = person.Patient
		}
		return p, nil
	}
	role, _ := t.cfg.Policy.Role(person.Role)
	p.Kind, p.Organisation, p.Role, p.Activities = consent.Staff, person.Organisation, person.Role, role.Activities
	if org, ok := t.cfg.Policy.Organisation(person.Organisation); ok && org.Parent != "" {
		p.Parents = []string{org.Parent}
	}
	return p, nil
}
