package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"carerecord/consent/audit"
	"carerecord/interop/pages"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
)

// maxState is the longest state in bytes (SMART-086), maxURL the longest URL of a request by GET (SMART-095).
const (
	maxState = 2048
	maxURL   = 8 << 10
)

// LongURL is the reason of the refusal of a request with a long URL, for Endpoint.Refused.
const LongURL = "url-too-long"

// ServeRequest answers GET and POST /oauth/authorize. Until client and redirect URI are known to belong together, an error is a
// page and never a redirect (SMART-083). What is refused here has no user yet, so its records are limited by source (SMART-482, 494).
func (e *Endpoint) ServeRequest(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, POST"}
	}
	if r.Method == http.MethodPost && !e.Capabilities.Has(capabilities.AuthorizePost) {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET"}
	}
	if len(r.URL.RequestURI()) > maxURL {
		e.Refused(LongURL)
		w.WriteHeader(http.StatusRequestURITooLong)
		return nil
	}
	if !e.Starts.Count(limits.Source(e.Address(r))) {
		return e.tooMany(r, nil)
	}
	form, err := oauth.ReadRequest(r)
	if err != nil {
		return e.refusedPage(w, r, nil, err)
	}
	ctx := r.Context()
	client, err := e.Grants.Clients.Serving(ctx, form.Get("client_id"))
	if errors.Is(err, clients.ErrUnknown) {
		return e.refusedPage(w, r, nil, oauth.Refuse(oauth.UnauthorizedClient, "The client is not served.").Because("%w", err))
	}
	if err != nil {
		return err
	}
	t := Transaction{Client: client.ID, Redirect: form.Get("redirect_uri"), State: form.Get("state"), Challenge: form.Get("code_challenge"), Nonce: form.Get("nonce"),
		Scope: form.Get("scope"), Prompt: form.Get("prompt"), Made: e.Grants.Ledger.Now(), Ends: e.Grants.Ledger.Now().Add(Life)}
	if t.Redirect == "" || !client.Redirects(t.Redirect) {
		return e.refusedPage(w, r, client, oauth.Refuse(oauth.InvalidRequest, "The redirect URI is not registered.").Because("the redirect URI is not registered"))
	}
	if err := e.check(ctx, client, form, &t); err != nil {
		if err := e.note(w, r, client, oauth.AsError(err)); err != nil {
			return err
		}
		return e.sendError(w, &t, err)
	}
	if has(t.Prompt, "none") && r.Method == http.MethodGet && e.Sessions.KnownBrowser(r) == "" {
		// A browser without a cookie of ours has no session. A frame in a page of another site is one, and keeps none (SMART-132).
		nobody := oauth.Refuse(oauth.LoginRequired, "Nobody is signed in.")
		if err := e.note(w, r, client, nobody); err != nil {
			return err
		}
		return e.sendError(w, &t, nobody)
	}
	t.Kind, t.Browser = kindOf(client, t.Launch), e.Sessions.Browser(w, r) // "" for a post of another site
	id, err := e.open(ctx, t)
	if errors.Is(err, errTooMany) {
		return e.tooMany(r, err)
	}
	if err != nil {
		return err
	}
	see(w, Continue(id))
	return nil
}

// refusedPage records a request whose answer is a page, because nothing may go to the redirect URI. client is nil where it is not known.
func (e *Endpoint) refusedPage(w http.ResponseWriter, r *http.Request, client *clients.Client, err error) error {
	refusal := oauth.AsError(err)
	if err := e.note(w, r, client, refusal); err != nil {
		return err
	}
	return pages.Fail(pages.BadRequest, refusal)
}

// note records a request that is refused before its transaction begins. The error replaces the answer: the source sends too many, or there
// is no record.
func (e *Endpoint) note(w http.ResponseWriter, r *http.Request, client *clients.Client, refusal *oauth.Error) error {
	if refusal.Status >= http.StatusInternalServerError {
		return nil
	}
	event := ledger.Event{Name: "authorization-refused", Request: w.Header().Get("X-Request-Id"), Of: "endpoint/authorize", Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: e.Address(r)},
		Refused: refusal.Code, Status: refusal.Status}
	if client != nil {
		event.Of, event.Client.ID = "client/"+client.ID, client.ID
	}
	if refusal.Cause != nil {
		event.Detail = refusal.Cause.Error()
	}
	within, err := e.Refusals.Note(r.Context(), event)
	if err == nil && !within {
		return pages.Fail(pages.TooMany, refusal)
	}
	return err
}

