// Package smart verifies access tokens and makes Principals of them, in one
// place. Tokens are opaque: 256 random bits, kept hashed in the State port, so
// that reading the store gives nobody access and ending a token is immediate.
//
// The OAuth endpoints are not built yet: tokens are issued by the command
// "carerecord token", on a demo store only.
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

// Config is what Tokens are made of.
type Config struct {
	State  store.State
	Policy *policy.Folder
	// PatientByNHS returns the id of the one live Patient who bears an NHS
	// number, or "".
	PatientByNHS func(ctx context.Context, number string) (string, error)
	Clock        func() time.Time
}

// Tokens issues and verifies access tokens. It is safe for concurrent use.
type Tokens struct{ cfg Config }

// New makes Tokens.
func New(cfg Config) *Tokens { return &Tokens{cfg: cfg} }

// Spec asks for a token.
type Spec struct {
	User    string // empty for a backend client
	Client  string
	Scope   string // empty: the ceiling of the client, cut to what fits the user
	Purpose string // empty: TREAT, a patient's PATRQT
	Patient string // launch context; not built
	Life    time.Duration
}

// grant is what is kept of a token. Organisation, role and scopes' ceiling are
// not frozen in it: they are looked up each time.
type grant struct {
	ID      string    `json:"id"`
	User    string    `json:"user,omitempty"`
	Client  string    `json:"client"`
	Scope   string    `json:"scope"`
	Purpose string    `json:"purpose"`
	Ends    time.Time `json:"ends"`
}

// keepEnded is how long an ended token is still told apart from an unknown one.
const keepEnded = 24 * time.Hour

// ErrNotBuilt names people and clients of the design that do not exist yet.
var ErrNotBuilt = errors.New("not built yet")

// Issue makes a token. The error is for whoever runs the command.
func (t *Tokens) Issue(ctx context.Context, spec Spec) (string, error) {
	g, err := t.grant(spec)
	if err != nil {
		return "", err
	}
	var secret [32]byte
	rand.Read(secret[:])
	token := base64.RawURLEncoding.EncodeToString(secret[:])
	value, err := json.Marshal(g)
	if err != nil {
		return "", fmt.Errorf("issue a token: %w", err)
	}
	if err := t.cfg.State.Insert(ctx, stateKey(token), value, g.Ends.Add(keepEnded)); err != nil {
		return "", fmt.Errorf("keep a token: %w", err)
	}
	return token, nil
}

func (t *Tokens) grant(spec Spec) (grant, error) {
	client, ok := t.cfg.Policy.Client(spec.Client)
	if !ok {
		return grant{}, unknown("client", spec.Client, []string{"demo-backend", "demo-index"})
	}
	kind, fallback := "", "TREAT"
	if len(client.Purposes) == 1 {
		fallback = client.Purposes[0]
	}
	if spec.User != "" {
		person, ok := t.cfg.Policy.Person(spec.User)
		if !ok {
			return grant{}, unknown("user", spec.User, []string{"psychiatrist", "social-worker", "privacy", "parent", "teen"})
		}
		if kind = person.Kind; kind == "patient" {
			fallback = "PATRQT"
		}
	}
	if client.Kind == "backend" && spec.User != "" {
		return grant{}, fmt.Errorf("client %s is a backend client: it acts for no person", client.ID)
	}
	if client.Kind != "backend" && !slices.Contains(client.People, kind) {
		return grant{}, fmt.Errorf("client %s does not act for a person of kind %q: name one of %v with --user", client.ID, kind, client.People)
	}
	if spec.Patient != "" {
		return grant{}, fmt.Errorf("launch context (--patient): %w", ErrNotBuilt)
	}
	if spec.Purpose == "" {
		spec.Purpose = fallback
	}
	if !slices.Contains(client.Purposes, spec.Purpose) {
		return grant{}, fmt.Errorf("client %s is not registered for the purpose %q: it has %v", client.ID, spec.Purpose, client.Purposes)
	}
	scopes, err := t.scopes(client, kind, spec.Scope)
	if err != nil {
		return grant{}, err
	}
	var id [12]byte
	rand.Read(id[:])
	if spec.Life == 0 {
		spec.Life = 12 * time.Hour
	}
	return grant{ID: hex.EncodeToString(id[:]), User: spec.User, Client: client.ID, Scope: scopes.String(),
		Purpose: spec.Purpose, Ends: t.cfg.Clock().Add(spec.Life).UTC()}, nil
}

func unknown(what, name string, planned []string) error {
	if slices.Contains(planned, name) {
		return fmt.Errorf("%s %s: %w", what, name, ErrNotBuilt)
	}
	return fmt.Errorf("there is no %s %q", what, name)
}

