package authorize

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/r4"
	"carerecord/interop/pages"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// progress is how far a transaction is: what is known, in the order of the steps.
type progress struct {
	began      time.Time // before anything was read that may end the grant
	stored     ledger.Value[Transaction]
	t          Transaction
	client     *clients.Client
	session    *session.Session
	person     policy.Person
	set        scopes.Set // that may be granted
	own        record.Patient
	patient    record.Patient     // in context; the zero Patient for none
	encounters []record.Encounter // to choose from
	roles      []policy.RoleAt    // to choose from; nil where the role is known
	list       []grants.Listed    // of the person, once they are listed
	listed     bool
	// form is the step whose form is posted and whose answer the further steps need; empty for none.
	form string
}

// granted returns the function that lists the grants of the person, which it reads once in a request.
func (p *progress) granted(e *Endpoint) func(context.Context) ([]grants.Listed, error) {
	return func(ctx context.Context) (_ []grants.Listed, err error) {
		if !p.listed {
			p.list, err = e.Grants.OfUser(ctx, p.person.User)
			p.listed = err == nil
		}
		return p.list, err
	}
}

// errAnswered: the step has written its answer: a page, or a redirect.
var errAnswered = errors.New("answered")

// advance goes through the steps and shows the page of the first that needs a person.
func (e *Endpoint) advance(q *request) error {
	p, err := e.progress(q)
	if err == nil {
		err = e.ask(q, p)
	}
	return e.finish(q, p, err)
}

// finish makes the answer of the error of a step.
func (e *Endpoint) finish(q *request, p *progress, err error) error {
	var refusal *oauth.Error
	switch {
	case errors.Is(err, errAnswered):
		return nil
	case errors.Is(err, errEnded):
		return e.ended(err)
	case errors.As(err, &refusal) && refusal.Status < http.StatusInternalServerError && p != nil && p.t.Redirect != "":
		return e.refuse(q, p, refusal)
	}
	return err
}

// refuse ends the transaction with a refusal, in one step with its audit record, and sends the browser back to the client. Of two posts
// of one form one succeeds.
func (e *Endpoint) refuse(q *request, p *progress, refusal *oauth.Error) error {
	way, to, err := e.way(q, p, refusalOf(refusal))
	if err != nil {
		return err
	}
	event := e.refusal(q, p, refusal)
	if p.t.Told != "" { // the refusal was recorded with the page that told it
		event.Name = "authorization-left"
	}
	err = e.Grants.Ledger.Write(context.WithoutCancel(q.r.Context()), event, append(way, p.stored.Remove())...)
	if ledger.Changed(err) {
		return e.ended(errEnded)
	}
	if err != nil {
		return err
	}
	if p.t.Told == "" {
		e.Refused(refusal.Code)
	}
	see(q.w, to)
	return nil
}

// progress goes through the steps that need nobody, as far as they go. Every step checks again what the steps before it found.
func (e *Endpoint) progress(q *request) (*progress, error) {
	ctx := q.r.Context()
	browser := e.Sessions.KnownBrowser(q.r)
	if browser == "" && q.r.Method == http.MethodGet {
		browser = e.Sessions.Browser(q.w, q.r)
	}
	began := e.Grants.Ledger.Now()
	stored, err := e.read(ctx, browser, q.id)
	if err != nil {
		return nil, err
	}
	p := &progress{began: began, stored: stored, t: stored.Content}
	p.client, err = e.Grants.Clients.Serving(ctx, p.t.Client)
	if errors.Is(err, clients.ErrUnknown) || err == nil && !p.client.Redirects(p.t.Redirect) {
		return nil, e.refusedPage(q.w, q.r, nil, oauth.Refuse(oauth.UnauthorizedClient, "The client is not served.").Because("the client is not served any more"))
	}
	if err != nil {
		return nil, err
	}
	for _, step := range []func(*request, *progress) error{e.kind, e.signedIn, e.mayUse, e.role, e.purpose, e.scopes, e.patient, e.encounter} {
		if err := step(q, p); err != nil || p.form != "" {
			return p, err
		}
	}
	return p, nil
}

// answers reports whether the request posts the form of a step.
func (q *request) answers(step string) bool { return q.r.Method == http.MethodPost && q.step == step }