// challengeForm is that of a code challenge (SMART-112).
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// check checks a request of a known client and redirect URI. The error is an *oauth.Error, which is sent to the client.
func (e *Endpoint) check(ctx context.Context, client *clients.Client, form oauth.Form, t *Transaction) error {
	refuse := oauth.Refuse
	switch {
	case form.Has("request"):
		return refuse(oauth.RequestNotSupported, "Request objects are not supported.")
	case form.Has("request_uri"):
		return refuse(oauth.RequestURINotSupported, "Request objects are not supported.")
	case form.Get("response_type") != "code":
		return refuse(oauth.UnsupportedResponseType, "response_type must be code.")
	case form.Has("response_mode") && form.Get("response_mode") != "query":
		return refuse(oauth.InvalidRequest, "response_mode must be query.")
	case t.State == "" || len(t.State) > maxState:
		t.State = ""
		return refuse(oauth.InvalidRequest, "state is required, with at most 2048 bytes.")
	case form.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(t.Challenge):
		return refuse(oauth.InvalidRequest, "PKCE is required: code_challenge with code_challenge_method S256.")
	case !e.isAudience(form.Get("aud"), form.Get("resource")):
		return refuse(oauth.InvalidRequest, "aud must be the FHIR base of this server.")
	case client.Kind == clients.Backend:
		return refuse(oauth.UnauthorizedClient, "A backend client uses client_credentials.")
	}
	set, _, err := scopes.Parse(t.Scope, client.Rights)
	launched := form.Has("launch")
	if !launched && !e.Capabilities.Has(capabilities.LaunchStandalone) {
		return refuse(oauth.InvalidRequest, "Apps are launched by an EHR alone: launch is required.")
	}
	if set = e.Capabilities.Permitted(set, launched); err == nil && set.Empty() {
		err = errors.New("the server has none of the scopes")
	}
	if err != nil {
		return refuse(oauth.InvalidScope, "No scope is understood.").Because("%w", err)
	}
	for prompt := range strings.FieldsSeq(t.Prompt) {
		switch prompt {
		case "none", "login", "consent", "select_account":
		default:
			return refuse(oauth.InvalidRequest, "prompt is not understood.")
		}
	}
	if set.Has(scopes.Launch) != launched {
		return refuse(oauth.InvalidRequest, "The parameter launch and the scope launch come together.")
	}
	if !launched {
		return nil
	}
	l, err := e.Launches.Take(ctx, form.Get("launch"), client.ID)
	if errors.Is(err, launch.ErrUnknown) {
		return refuse(oauth.InvalidRequest, "The launch is not known.").Because("%w", err)
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	t.Launch = &l
	return nil
}

// isAudience checks aud, and resource as another name of it (SMART-087).
func (e *Endpoint) isAudience(aud, resource string) bool {
	if aud != "" && resource != "" && aud != resource {
		return false
	}
	if aud == "" {
		aud = resource
	}
	return aud == e.Base || aud == e.Base+"/"
}

// sendError sends the browser back to the client with an error (SMART-089).
func (e *Endpoint) sendError(w http.ResponseWriter, t *Transaction, err error) error {
	refusal := oauth.AsError(err)
	if refusal.Status >= http.StatusInternalServerError {
		return err
	}
	e.Refused(refusal.Code)
	e.sendBack(w, t, refusalOf(refusal))
	return nil
}

func refusalOf(e *oauth.Error) url.Values {
	return url.Values{"error": {e.Code}, "error_description": {e.Description}}
}

// sendBack sends the browser to the redirect URI with parameters.
func (e *Endpoint) sendBack(w http.ResponseWriter, t *Transaction, with url.Values) {
	see(w, e.backTo(t, with))
}

// backTo returns the redirect URI with parameters, state and iss (SMART-088).
func (e *Endpoint) backTo(t *Transaction, with url.Values) string {
	with.Set("iss", e.Base)
	if t.State != "" {
		with.Set("state", t.State)
	}
	separator := "?"
	if strings.Contains(t.Redirect, "?") {
		separator = "&"
	}
	return t.Redirect + separator + with.Encode()
}