// scopes cuts what is asked to the ceiling of the client and to the levels that
// fit who asks (SMART-236, 242).
func (t *Tokens) scopes(client policy.Client, kind, asked string) (consent.Scopes, error) {
	ceiling, err := consent.ParseScopes(client.Scopes, r4.IsResource)
	if err != nil {
		return nil, fmt.Errorf("ceiling of client %s: %w", client.ID, err)
	}
	levels := map[string][]string{"": {"system"}, "clinician": {"user"}, "patient": {"patient", "user"}}[kind]
	ceiling = slices.DeleteFunc(ceiling, func(s consent.Scope) bool {
		return !slices.Contains(levels, s.Level) && (kind != "" || s != consent.Operations())
	})
	if asked == "" {
		return ceiling, nil
	}
	want, err := consent.ParseScopes(asked, r4.IsResource)
	if err != nil {
		return nil, err
	}
	got := want.Within(ceiling)
	if len(got) == 0 {
		return nil, fmt.Errorf("client %s may not have any of the scopes %q here: its ceiling is %q", client.ID, asked, ceiling)
	}
	return got, nil
}

// stateKey is where a token is kept: under its hash.
func stateKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "token/" + hex.EncodeToString(sum[:])
}

// Verify makes the Principal of a request from its bearer token (SMART-410 to
// 413). Errors are *fhir.Error: 401 for a token that is missing, unknown or
// ended, 403 where client or person do not fit any more, 503 where the store
// does not answer.
func (t *Tokens) Verify(ctx context.Context, h http.Header, address string) (consent.Principal, error) {
	token, err := bearer(h)
	if err != nil {
		return consent.Principal{}, err
	}
	value, err := t.cfg.State.Lookup(ctx, stateKey(token))
	if errors.Is(err, store.ErrNotFound) {
		return consent.Principal{}, bad("login")
	}
	if err != nil {
		return consent.Principal{}, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "Tokens cannot be verified now. Try again."}},
			Cause: fmt.Errorf("look up a token: %w", err), Header: map[string]string{"Retry-After": "1"}}
	}
	var g grant
	if err := json.Unmarshal(value, &g); err != nil {
		return consent.Principal{}, fmt.Errorf("read a token: %w", err)
	}
	if !t.cfg.Clock().Before(g.Ends) {
		return consent.Principal{}, bad("expired")
	}
	return t.principal(ctx, g, address)
}

func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) == 0 {
		return "", &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: "login", Text: "An access token is needed: Authorization: Bearer …"}},
			Header: map[string]string{"WWW-Authenticate": `Bearer realm="carerecord"`}}
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", bad("login")
	}
	return token, nil
}

// bad is the one answer to every token that does not hold; only one that ended
// is told apart (SMART-412).
func bad(code string) *fhir.Error {
	return &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: code, Text: "The access token is not valid."}},
		Header: map[string]string{"WWW-Authenticate": `Bearer realm="carerecord", error="invalid_token"`}}
}

// principal builds the Principal: here and nowhere else (CON-201).
func (t *Tokens) principal(ctx context.Context, g grant, address string) (consent.Principal, error) {
	client, ok := t.cfg.Policy.Client(g.Client)
	if !ok {
		return consent.Principal{}, bad("login")
	}
	scopes, err := consent.ParseScopes(g.Scope, r4.IsResource)
	if err != nil {
		return consent.Principal{}, fmt.Errorf("read the scopes of a token: %w", err)
	}
	p := consent.Principal{
		Client: client.ID, ClientClass: client.Kind, ClientPurposes: client.Purposes, Scopes: scopes,
		Purpose: g.Purpose, Token: g.ID, Session: g.ID, Address: address, At: t.cfg.Clock(),
	}
	if g.User == "" {
		p.Kind, p.Subject, p.Organisation, p.Flow, p.IDPrefix = consent.Backend, client.ID, client.Organisation, client.Flow, client.IDPrefix
		if client.Flow == consent.FlowIngest {
			p.Kind = consent.SourceSystem
		}
		return p, nil
	}
	person, ok := t.cfg.Policy.Person(g.User)
	if !ok {
		return consent.Principal{}, bad("login")
	}
	p.Subject, p.Level = person.Subject, person.Level
	if person.Kind == "patient" {
		p.Kind = consent.Patient
		p.Patient, err = t.cfg.PatientByNHS(ctx, person.Patient)
		if err != nil {
			return consent.Principal{}, fmt.Errorf("find the patient of a token: %w", err)
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
