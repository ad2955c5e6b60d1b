package launch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// Endpoint is the launch API (SMART-120): a registered EHR announces a launch and gets the link to open.
type Endpoint struct {
	Book         *Book
	Grants       *grants.Store
	Base         string // the FHIR base, for iss
	Address      func(*http.Request) string
	Capabilities capabilities.Set
	// Resolve checks a launch as its user sees the record, and fills in the patient and its person: the user is known and of
	// the launcher's organisation, the Patient, the Encounter and what fhirContext refers to are visible, and the Encounter is the
	// patient's (SMART-127), and a role of the user permits the purpose of use (SMART-430). An NHS number names one person (SMART-129).
	// It returns ErrInconsistent if not.
	Resolve func(ctx context.Context, l *Launch, client *clients.Client) error
}

// ErrInconsistent: the parts of a launch do not belong together, or its user may not see them.
var ErrInconsistent = errors.New("the launch is not consistent")

// announcement is the body of a request.
type announcement struct {
	ClientID  string          `json:"client_id"`
	LaunchURL string          `json:"launch_url,omitempty"` // one of the client's; may be empty if it has one
	User      string          `json:"user"`
	Patient   string          `json:"patient,omitempty"`
	NHSNumber string          `json:"nhs_number,omitempty"` // in place of patient
	Encounter string          `json:"encounter,omitempty"`
	FHIR      json.RawMessage `json:"fhirContext,omitempty"`
	Banner    *bool           `json:"need_patient_banner,omitempty"`
	Intent    string          `json:"intent,omitempty"`
	Tenant    string          `json:"tenant,omitempty"`
	Purpose   string          `json:"purpose,omitempty"`   // of use: one code
	Style     string          `json:"style_url,omitempty"` // on a web origin of the launcher (SMART-131)
}

// Serve answers POST /oauth/launch.
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	launcher, err := e.launcher(ctx, r)
	if err != nil {
		return err
	}
	var a announcement
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, oauth.MaxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return oauth.Refuse(oauth.InvalidRequest, "The body must be a JSON object with client_id and user.").Because("%w", err)
	}
	if err := e.unsupported(&a); err != nil {
		return err
	}
	if a.Style != "" && !launcher.HasPage(a.Style) {
		return oauth.Refuse(oauth.InvalidRequest, "style_url must be an https address on a registered web origin of the launcher, of at most 2000 characters.")
	}
	client, err := e.Grants.Clients.Serving(ctx, a.ClientID)
	if errors.Is(err, clients.ErrUnknown) {
		return inconsistent("an unknown client")
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	target, refused := launchURL(client, a.LaunchURL)
	if refused != nil {
		return refused
	}
	number, valid := fhir.CleanNHSNumber(a.NHSNumber)
	switch {
	case a.NHSNumber != "" && a.Patient != "":
		return oauth.Refuse(oauth.InvalidRequest, "patient and nhs_number do not come together.")
	case a.NHSNumber != "" && !valid:
		return inconsistent("nhs_number is no NHS number")
	case a.Intent != "" && !slices.Contains(client.Intents, a.Intent):
		return inconsistent("the intent was not agreed with the client")
	case a.Purpose != "" && !slices.Contains(client.Purposes, a.Purpose):
		return inconsistent("the client is not registered for the purpose")
	}
	named, refused := readContext(a.FHIR)
	if refused != nil {
		return refused
	}
	l := Launch{Client: client.ID, Launcher: launcher.ID, User: a.User, Organisation: launcher.Organisation, Patient: a.Patient, Number: number, Encounter: a.Encounter,
		FHIR: named, Banner: a.Banner, Intent: a.Intent, Tenant: a.Tenant, Purpose: a.Purpose, Style: a.Style}
	switch err := e.Resolve(ctx, &l, client); {
	case errors.Is(err, ErrInconsistent):
		return inconsistent(err.Error())
	case err != nil:
		return oauth.Unavailable(err)
	}
	handle, err := e.Book.Announce(ctx, ledger.Event{Name: "launch-announce", Request: w.Header().Get("X-Request-Id"), Of: "client/" + client.ID, Named: l.Patient,
		Agent:  audit.Agent{Kind: "client", Subject: launcher.ID, Organisation: launcher.Organisation},
		Client: audit.Client{ID: launcher.ID, Address: e.Address(r)}}, l)
	if err != nil {
		return oauth.Unavailable(err)
	}
	link, err := Link(target, e.Base, handle)
	if err != nil {
		return err
	}
	return oauth.WriteJSON(w, http.StatusCreated, map[string]string{"launch": handle, "url": link})
}

// unsupported refuses the parts of an announcement whose capabilities are off (SMART-006).
func (e *Endpoint) unsupported(a *announcement) error {
	for _, part := range []struct {
		sent             bool
		name, capability string
	}{{a.Patient != "" || a.NHSNumber != "", "patient", capabilities.ContextEHRPatient}, {a.Encounter != "", "encounter", capabilities.ContextEHREncounter},
		{a.Banner != nil, "need_patient_banner", capabilities.ContextBanner}, {a.Style != "", "style_url", capabilities.ContextStyle}} {
		if part.sent && !e.Capabilities.Has(part.capability) {
			return oauth.Refuse(oauth.InvalidRequest, part.name+" is not supported here.")
		}
	}
	return nil
}

// launcher returns the client of the request: it has the right __launch, and a token with that scope.
func (e *Endpoint) launcher(ctx context.Context, r *http.Request) (*clients.Client, error) {
	refused := &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: "The token does not permit launches.",
		Header: http.Header{"Www-Authenticate": {`Bearer realm="carerecord", error="invalid_token"`}}}
	token, ok := oauth.Bearer(r.Header)
	if !ok {
		return nil, refused
	}
	active, err := e.Grants.Resolve(ctx, token)
	if errors.Is(err, grants.ErrInactive) {
		return nil, refused
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	granted, err := scopes.Stored(active.ScopeString())
	if err != nil {
		return nil, err
	}
	if !granted.Has(clients.RightLaunch) || !active.Client.HasRight(clients.RightLaunch) || active.Grant.User != "" {
		return nil, refused
	}
	return active.Client, nil
}

// launchURL returns the launch URL of a client (SMART-057, 122).
func launchURL(c *clients.Client, requested string) (string, error) {
	if requested == "" && len(c.LaunchURLs) == 1 {
		requested = c.LaunchURLs[0]
	}
	if !slices.Contains(c.LaunchURLs, requested) {
		return "", inconsistent("launch_url is none of the client's")
	}
	return requested, nil
}

// inconsistent is the one refusal of every launch that does not fit together (SMART-127).
func inconsistent(cause string) error {
	return &oauth.Error{Status: http.StatusUnprocessableEntity, Code: oauth.InvalidRequest, Description: "Client, launch URL, user, patient and encounter do not belong together, or the user may not see them.",
		Cause: errors.New(cause)}
}