// kind decides which kind of people signs in (SMART-189): that of the client, of the launch, or of the reader's choice.
func (e *Endpoint) kind(q *request, p *progress) error {
	if known := kindOf(p.client, p.t.Launch); known != "" {
		p.t.Kind = known
	}
	if p.t.Kind != "" {
		return nil
	}
	if has(p.t.Prompt, "none") {
		return oauth.Refuse(oauth.InteractionRequired, "A person has to choose how to sign in.")
	}
	if q.answers(stepKind) {
		p.form = stepKind
		return nil
	}
	return e.show(q, p, http.StatusOK, kindPage(q, p))
}

// kindOf returns the kind of people that a client or a launch decides; empty where the reader chooses.
func kindOf(c *clients.Client, l *launch.Launch) session.Kind {
	switch {
	case l == nil && c.Governs():
		return session.Administrator
	case l != nil && l.Own:
		return session.Patient
	case l != nil || len(c.Audience) == 1 && c.Audience[0] != clients.ForPatients:
		return session.Staff
	case len(c.Audience) == 1:
		return session.Patient
	}
	return ""
}

// signedIn needs a session of the kind; without one it sends the browser to sign in.
func (e *Endpoint) signedIn(q *request, p *progress) error {
	s, err := e.Sessions.Current(q.r, p.t.Kind)
	again := has(p.t.Prompt, "login")
	if err == nil && s.ID != p.t.NotSession && (!again || !s.Started.Before(p.t.Made)) {
		p.session = s
		return nil
	}
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	if has(p.t.Prompt, "none") {
		return oauth.Refuse(oauth.LoginRequired, "Nobody is signed in.")
	}
	if q.r.Method == http.MethodPost {
		see(q.w, Continue(q.id)) // the session ended while the page was open
		return errAnswered
	}
	if !e.SignIns.Count(limits.Source(e.Address(q.r))) { // each is a value in State, and nobody has signed in yet
		return e.tooMany(q.r, nil)
	}
	err = e.SignIn.Start(q.w, q.r, signin.Request{Transaction: q.id, Kind: p.t.Kind, Login: again || p.t.NotSession != ""})
	var failed *signin.Error
	if errors.As(err, &failed) && failed.Reason == signin.Down {
		return &pages.Failure{Kind: pages.ProviderDown, Retry: Continue(q.id), Err: err}
	}
	if err != nil {
		return err
	}
	return errAnswered
}

// mayUse checks what depends neither on a role nor on a patient (SMART-093, 125, 126).
func (e *Endpoint) mayUse(q *request, p *progress) error {
	denied := oauth.Refuse(oauth.AccessDenied, "The user may not use this app.")
	person, ok := e.Policy.Person(p.session.Account)
	p.person = person
	audience := person.Kind
	if audience == policy.KindProxy {
		audience = clients.ForPatients
	}
	switch {
	case !ok || !person.SignsInAs(p.session.Issuer, p.session.Subject):
		return denied.Because("the user is not in the policy")
	case !slices.Contains(p.client.Audience, audience):
		return e.another(q, p, "the app is not for people of this kind")
	case p.t.Launch != nil && p.t.Launch.User != person.User:
		return e.another(q, p, "another user than the launch expects")
	case person.Kind == policy.KindAdministrator && p.client.Organisation != "" && p.client.Organisation != person.Organisation:
		return denied.Because("the app is another organisation's")
	case person.Kind == policy.KindProxy && len(authorities(person)) == 0:
		return e.stop(q, p, pages.NoAuthority)
	}
	return nil
}

// authorities are the records for which a proxy has an authority that is valid now (SMART-143). There are none until the consent
// engine knows authorities, so a proxy uses no app.
func authorities(policy.Person) []record.Patient { return nil }

// stop shows why the person cannot use the app, and what to do next. The form of the page, or prompt=none, sends the browser back
// with access_denied (SMART-147).
func (e *Endpoint) stop(q *request, p *progress, reason pages.RefusalReason) error {
	refusal := denied(string(reason))
	if has(p.t.Prompt, "none") {
		return refusal
	}
	if q.answers(stepLeave) {
		p.form = stepLeave
		return nil
	}
	if err := e.tell(q, p, refusal, string(reason)); err != nil {
		return err
	}
	return e.show(q, p, http.StatusForbidden, pages.Refusal{Action: Continue(q.id) + "/" + stepLeave, App: p.client.Name, Reason: reason})
}

// errPurpose: the client is not registered for the purpose of use, or the person may not have it in the role.
var errPurpose = errors.New("the purpose of use is not permitted")

