package launch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// Endpoint is the launch API (SMART-120): a registered EHR announces a launch and gets the link to open.
type Endpoint struct {
	Book   *Book
	Grants *grants.Store
	// Auth counts and records what is refused.
	Auth *clientauth.Authenticator
	// Failures limits the refused launches of each launcher, and with them its launches in progress, so that none tries which patients
	// exist (SMART-482). Over the limit every launch is refused.
	Failures     *limits.Limit
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
	ClientID  string         `json:"client_id"`
	LaunchURL string         `json:"launch_url,omitempty"` // one of the client's; may be empty if it has one
	User      string         `json:"user"`
	Patient   string         `json:"patient,omitempty"`
	NHSNumber string         `json:"nhs_number,omitempty"` // in place of patient
	Encounter string         `json:"encounter,omitempty"`
	FHIR      jsontext.Value `json:"fhirContext,omitempty"`
	Banner    *bool          `json:"need_patient_banner,omitempty"`
	Intent    string         `json:"intent,omitempty"`
	Tenant    string         `json:"tenant,omitempty"`
	Purpose   string         `json:"purpose,omitempty"`   // of use: one code
	Style     string         `json:"style_url,omitempty"` // on a web origin of the launcher (SMART-131)
}

// Serve answers POST /oauth/launch. What is refused is counted and recorded (SMART-482, 494).
func (e *Endpoint) Serve(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	attempt := clientauth.Attempt{Request: r, ID: w.Header().Get("X-Request-Id"), Event: "launch-refused"}
	launcher, err := e.launcher(ctx, r)
	if err == nil && !e.Failures.Count(launcher.Client.ID) { // before the record is read, so that launches at the same time are not more
		return e.Auth.Refused(ctx, attempt, launcher, oauth.TooMany("Too many refused launches. Try again in a minute."))
	}
	var made map[string]string
	if err == nil {
		if made, err = e.announce(ctx, w, &attempt, launcher.Client); err == nil || oauth.AsError(err).Status >= http.StatusInternalServerError {
			e.Failures.Return(launcher.Client.ID)
		}
	}
	if err != nil {
		return e.Auth.Refused(ctx, attempt, launcher, err)
	}
	return oauth.WriteJSON(w, http.StatusCreated, made)
}

// announce stores the launch that a request describes, and returns its handle and link. It notes in attempt what the request is about.
func (e *Endpoint) announce(ctx context.Context, w http.ResponseWriter, attempt *clientauth.Attempt, launcher *clients.Client) (map[string]string, error) {
	a, err := readAnnouncement(w, attempt.Request)
	if err != nil {
		return nil, err
	}
	if fhir.ValidID(a.Patient) {
		attempt.Patient = a.Patient
	}
	if err := e.unsupported(&a); err != nil {
		return nil, err
	}
	if a.Style != "" && !launcher.HasPage(a.Style) {
		return nil, oauth.Refuse(oauth.InvalidRequest, "style_url must be an https address on a registered web origin of the launcher, of at most 2000 characters.")
	}
	client, err := e.Grants.Clients.Serving(ctx, a.ClientID)
	if errors.Is(err, clients.ErrUnknown) || err == nil && !client.ForStaffOf(launcher.Organisation) {
		return nil, inconsistent("a client that is unknown, or not for the staff of the organisation")
	}
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	attempt.Of = "client/" + client.ID
	target, number, err := checkValues(&a, client)
	if err != nil {
		return nil, err
	}
	named, err := readContext([]byte(a.FHIR))
	if err != nil {
		return nil, err
	}
	l := Launch{Client: client.ID, Launcher: launcher.ID, User: a.User, Organisation: launcher.Organisation, Patient: a.Patient, Number: number, Encounter: a.Encounter,
		FHIR: named, Banner: a.Banner, Intent: a.Intent, Tenant: a.Tenant, Purpose: a.Purpose, Style: a.Style}
	switch err := e.Resolve(ctx, &l, client); {
	case errors.Is(err, ErrInconsistent):
		return nil, inconsistent(err.Error())
	case err != nil:
		return nil, oauth.Unavailable(err)
	}
	handle, err := e.Book.Announce(ctx, ledger.Event{Name: "launch-announce", Request: attempt.ID, Of: attempt.Of, Named: l.Patient,
		Agent:  audit.Agent{Kind: "client", Subject: launcher.ID, Organisation: launcher.Organisation},
		Client: audit.Client{ID: launcher.ID, Address: e.Address(attempt.Request)}}, l)
	if err != nil {
		return nil, oauth.Unavailable(err)
	}
	link, err := Link(target, e.Base, handle)
	if err != nil {
		return nil, err
	}
	return map[string]string{"launch": handle, "url": link}, nil
}

