package authorize

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"carerecord/consent/policy"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/scopes"
	"carerecord/store"
)

// decision is by what a grant is made: the zero decision is the person's, on the page.
type decision struct {
	by      string    // grants.RepeatOf an earlier decision, grants.ApprovedBy of an organisation, or client/ID for administrators
	repeats string    // id of the grant of the earlier decision, which must be in force; empty for none
	until   time.Time // bound of offline access; zero for none
	ends    time.Time // bound of the grant; zero for none
}

// grant ends the transaction with a grant and a code, in one step with its audit record, and sends the browser back to the client.
// Of two posts of one form one succeeds.
func (e *Endpoint) grant(q *request, p *progress, set scopes.Set, d decision) error {
	ctx := q.r.Context()
	if !set.Useful() {
		return denied("nothing was allowed")
	}
	g := grants.Grant{ID: grants.NewID(), Client: p.client.ID, User: p.person.User, Issuer: p.session.Issuer, AuthTime: p.session.AuthTime, Requested: p.t.Scope,
		Purpose: p.purpose(), Role: p.person.Role, Organisation: p.person.Organisation, Offline: set.Has(scopes.OfflineAccess), Online: set.Has(scopes.OnlineAccess),
		Texts: e.Pages.Catalogue().Version(), Made: p.began} // what ends grants in the meantime ends this one
	e.setContext(&g, p, set)
	g.Ends = g.Made.Add(e.Lives.Code + e.Lives.Access)
	switch {
	case g.Offline:
		g.Ends = g.Made.Add(e.Lives.For(p.client).OfflineTotal)
	case g.Online:
		g.Ends = p.session.Ends
	}
	g.Session, g.SessionUser, g.Decision = p.session.ID, p.session.User, d.by
	if g.Offline && !d.until.IsZero() && d.until.Before(g.Ends) {
		g.Ends = d.until // as the person was told
	}
	if !d.ends.IsZero() && d.ends.Before(g.Ends) {
		g.Ends = d.ends
	}
	var err error
	if set.Has(scopes.OpenID) {
		g.Subject = e.Subject(p.session.User)
	}
	if set, err = e.setUser(q, p, &g, set); err != nil {
		return err
	}
	g.Scopes = set.String()
	event := e.event(q, p, "authorization")
	event.Of = "grant/" + g.ID
	writes := []store.StateWrite{p.stored.Remove()}
	if d.repeats != "" {
		unchanged, err := e.Grants.Unchanged(ctx, d.repeats)
		if errors.Is(err, grants.ErrInactive) {
			return errEnded // it ended just now
		}
		if err != nil {
			return err
		}
		writes = append(writes, unchanged)
	}
	list, err := p.granted(e)(ctx)
	if err != nil {
		return err
	}
	if err := e.Grants.EndOldest(ctx, list, g.Client, d.repeats, func(old *grants.Grant) ledger.Event {
		return old.Event("grant-end", event.Request, event.Client.Address)
	}); err != nil {
		return err
	}
	if g.Offline {
		first, err := e.Reminders.First(ctx, g.User, list)
		if err != nil {
			return err
		}
		writes = append(writes, first...)
	}
	to := ""
	_, err = e.Grants.Authorize(ctx, event, g, grants.Code{Redirect: p.t.Redirect, Challenge: p.t.Challenge, Nonce: p.t.Nonce}, e.Lives.Code, func(code string) ([]store.StateWrite, error) {
		way, next, err := e.way(q, p, url.Values{"code": {code}})
		to = next
		return append(writes, way...), err
	})
	switch {
	case ledger.Changed(err):
		return errEnded
	case err != nil:
		return err
	}
	see(q.w, to)
	return errAnswered
}

// setContext sets the launch context (SMART-370): the patient where a scope is bound to one or the launch has one, and what the
// launch has besides.
func (e *Endpoint) setContext(g *grants.Grant, p *progress, set scopes.Set) {
	if g.Person = p.personInContext(set); g.Person != "" {
		g.Patient = p.patient.ID
	}
	if p.choosesEncounter() && set.Has(scopes.LaunchEncounter) {
		g.Encounter = p.t.Encounter
	}
	l := p.t.Launch
	if l == nil {
		return
	}
	g.Launched, g.Encounter, g.FHIR, g.Banner, g.Intent, g.Tenant, g.Style = true, l.Encounter, l.FHIR, l.Banner, l.Intent, l.Tenant, l.Style
}

// setUser sets what the client learns of who the user is; with fhirUser the role of staff too, in fhirContext (SMART-383). A user without a resource has no fhirUser (SMART-384), and one of whom no name is
// known no name (SMART-381).
func (e *Endpoint) setUser(q *request, p *progress, g *grants.Grant, set scopes.Set) (scopes.Set, error) {
	if !set.Has(scopes.FHIRUser) && !set.Has(scopes.Profile) {
		return set, nil
	}
	ctx := q.r.Context()
	self, err := e.Record.Self(ctx, p.user(), p.own)
	role := ""
	if err == nil && p.person.Kind == policy.KindStaff && set.Has(scopes.FHIRUser) {
		role, err = e.Record.Role(ctx, p.user(), self)
	}
	if errors.Is(err, record.ErrSeveral) {
		event := e.event(q, p, "identity-conflict") // an alert (SMART-443)
		event.Refused, event.Status, event.Detail = "SEVERAL_RESOURCES", http.StatusForbidden, err.Error()
		if err := e.Grants.Ledger.Note(ctx, event); err != nil {
			return set, err
		}
		return set, oauth.Refuse(oauth.AccessDenied, "Access was denied.").Because("%w", err)
	}
	if err != nil {
		return set, err
	}
	if set.Has(scopes.FHIRUser) {
		g.FHIRUser, g.PractitionerRole = self.Ref, role
		if g.FHIR, err = launch.WithReference(g.FHIR, role); err != nil {
			return set, err
		}
	}
	if set.Has(scopes.Profile) {
		g.Name = self.Name
	}
	if g.FHIRUser == "" {
		set = set.Without(scopes.FHIRUser)
	}
	if g.Name == "" {
		set = set.Without(scopes.Profile)
	}
	return set, nil
}

// personInContext returns the person key of the patient whom a grant of a set has in context; empty for none.
func (p *progress) personInContext(set scopes.Set) string {
	if set.Level("patient") || set.Has(scopes.LaunchPatient) || set.Has(scopes.Launch) || set.Has(scopes.LaunchEncounter) {
		return p.patient.Key
	}
	return ""
}
