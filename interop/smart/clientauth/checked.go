package clientauth

import (
	"context"
	"net/http"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
)

// LimitName is the name under which failures are counted: of a client at an address.
func LimitName(r *http.Request, form oauth.Form, address string) string {
	id := form.Get("client_id")
	if user, _, ok := r.BasicAuth(); ok {
		id = user
	}
	return id + " " + address
}

// Checked is Authenticate for endpoints that record nothing else of a refusal: it limits, counts and records failed authentications
// (SMART-482, 494), with the exact reason (SMART-337).
func (a *Authenticator) Checked(ctx context.Context, r *http.Request, form oauth.Form, request string) (Result, error) {
	address := a.Address(r)
	name := LimitName(r, form, address)
	if a.Failures.Exceeded(name) {
		return Result{}, oauth.TooMany("Too many failed requests. Try again in a minute.")
	}
	result, err := a.Authenticate(ctx, r, form, "")
	refusal := oauth.AsError(err)
	if err == nil || refusal.Code != oauth.InvalidClient {
		return result, err
	}
	a.Failures.Count(name)
	e := ledger.Event{Request: request, Name: "client-refused", Status: refusal.Status, Refused: refusal.Code, Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: address}}
	if refusal.Cause != nil {
		e.Detail = refusal.Cause.Error()
	}
	if unrecorded := a.Clients.Ledger.Note(ctx, e); unrecorded != nil {
		return Result{}, oauth.Unavailable(unrecorded)
	}
	return result, err
}