// readAnnouncement reads the body of a request: one JSON object, with each member once and spelt as it is named. The error names the member
// that is wrong.
func readAnnouncement(w http.ResponseWriter, r *http.Request) (a announcement, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, oauth.MaxBody))
	if err == nil {
		err = json.Unmarshal(body, &a, json.RejectUnknownMembers(true))
	}
	if err == nil {
		return a, nil
	}
	var wrong *json.SemanticError
	var syntax *jsontext.SyntacticError
	text := "The body must be a JSON object with client_id and user."
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		text = "The " + memberName(syntax.JSONPointer.LastToken()) + " comes twice."
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &wrong):
		text = "There is no " + memberName(wrong.JSONPointer.LastToken()) + "."
	case errors.As(err, &wrong) && wrong.JSONPointer != "":
		text = "The " + memberName(wrong.JSONPointer.LastToken()) + " has the wrong type."
	}
	return a, oauth.Refuse(oauth.InvalidRequest, text)
}

// memberForm is that of the names of members.
var memberForm = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)

// memberName names a member of a request in an error, if it may be a name: what has digits, say, may be a value (SMART-481).
func memberName(name string) string {
	if !memberForm.MatchString(name) {
		return "such member"
	}
	return "member " + name
}

// checkValues checks what the registration of the client decides, and returns the launch URL and the NHS number, which may be empty. No
// record is read, so the error names the member that is wrong.
func checkValues(a *announcement, client *clients.Client) (target, number string, err error) {
	if target, err = launchURL(client, a.LaunchURL); err != nil {
		return "", "", err
	}
	number, valid := fhir.CleanNHSNumber(a.NHSNumber)
	switch {
	case a.NHSNumber != "" && a.Patient != "":
		return "", "", oauth.Refuse(oauth.InvalidRequest, "patient and nhs_number do not come together.")
	case a.NHSNumber != "" && !valid:
		return "", "", unfit("nhs_number is no NHS number.")
	case a.Intent != "" && !slices.Contains(client.Intents, a.Intent):
		return "", "", unfit("intent is none that was agreed with the client.")
	case a.Purpose != "" && !slices.Contains(client.Purposes, a.Purpose):
		return "", "", unfit("purpose is none that the client is registered for.")
	}
	return target, number, nil
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

// launcher returns the client of the request: it has the right __launch, and a token with that scope. Of a token without, the client is
// returned beside the refusal.
func (e *Endpoint) launcher(ctx context.Context, r *http.Request) (clientauth.Result, error) {
	refused := &oauth.Error{Status: http.StatusUnauthorized, Code: oauth.InvalidToken, Description: "The token does not permit launches.",
		Header: http.Header{"Www-Authenticate": {`Bearer realm="carerecord", error="invalid_token"`}}}
	token, ok := oauth.Bearer(r.Header)
	if !ok {
		return clientauth.Result{}, refused.Because("no token")
	}
	active, err := e.Grants.Resolve(ctx, token)
	if errors.Is(err, grants.ErrInactive) {
		return clientauth.Result{}, refused.Because("a token that is not active")
	}
	if err != nil {
		return clientauth.Result{}, oauth.Unavailable(err)
	}
	granted, err := scopes.Stored(active.ScopeString())
	if err != nil {
		return clientauth.Result{}, err
	}
	launcher := clientauth.ByToken(&active)
	if !granted.Has(clients.RightLaunch) || !active.Client.HasRight(clients.RightLaunch) || active.Grant.User != "" {
		return launcher, refused.Because("a token without the right")
	}
	return launcher, nil
}

// launchURL returns the launch URL of a client (SMART-057, 122).
func launchURL(c *clients.Client, requested string) (string, error) {
	if requested == "" && len(c.LaunchURLs) == 1 {
		requested = c.LaunchURLs[0]
	}
	if !slices.Contains(c.LaunchURLs, requested) {
		return "", unfit("launch_url is none that is registered for the client.")
	}
	return requested, nil
}

// unfit is the refusal of a member that the registration of the client does not permit, which it names (SMART-127).
func unfit(description string) error {
	return &oauth.Error{Status: http.StatusUnprocessableEntity, Code: oauth.InvalidRequest, Description: description}
}

// inconsistent is the one refusal of every launch whose parts do not fit together. It does not say which, so it is the same for a patient who
// does not exist and for one whom the user may not see (SMART-127).
func inconsistent(cause string) error {
	return &oauth.Error{Status: http.StatusUnprocessableEntity, Code: oauth.InvalidRequest, Description: "Client, user, purpose, patient, encounter and fhirContext do not belong together, or the user may not see them.",
		Cause: errors.New(cause)}
}
