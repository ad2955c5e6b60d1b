package authorize

import (
	"net/http"

	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/screen"
	"carerecord/interop/smart/session"
)

// The last parts of the paths of forms.
const (
	stepKind      = "kind"
	stepRole      = "role"
	stepLeave     = "leave"
	stepAnother   = "another"
	stepEncounter = "encounter"
	stepSearch    = "search"
	stepPatient   = "patient"
	stepDecision  = "decision"
)

// StepReminder is the last part of the path of the form of a reminder.
const StepReminder = "reminder"

// isStep reports whether the last part of a path is that of a form.
func isStep(name string) bool {
	switch name {
	case stepKind, stepRole, stepSearch, stepPatient, stepEncounter, stepDecision, stepLeave, stepAnother, StepReminder:
		return true
	}
	return false
}

// ask shows the page of the step that needs a person, or ends the transaction if none does.
func (e *Endpoint) ask(q *request, p *progress) error {
	quiet := has(p.t.Prompt, "none")
	if !quiet {
		if err := e.remind(q, p); err != nil {
			return err
		}
	}
	switch {
	case p.needsPatient() && quiet:
		return oauth.Refuse(oauth.InteractionRequired, "A person has to choose the patient.")
	case p.needsPatient():
		return e.show(q, p, http.StatusOK, e.searchPage(q, p))
	case len(p.encounters) > 0 && quiet:
		return oauth.Refuse(oauth.InteractionRequired, "A person has to choose the encounter.")
	case len(p.encounters) > 0:
		return e.show(q, p, http.StatusOK, encounterPage(q, p))
	case p.person.Kind == policy.KindAdministrator: // nothing of a record is shared, and the page has no text for it
		return e.grant(q, p, p.set, decision{by: "client/" + p.client.ID})
	}
	if approval, ok := e.approved(p); ok {
		return e.grant(q, p, p.set, decision{by: grants.ApprovedBy(approval.ID), ends: approval.Ends})
	}
	before, set, err := e.earlier(q, p)
	switch {
	case err != nil:
		return err
	case before != nil:
		return e.grant(q, p, set, decision{repeats: before.ID, by: grants.RepeatOf(before.ID), until: before.Ends})
	case quiet:
		return oauth.Refuse(oauth.ConsentRequired, "A person has to agree.")
	}
	page, shown := e.consentPage(q, p)
	if !shown.Useful() {
		return oauth.Refuse(oauth.InvalidScope, "None of the scopes can be granted.")
	}
	return e.show(q, p, http.StatusOK, page)
}

// approved returns the approval by which no consent page is shown: that of the organisation for which a member of staff acts, in force,
// for the purpose and for everything that may be granted of the request (SMART-220), if the answer reaches nobody but the app (SMART-222).
// A request for more is asked for on the page as a whole.
func (e *Endpoint) approved(p *progress) (clients.OrganisationApproval, bool) {
	if p.person.Kind != policy.KindStaff || !p.client.Reached(p.t.Redirect) || has(p.t.Prompt, "consent") {
		return clients.OrganisationApproval{}, false
	}
	a, ok := p.client.ApprovalOf(p.person.Organisation, e.Grants.Ledger.Now())
	if !ok || a.Purpose != p.purpose() {
		return a, false
	}
	set, err := scopes.Stored(a.Scopes)
	return a, err == nil && set.Covers(p.set)
}

// kindPage asks which kind of people signs in (SMART-189).
func kindPage(q *request, p *progress) pages.SignIn {
	return pages.SignIn{Action: Continue(q.id) + "/" + stepKind, App: p.client.Name,
		Kinds: []pages.SignInKind{{Value: string(session.Patient), Text: pages.PersonPatient}, {Value: string(session.Staff), Text: pages.PersonStaff}}}
}

func (e *Endpoint) searchPage(q *request, p *progress) pages.PatientSearch {
	return pages.PatientSearch{Action: Continue(q.id) + "/" + stepSearch, App: p.client.Name}
}

// consentPage returns the page of SMART-211, and the scopes that it shows.
func (e *Endpoint) consentPage(q *request, p *progress) (pages.Consent, scopes.Set) {
	groups, writes, shown := screen.Offer(p.set, e.Pages.Catalogue())
	page := pages.Consent{Action: Continue(q.id) + "/" + stepDecision, App: p.client.Name, Publisher: p.client.Publisher, Reviewed: len(p.client.Approved) > 0,
		Person: p.patient.Name, NHSNumber: masked(p.patient.Number), Self: p.own.ID != "", Staff: p.person.Kind == policy.KindStaff, Groups: groups, Writes: writes, Identity: shown.Has(scopes.OpenID), StopPath: e.StopPathOf(p.t.Kind)}
	if shown.Has(scopes.OfflineAccess) {
		page.Offline = e.Grants.Ledger.Now().Add(e.Lives.For(p.client).OfflineTotal)
	}
	return page, shown
}

// masked shows the last four digits of an NHS number (SMART-142).
func masked(number string) string {
	if len(number) != 10 {
		return ""
	}
	return "••• ••• " + number[6:]
}

// show renders a page of the transaction.
func (e *Endpoint) show(q *request, p *progress, status int, page pages.Page) error {
	o := pages.Options{Binding: p.binding(), Transaction: q.id, FormScheme: privateScheme(p.t.Redirect), Logo: e.Grants.Clients.LogoPath(p.client), App: p.client.Name}
	if p.session != nil {
		o.Account = p.session.Account
	}
	if err := e.Pages.Render(q.w, q.r, status, page, o); err != nil {
		return err
	}
	return errAnswered
}

// binding is what the forms of the transaction are bound to: the session, or the browser before there is one (SMART-163).
func (p *progress) binding() string {
	if p.session != nil {
		return p.session.Binding
	}
	return p.t.Browser
}

// event is an audit event of the transaction.
func (e *Endpoint) event(q *request, p *progress, name string) ledger.Event {
	out := ledger.Event{Name: name, Request: q.w.Header().Get("X-Request-Id"), Of: "client/" + p.t.Client, Named: p.patient.ID,
		Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{ID: p.t.Client, Address: e.Address(q.r)}}
	if p.person.User != "" {
		out.Agent = audit.Agent{Kind: "user", Subject: p.person.User, Organisation: p.person.Organisation, Role: p.person.Role, Purpose: p.purpose()}
	}
	return out
}