// purpose checks the purpose of use, which the client and the role must permit (SMART-430).
func (e *Endpoint) purpose(_ *request, p *progress) error {
	purpose := p.purpose()
	switch {
	case !slices.Contains(p.client.Purposes, purpose):
		return oauth.Refuse(oauth.AccessDenied, "The user may not use this app.").Because("%w: the app is not registered for %s", errPurpose, purpose)
	case !e.Policy.PermitsPurpose(p.person, purpose):
		return oauth.Refuse(oauth.AccessDenied, "The user may not use this app.").Because("%w: the role does not have %s", errPurpose, purpose)
	}
	return nil
}

// purpose returns the purpose of use of what the person authorizes: that of the launch, or the default (SMART-430).
func (p *progress) purpose() string {
	if p.t.Launch != nil && p.t.Launch.Purpose != "" {
		return p.t.Launch.Purpose
	}
	return p.person.DefaultPurpose()
}

// scopes cuts the requested scopes to what may be granted (SMART-236, 242, 244).
func (e *Endpoint) scopes(_ *request, p *progress) error {
	set, _, err := scopes.Parse(p.t.Scope, p.client.Rights)
	if err != nil {
		return err
	}
	ceiling, err := p.client.Ceiling(r4.IsResource)
	if err != nil {
		return err
	}
	set = e.Capabilities.Permitted(set.Within(ceiling).WithoutLevel("system"), p.t.Launch != nil)
	if !set.Has(scopes.OpenID) {
		set = set.Without(scopes.FHIRUser, scopes.Profile)
	}
	if !p.client.Offline {
		set = set.Without(scopes.OfflineAccess)
	}
	if set.Has(scopes.OfflineAccess) || p.t.Launch == nil {
		set = set.Without(scopes.OnlineAccess)
	}
	if l := p.t.Launch; l != nil {
		if l.Encounter == "" { // a hint alone (SMART-128)
			set = set.Without(scopes.LaunchEncounter)
		}
		if l.Patient == "" && !set.Level("patient") {
			set = set.Without(scopes.LaunchPatient)
		}
		if l.Patient == "" && set.Level("patient") && p.client.NoPatientChoice {
			return oauth.Refuse(oauth.AccessDenied, "The launch has no patient.").Because("the client lets nobody choose one")
		}
	}
	if p.person.Kind == policy.KindAdministrator {
		set = set.Without(scopes.FHIRUser) // there is no resource of an administrator (SMART-384)
		role, _ := e.Policy.Role(p.person.Role)
		set = governing(set, role)
	}
	if p.set = set; !set.Useful() {
		return oauth.Refuse(oauth.InvalidScope, "None of the scopes can be granted.")
	}
	return nil
}

// governing returns the set without the rights that the role of an administrator does not have (SMART-209).
func governing(set scopes.Set, role policy.Role) scopes.Set {
	if !slices.Contains(role.Activities, policy.ActivityClients) {
		set = set.Without(clients.RightClients)
	}
	if !slices.Contains(role.Activities, policy.ActivityApps) {
		set = set.Without(clients.RightApps)
	}
	if !slices.Contains(role.Activities, policy.ActivityOperations) {
		set.Resources = nil
	}
	return set
}

// user is the user who reads the record for the transaction.
func (p *progress) user() record.User {
	return record.User{Person: p.person, Client: p.client, Purpose: p.purpose()}
}

// has reports whether a space-separated list has a word.
func has(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// refusal returns the audit record of a refusal (SMART-494).
func (e *Endpoint) refusal(q *request, p *progress, refusal *oauth.Error) ledger.Event {
	event := e.event(q, p, "authorization-refused")
	event.Refused, event.Status = refusal.Code, http.StatusForbidden
	if errors.Is(refusal.Cause, errPurpose) {
		event.Refused, event.Detail = consent.PurposeRefused, refusal.Cause.Error()
	}
	return event
}

// tell records a refusal that a page is about to tell, once, however often the page is loaded.
func (e *Endpoint) tell(q *request, p *progress, refusal *oauth.Error, reason string) error {
	if p.t.Told == reason {
		return nil
	}
	told := p.stored
	told.Content = p.t
	told.Content.Told = reason
	w, err := told.Change(p.t.Ends)
	if err != nil {
		return err
	}
	err = e.Grants.Ledger.Write(context.WithoutCancel(q.r.Context()), e.refusal(q, p, refusal), w)
	if ledger.Changed(err) {
		return nil // another request of the browser tells it
	}
	if err == nil {
		e.Refused(refusal.Code)
	}
	return err
}
