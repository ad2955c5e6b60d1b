package clientauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
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
	if user, _, ok := r.BasicAuth(); ok {
		if id = user; strings.Contains(user, "%") {
			if decoded, err := url.QueryUnescape(user); err == nil {
				id = decoded
			}
		}
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
