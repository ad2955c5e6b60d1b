package clientauth

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"strings"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
)

// maxNamed is the longest client id that is counted by itself, in bytes. Whoever sends longer ones fills no memory with them.
const maxNamed = 200

// LimitName is the name under which failures are counted: of a client at an address, as the request names it, so that the failures of one
// client never block another one behind the same address (SMART-483).
func LimitName(r *http.Request, form oauth.Form, address string) string {
	id := form.Get("client_id")
	if user, _, ok := basicOf(r.Header); ok {
		id = user
	} else if form.Has("client_assertion") {
		id = issuerOf(form.Get("client_assertion"))
	}
	if len(id) > maxNamed {
		id = " "
	}
	return id + " " + limits.Source(address)
}

// issuerOf returns the client that an assertion names, without any check; "" for none.
func issuerOf(assertion string) string {
	_, rest, _ := strings.Cut(assertion, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// Attempt is a request whose client is authenticated.
type Attempt struct {
	*http.Request
	Form  oauth.Form
	ID    string // of the request
	Named Named
	Event string // the name of the audit record of a refusal
	// Of is what the request is about, as client/ID, and Patient the id of the Patient that it names, both for the audit record of a refusal.
	// An empty Of is the endpoint.
	Of, Patient string
}

// Named looks up the client of a request that names none itself, as that of a refresh token; it returns "" for none. The error is that of the
// store. nil names nobody.
type Named func(ctx context.Context) (string, error)

// Checked authenticates the client of a request and calls serve with it, within the limits: it counts and records what either refuses
// (SMART-482, 494), with the exact reason (SMART-337). Over the limit nothing is looked up. A request counts as a failure until serve has
// returned, so guesses at the same time are not more than the limit either.
func (a *Authenticator) Checked(ctx context.Context, t Attempt, serve func(Result) error) error {
	address := a.Address(t.Request)
	name := LimitName(t.Request, t.Form, address)
	if !a.Failures.Count(name) {
		a.Refusals.Count(address)
		return tooMany()
	}
	failed := false
	defer func() {
		if !failed {
			a.Failures.Return(name)
		}
	}()
	result, err := a.Authenticate(ctx, t.Request, t.Form, t.Named)
	if err != nil {
		result = Result{}
	} else if err = serve(result); err == nil {
		return nil
	}
	if e := oauth.AsError(err); e.Status < http.StatusInternalServerError {
		failed = e.Code == oauth.InvalidClient || e.Code == oauth.InvalidGrant
	}
	return a.Refused(ctx, t, result, err)
}

// Refused records the refusal of a request, and returns the error to answer. result is the client; the zero Result if
// it was not authenticated. An error of status 500 or more is not recorded: the caller may try again. One of status
// 429 is counted alone.
// The records of a client that is nobody, or only says who it is, and those of a user who sends a token of the client, are limited by
// source; those of another client by client.
func (a *Authenticator) Refused(ctx context.Context, t Attempt, result Result, err error) error {
	refusal := oauth.AsError(err)
	if refusal.Status >= http.StatusInternalServerError {
		return err
	}
	address := a.Address(t.Request)
	if refusal.Status == http.StatusTooManyRequests {
		a.Refusals.Count(address)
		return err
	}
	e := ledger.Event{Request: t.ID, Name: t.Event, Of: cmp.Or(t.Of, "endpoint/"+path.Base(t.URL.Path)), Named: t.Patient, Status: refusal.Status, Refused: refusal.Code, Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: address}}
	if refusal.Cause != nil {
		e.Detail = refusal.Cause.Error()
	}
	if c := result.Client; c != nil {
		e.Agent, e.Client.ID = audit.Agent{Kind: "client", Subject: c.ID, Organisation: c.Organisation}, c.ID
	}
	note := a.Refusals.Note
	switch {
	case result.User != nil:
		e.Agent = *result.User
	case result.Client != nil && result.Method != None:
		note = a.Refusals.NoteClient
	}
	switch within, unrecorded := note(ctx, e); {
	case unrecorded != nil:
		return oauth.Unavailable(unrecorded)
	case !within:
		return tooMany()
	}
	return err
}

func tooMany() error { return oauth.TooMany("Too many failed requests. Try again in a minute.") }
